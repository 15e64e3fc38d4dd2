import DHTCore
import DHTCrypto
import DHTEnvelope

/// A gate that seals nothing, for worlds too large to encrypt: everything else of an envelope is there.
///
/// Datagrams have the lengths, messages, sessions, admission and bounds of real ones; identities are any 32
/// bytes, signatures are sums, the number of a process is its box key. It guards against no forger. Nothing
/// outside the simulator can hold one: a real node's engine is `GatedEngine<Gate>`.
struct StandInGate: Gatekeeper {
    private struct Pending {
        let peer: Identity
        let endpoint: Endpoint
        let request: Request
        /// The number of each transmission, and its time.
        var sent: [(number: UInt32, at: Instant)] = []
    }

    static let requestKind: UInt8 = 1
    static let responseKind: UInt8 = 2
    /// Kind 1 · operation 1 · status 1 · recipient 32 · sender 32 · transaction 8 · counter 8 · challenge 8 ·
    /// length 2 · process 4 · number of the transmission, or of the one that is answered 4.
    static let headerLength = 101

    let identity: Identity
    /// All stand-ins are of one network.
    let networkID = NetworkID.standIn
    private(set) var admission: AdmissionPolicy
    /// Whether everybody counts as having answered, as after a long and quiet time.
    private let isSettled: Bool
    private let bootSecret: UInt64
    /// Which of its processes this is of the node, as a box key tells: the first is 1.
    private let process: UInt32
    /// The process that every peer is known by until it shows another one; in a world that begins at rest.
    private let initialProcess: UInt32?
    private var processes: [Identity: UInt32] = [:]
    private var sessions: SessionTable
    /// Rises when challenges made so far become bad.
    private var mintage: UInt64 = 0
    private var pending: [UInt64: Pending] = [:]
    private var nextTransaction: UInt64 = 0
    private var transmissions: UInt32 = 0

    /// - Parameter isNative: Whether the node was there when all had become acquainted.
    init(
        identity: Identity,
        admission: AdmissionPolicy,
        bootSecret: UInt64,
        process: UInt32,
        isSettled: Bool,
        isNative: Bool
    ) {
        (self.identity, self.admission) = (identity, admission)
        (self.bootSecret, self.process, self.isSettled) = (bootSecret, process, isSettled)
        initialProcess = isSettled && isNative ? 1 : nil
        sessions = SessionTable(
            members: admission.memberCount,
            budgetRate: Gate.Limits().requestsByPeer
        )
    }

    var nextDeadline: Instant { Instant(nanoseconds: .max) }
    mutating func advance(to now: Instant) {}

    var bounds: [Bound] { [Bound("peers", sessions.count, of: sessions.capacity)] }

    mutating func replaceAdmission(_ policy: AdmissionPolicy) {
        admission = policy
        sessions.keep(members: policy.memberCount) { policy.admits($0) }
        if sessions.takeForgotten() { mintage += 1 }
        processes = processes.filter { policy.admits($0.key) }
    }

    func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool {
        isSettled || sessions.hasProved(identity, at: endpoint)
    }

    func expectsLife(of identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool {
        isSettled || sessions.expectsLife(of: identity, at: endpoint, ownKey: process, now: now)
    }

    func answeredAt(_ identity: Identity) -> Instant? { sessions.answeredAt(identity) }

    /// A process as a box key.
    private static func boxKey(_ process: UInt32) -> BoxPublicKey {
        var bytes = [UInt8](repeating: 0, count: BoxPublicKey.byteCount - 4)
        bytes.appendBigEndian(process)
        guard let key = BoxPublicKey(bytes[...]) else { preconditionFailure("a box key has 32 bytes") }
        return key
    }

    private func challenge(
        for identity: Identity,
        _ process: UInt32,
        at endpoint: Endpoint,
        epoch: UInt64
    ) -> UInt64 {
        let place = UInt64(endpoint.ipv4 ?? 0) << 16 | UInt64(endpoint.port)
        let generation = UInt64(sessions.generation(of: identity)) << 32 | UInt64(process)
        let secret = SeededRandom.mix(SeededRandom.mix(bootSecret ^ epoch) ^ mintage)
        let who = SeededRandom.mix(generation ^ UInt64(identity.prefix) << 20)
        return max(SeededRandom.mix(secret ^ place ^ who), 1)
    }

    private func accepts(
        _ challenge: UInt64,
        of identity: Identity,
        _ process: UInt32,
        at endpoint: Endpoint,
        now: Instant
    ) -> Bool {
        let epoch = ChallengeMint.epoch(at: now)
        return challenge != 0
            && [epoch, epoch &- 1].contains {
                self.challenge(for: identity, process, at: endpoint, epoch: $0) == challenge
            }
    }

    // MARK: Receiving

    mutating func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Instant) -> Gate.Verdict {
        guard Datagram.lengths.contains(datagram.count) else { return .dropped(.length) }
        guard let recipient = Identity(datagram[3..<35]), recipient == identity,
            let sender = Identity(datagram[35..<67]), datagram.last == Self.seal
        else { return .dropped(.header) }
        guard sender != identity else { return .dropped(.self) }
        guard admission.admits(sender) else { return .dropped(.admission) }
        guard let body = Self.body(of: datagram) else { return .dropped(.malformed) }
        let process: UInt32 = datagram[93..<97].bigEndian()
        if datagram[0] == Self.requestKind {
            return receiveRequest(datagram, body, process, from: sender, at: endpoint, now)
        }
        return receiveResponse(datagram, body, process, from: sender, at: endpoint, now)
    }

    static func body(of datagram: [UInt8]) -> Body? {
        let payloadLength: UInt16 = datagram[91..<93].bigEndian()
        let end = headerLength + Int(payloadLength)
        guard end < datagram.count else { return nil }
        return Body(
            operation: datagram[1],
            status: datagram[2],
            number: datagram[67..<75].bigEndian(),
            challenge: datagram[83..<91].bigEndian(),
            payload: datagram[headerLength..<end]
        )
    }

    private static func counter(of datagram: [UInt8]) -> UInt64 { datagram[75..<83].bigEndian() }
    private static func transmission(of datagram: [UInt8]) -> UInt32 { datagram[97..<101].bigEndian() }

    /// Whether the peer is known as another process; from now on it is this one.
    private mutating func recordProcess(_ process: UInt32, of peer: Identity) -> Bool {
        let old = processes[peer] ?? initialProcess
        if old != process { processes[peer] = process }
        return old.map { $0 != process } ?? false
    }

    private mutating func receiveRequest(
        _ datagram: [UInt8],
        _ body: Body,
        _ process: UInt32,
        from sender: Identity,
        at endpoint: Endpoint,
        _ now: Instant
    ) -> Gate.Verdict {
        if !isSettled, sessions.hasSeen(Self.counter(of: datagram), of: sender, Self.boxKey(process)) {
            return .dropped(.replay)
        }
        guard let request = MessageCodec.decodeRequest(body) else { return .dropped(.malformed) }
        var acceptance = SessionTable.Acceptance(isLive: true)
        if isSettled {
            acceptance.isNewProcess = recordProcess(process, of: sender)
        } else {
            let boxKey = Self.boxKey(process)
            guard sessions.charge(sender, boxKey, at: now) else { return .dropped(.budget) }
            let answersChallenge =
                !sessions.isProved(sender, boxKey, at: endpoint)
                && accepts(body.challenge, of: sender, process, at: endpoint, now: now)
            let accepted = sessions.accept(
                Self.counter(of: datagram),
                of: sender,
                boxKey,
                from: endpoint,
                answersChallenge: answersChallenge,
                at: now
            )
            if sessions.takeForgotten() { mintage += 1 }
            guard let accepted else { return .dropped(.capacity) }
            acceptance = accepted
        }
        if acceptance.isLive, let record = request.record, admission.mayWrite(record.author),
            !accepts(record)
        {
            return .dropped(.record)
        }
        var inbound = Gate.InboundRequest(
            sender: sender,
            endpoint: endpoint,
            request: request,
            isLive: acceptance.isLive,
            transaction: body.number,
            length: datagram.count
        )
        inbound.mark = UInt64(Self.transmission(of: datagram)) << 32 | UInt64(process)
        inbound.provesAddress = acceptance.provesAddress
        inbound.showsNewKey = acceptance.isNewProcess
        inbound.twin = acceptance.twin
        return .request(inbound)
    }

    private mutating func receiveResponse(
        _ datagram: [UInt8],
        _ body: Body,
        _ process: UInt32,
        from sender: Identity,
        at endpoint: Endpoint,
        _ now: Instant
    ) -> Gate.Verdict {
        guard let asked = pending[body.number], asked.peer == sender, asked.endpoint == endpoint else {
            return .dropped(.unsolicited)
        }
        guard asked.request.operation.rawValue == body.operation else { return .dropped(.mismatch) }
        guard let response = MessageCodec.decodeResponse(body, members: admission),
            let sent = asked.sent.first(where: { $0.number == Self.transmission(of: datagram) })?.at
        else { return .dropped(.malformed) }
        pending[body.number] = nil
        var isNews = false
        if isSettled {
            isNews = recordProcess(process, of: sender)
        } else {
            let answered = sessions.answered(
                sender,
                Self.boxKey(process),
                from: endpoint,
                counter: Self.counter(of: datagram),
                challenge: body.challenge,
                ownKey: self.process,
                at: now
            )
            guard let answered else { return .dropped(.capacity) }
            isNews = answered
        }
        var answer = Gate.InboundResponse(
            sender: sender,
            endpoint: endpoint,
            transaction: body.number,
            sent: sent,
            checked: filter(response, asked: asked.request, namedBy: endpoint)
        )
        answer.wasLive = body.challenge == 0
        answer.showsNewKey = isNews
        return .answer(answer)
    }

    // MARK: Sending

    mutating func makeTransaction() -> UInt64 {
        nextTransaction += 1
        return nextTransaction
    }

    mutating func close(_ transaction: UInt64) { pending[transaction] = nil }

    mutating func draft(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ options: Gate.SealOptions,
        now: Instant
    ) -> Outgoing? {
        guard peer != identity, admission.admits(peer) else { return nil }
        let payload = MessageCodec.encode(request)
        let mayBeLive = !options.usesStaticKey && expectsLife(of: peer, at: endpoint, now: now)
        let padded = max(payload.count, options.answerLength - Datagram.overhead)
        transmissions &+= 1
        pending[options.transaction, default: Pending(peer: peer, endpoint: endpoint, request: request)]
            .sent.append((transmissions, now))
        var (counter, challenge): (UInt64, UInt64) = (0, 0)
        if !isSettled {
            guard let next = sessions.outgoing(for: peer, ownKey: process, at: now) else { return nil }
            (counter, challenge) = next
        }
        let body = Body(
            operation: request.operation.rawValue,
            status: 0,
            number: options.transaction,
            challenge: challenge,
            payload: payload[...]
        )
        let room = mayBeLive ? payload.count : padded
        return .sealed(
            datagram(Self.requestKind, body, counter: counter, transmissions, to: peer, room: room)
        )
    }

    mutating func draft(_ response: Response, to inbound: Gate.InboundRequest, now: Instant) -> Outgoing? {
        guard admission.admits(inbound.sender) else { return nil }
        let room = inbound.longestAnswer - Datagram.overhead
        let (status, payload) = MessageCodec.encode(response, room: room)
        let peer = UInt32(truncatingIfNeeded: inbound.mark)
        var challenge: UInt64 = 0
        if inbound.isLive {
            let boxKey = Self.boxKey(peer)
            sessions.answering(inbound.sender, boxKey, at: inbound.endpoint, ownKey: process, now: now)
        } else {
            let epoch = ChallengeMint.epoch(at: now)
            challenge = self.challenge(for: inbound.sender, peer, at: inbound.endpoint, epoch: epoch)
        }
        let body = Body(
            operation: inbound.request.operation.rawValue,
            status: status,
            number: inbound.transaction,
            challenge: challenge,
            payload: payload[...]
        )
        let counter = sessions.lastCounter(to: inbound.sender, ownKey: process)
        return .sealed(
            datagram(
                Self.responseKind,
                body,
                counter: counter,
                UInt32(inbound.mark >> 32),
                to: inbound.sender,
                room: payload.count
            )
        )
    }

    func finish(_ outgoing: Outgoing) -> [UInt8]? {
        guard case .sealed(let bytes) = outgoing else {
            preconditionFailure("a draft is of a gate of another kind")
        }
        return bytes
    }

    /// The last byte of every datagram: one that was cut or cleared does not open.
    private static let seal: UInt8 = 0x5E

    private func datagram(
        _ kind: UInt8,
        _ body: Body,
        counter: UInt64,
        _ transmission: UInt32,
        to peer: Identity,
        room: Int
    ) -> [UInt8] {
        guard let length = Datagram.length(forPayload: room) else {
            preconditionFailure("no message has a payload of \(room) bytes")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        bytes.append(kind)
        bytes.append(body.operation)
        bytes.append(body.status)
        peer.append(to: &bytes)
        identity.append(to: &bytes)
        bytes.appendBigEndian(body.number)
        bytes.appendBigEndian(counter)
        bytes.appendBigEndian(body.challenge)
        bytes.appendBigEndian(UInt16(body.payload.count))
        bytes.appendBigEndian(process)
        bytes.appendBigEndian(transmission)
        bytes.append(contentsOf: body.payload)
        bytes.appendZeros(length - bytes.count - 1)
        bytes.append(Self.seal)
        return bytes
    }

    // MARK: Records

    func sign(_ draft: RecordCodec.Draft) -> Record {
        let fields = RecordCodec.fields(of: draft, by: identity)
        let bytes = fields + Self.signature(of: fields[...])
        return Record(checkedBytes: bytes, location: sha1(draft.key), digest: Digest(blake2bOf: bytes))
    }

    func accepts(_ record: Record) -> Bool {
        admission.mayWrite(record.author) && Self.isSigned(record)
    }

    static func isSigned(_ record: Record) -> Bool {
        record.signature.elementsEqual(signature(of: record.signedFields))
    }

    /// The fields' FNV-1a sum, eight times: what a corrupted record fails by. The fields name the author.
    private static func signature(of fields: ArraySlice<UInt8>) -> [UInt8] {
        var sum: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in fields { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var bytes: [UInt8] = []
        for _ in 0..<8 { bytes.appendBigEndian(sum) }
        return bytes
    }
}
