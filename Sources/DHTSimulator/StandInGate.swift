import DHTCore
import DHTCrypto
import DHTEnvelope

/// A gate that seals nothing, for worlds too large to encrypt: everything else of an envelope is there.
///
/// Datagrams have the lengths, messages, tokens, admission and bounds of real ones; identities are any 32
/// bytes, signatures are sums. It guards against nobody, and knows no replay. Nothing outside the simulator
/// can hold one: a real node's engine is `GatedEngine<Gate>`.
struct StandInGate: Gatekeeper {
    /// What is remembered of a peer.
    private struct Session {
        var proved: Endpoint
        var token: UInt64
        var tokenReceived: Instant
    }

    private struct Pending {
        let peer: Identity
        let endpoint: Endpoint
        let request: Request
    }

    private static let requestKind: UInt8 = 1
    private static let responseKind: UInt8 = 2
    /// Kind 1 · operation 1 · status 1 · recipient 32 · sender 32 · transaction 8 · token 8 · length 2 ·
    /// process 4.
    private static let headerLength = 89

    let identity: Identity
    private(set) var admission: AdmissionPolicy
    /// Whether everybody counts as having answered, as after a long and quiet time.
    private let isAcquainted: Bool
    private let bootSecret: UInt64
    /// Which of its processes this is of the node, as a box key tells: the first is 1.
    private let process: UInt32
    /// The process of a peer that is known unless ``processes`` tells of another one.
    private let initialProcess: UInt32?
    private var sessions: [Identity: Session] = [:]
    private var processes: [Identity: UInt32] = [:]
    private var pending: [UInt64: Pending] = [:]
    private var nextTransaction: UInt64 = 0

    /// - Parameter isNative: Whether the node was there when all had become acquainted.
    init(
        identity: Identity,
        admission: AdmissionPolicy,
        bootSecret: UInt64,
        process: UInt32,
        isAcquainted: Bool,
        isNative: Bool
    ) {
        (self.identity, self.admission) = (identity, admission)
        (self.bootSecret, self.process, self.isAcquainted) = (bootSecret, process, isAcquainted)
        initialProcess = isAcquainted && isNative ? 1 : nil
    }

    var nextDeadline: Instant { Instant(nanoseconds: .max) }
    mutating func advance(to now: Instant) {}

    var occupancies: [Occupancy] { [] }

    mutating func replaceAdmission(_ policy: AdmissionPolicy) {
        admission = policy
        sessions = sessions.filter { policy.admits($0.key) }
        processes = processes.filter { policy.admits($0.key) }
    }

    func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool {
        isAcquainted || sessions[identity]?.proved == endpoint
    }

    func hasToken(for identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool {
        isAcquainted || token(for: identity, at: endpoint, now: now) != nil
    }

    private func token(for identity: Identity, at endpoint: Endpoint, now: Instant) -> UInt64? {
        if isAcquainted { return 1 }
        guard let session = sessions[identity], session.proved == endpoint,
            now.since(session.tokenReceived) < TokenMint.epochLength
        else { return nil }
        return session.token
    }

    private func mint(for identity: Identity, at endpoint: Endpoint, epoch: UInt64) -> UInt64 {
        let place = UInt64(endpoint.ipv4 ?? 0) << 16 | UInt64(endpoint.port)
        return max(Chance.mix(Chance.mix(bootSecret ^ epoch) ^ place ^ UInt64(identity.prefix) << 32), 1)
    }

    private func isGood(_ token: UInt64, of identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool {
        if isAcquainted { return true }
        let epoch = TokenMint.epoch(at: now)
        return token != 0
            && [epoch, epoch &- 1].contains { mint(for: identity, at: endpoint, epoch: $0) == token }
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
        let process: UInt32 = datagram[85..<89].bigEndian()
        if datagram[0] == Self.requestKind {
            return receiveRequest(body, process, of: datagram.count, from: sender, at: endpoint, now)
        }
        return receiveResponse(body, process, from: sender, at: endpoint, now)
    }

    private static func body(of datagram: [UInt8]) -> Body? {
        let payloadLength: UInt16 = datagram[83..<85].bigEndian()
        let end = headerLength + Int(payloadLength)
        guard end < datagram.count else { return nil }
        return Body(
            operation: datagram[1],
            status: datagram[2],
            transaction: datagram[67..<75].bigEndian(),
            token: datagram[75..<83].bigEndian(),
            payload: Array(datagram[headerLength..<end])
        )
    }

    /// Whether the peer is known as another process; from now on it is this one.
    private mutating func noteProcess(_ process: UInt32, of peer: Identity) -> Bool {
        let old = processes[peer] ?? initialProcess
        if old != process { processes[peer] = process }
        return old.map { $0 != process } ?? false
    }

    private mutating func receiveRequest(
        _ body: Body,
        _ process: UInt32,
        of length: Int,
        from sender: Identity,
        at endpoint: Endpoint,
        _ now: Instant
    ) -> Gate.Verdict {
        guard let request = MessageCodec.decodeRequest(body) else { return .dropped(.malformed) }
        let isLive = isGood(body.token, of: sender, at: endpoint, now: now)
        if isLive, case .store(let record, _) = request, admission.mayWrite(record.author), !accepts(record) {
            return .dropped(.record)
        }
        var inquiry = Gate.Inquiry(
            sender: sender,
            endpoint: endpoint,
            request: request,
            isLive: isLive,
            transaction: body.transaction,
            length: length
        )
        inquiry.showsNewKey = isLive && noteProcess(process, of: sender)
        return .inquiry(inquiry)
    }

    private mutating func receiveResponse(
        _ body: Body,
        _ process: UInt32,
        from sender: Identity,
        at endpoint: Endpoint,
        _ now: Instant
    ) -> Gate.Verdict {
        guard let asked = pending[body.transaction], asked.peer == sender, asked.endpoint == endpoint,
            asked.request.operation.rawValue == body.operation
        else { return .dropped(.mismatch) }
        guard let response = MessageCodec.decodeResponse(body) else { return .dropped(.malformed) }
        pending[body.transaction] = nil
        let showsNewKey = noteProcess(process, of: sender)
        if !isAcquainted {
            sessions[sender] = Session(proved: endpoint, token: body.token, tokenReceived: now)
        }
        let checked = strikeOut(response, asked: asked.request, namedBy: endpoint)
        var answer = Gate.Answer(
            sender: sender,
            endpoint: endpoint,
            transaction: body.transaction,
            checked: checked
        )
        answer.showsNewKey = showsNewKey
        return .answer(answer)
    }

    // MARK: Sending

    mutating func makeTransaction() -> UInt64 {
        nextTransaction += 1
        return nextTransaction
    }

    mutating func close(_ transaction: UInt64) { pending[transaction] = nil }

    mutating func seal(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ postage: Gate.Postage,
        now: Now
    ) -> [UInt8]? {
        guard peer != identity, admission.admits(peer) else { return nil }
        let payload = MessageCodec.encode(request)
        let token = token(for: peer, at: endpoint, now: now.instant)
        let padded = max(payload.count, postage.answerLength - Datagram.overhead)
        pending[postage.transaction] = Pending(peer: peer, endpoint: endpoint, request: request)
        let body = Body(
            operation: request.operation.rawValue,
            status: 0,
            transaction: postage.transaction,
            token: token ?? 0,
            payload: payload
        )
        return datagram(Self.requestKind, body, to: peer, room: token == nil ? padded : payload.count)
    }

    mutating func seal(_ response: Response, to inquiry: Gate.Inquiry, now: Instant) -> [UInt8]? {
        guard admission.admits(inquiry.sender) else { return nil }
        let room = inquiry.longestAnswer - Datagram.overhead
        let (status, payload) = MessageCodec.encode(response, room: room)
        let epoch = TokenMint.epoch(at: now)
        let body = Body(
            operation: inquiry.request.operation.rawValue,
            status: status,
            transaction: inquiry.transaction,
            token: mint(for: inquiry.sender, at: inquiry.endpoint, epoch: epoch),
            payload: payload
        )
        return datagram(Self.responseKind, body, to: inquiry.sender, room: payload.count)
    }

    /// The last byte of every datagram: one that was cut or cleared does not open.
    private static let seal: UInt8 = 0x5E

    private func datagram(_ kind: UInt8, _ body: Body, to peer: Identity, room: Int) -> [UInt8] {
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
        bytes.appendBigEndian(body.transaction)
        bytes.appendBigEndian(body.token)
        bytes.appendBigEndian(UInt16(body.payload.count))
        bytes.appendBigEndian(process)
        bytes.append(contentsOf: body.payload)
        bytes.append(contentsOf: repeatElement(0, count: length - bytes.count - 1))
        bytes.append(Self.seal)
        return bytes
    }

    /// What is in a datagram of such a gate, in a few words.
    static func summary(of datagram: [UInt8]) -> String {
        guard datagram.count > headerLength, let operation = OperationCode(rawValue: datagram[1]) else {
            return "?"
        }
        let kind = datagram[0] == requestKind ? "request" : "response \(datagram[2])"
        let payload = datagram[headerLength...]
        if datagram[0] == requestKind, operation == .findNode || operation == .findValue {
            return "\(operation) \(kind) near \(hexadecimal(payload.prefix(4)))"
        }
        if datagram[0] == requestKind, operation == .store,
            case .store(let record, _)? = body(of: datagram).flatMap(MessageCodec.decodeRequest)
        {
            return "\(operation) \(kind): \(record.text)"
        }
        guard operation == .findValue, datagram[0] == responseKind, datagram[2] == 0 else {
            return "\(operation) \(kind)"
        }
        let total: UInt16 = payload.bigEndian()
        return "\(operation) \(kind), \(payload[payload.startIndex + 2]) of \(total) records"
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
