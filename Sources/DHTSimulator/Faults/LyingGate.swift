import DHTCore
import DHTCrypto
import DHTEnvelope

/// How a hostile member behaves. It is admitted, and answers PING, or nobody would ever ask it.
package enum Adversary: String, CaseIterable, Hashable, Sendable {
    /// Answers nothing else.
    case blackHole = "black-hole"
    /// Names members from anywhere, most of them far from the target, and has no records.
    case misleading
    /// Names identities that nobody has, at addresses where nobody is.
    case inventing
    /// Names its accomplices nearest to the target, has no records, and says that it stored what it did not.
    case colluding
    /// Answers with the first record it ever saw under a key.
    case stale
    /// Signs two records of one revision, and tells one half of the others this and one half that.
    case equivocating
    /// Is as honest as anybody, and stores without end.
    case flooding
    /// Changes bytes in the records and pieces it returns, and in the records it passes on.
    case forging
    /// Gives true records, and wrong pieces of the content they refer to.
    case spoiling
    /// Wants the content of every reference it is offered, and fetches none.
    case wanting
    /// Wants it, and fetches one chunk of it now and then, so that it seems to get on.
    case dawdling
    /// Puts references to long content of which it has nothing but the outline.
    case promising
    /// Names members that never run, and members at addresses to which nobody can send.
    case haunting
    /// Says that it stored what it was given, and knows of nothing ever after.
    case amnesiac
}

/// The common knowledge of all hostile members.
final class Collusion {
    /// All colluding members.
    var accomplices: [Contact] = []
    /// All members.
    var population: [Contact] = []
    /// Members that never run.
    var ghosts: [Contact] = []
    private(set) var ghostsNamed = 0
    /// Whether they do so about rosters, each in its own way.
    var liesAboutRosters = false
    /// Answers that were not the truth, or were withheld.
    var lies = 0
    private(set) var spoils = Spoils()
    /// Of content that is promised and does not exist.
    private var outlines: [Digest: [UInt8]] = [:]
    /// The first record seen of each author under each key.
    private var oldest: [NodeID: [Record]] = [:]

    func accomplices(near target: NodeID, besides identity: Identity) -> [Contact] {
        nearest(accomplices, to: target, besides: identity)
    }

    /// Members that never run, the nearest there are.
    func ghosts(near target: NodeID, count: Int) -> [Contact] {
        let named = Array(nearest(ghosts, to: target).prefix(count))
        ghostsNamed += named.count
        return named
    }

    private func nearest(
        _ contacts: [Contact],
        to target: NodeID,
        besides identity: Identity? = nil
    ) -> [Contact] {
        var nearest: [(distance: Distance, contact: Contact)] = []
        for contact in contacts where contact.identity != identity {
            let distance = contact.id.distance(to: target)
            if nearest.count == Kademlia.replicas {
                guard let last = nearest.last, distance < last.distance else { continue }
                nearest.removeLast()
            }
            let place = nearest.firstIndex { distance < $0.distance } ?? nearest.endIndex
            nearest.insert((distance, contact), at: place)
        }
        return nearest.map(\.contact)
    }

    func record(_ record: Record) {
        var records = oldest[record.location] ?? []
        guard !records.contains(where: { $0.author == record.author }) else { return }
        records.append(record)
        oldest[record.location] = records
    }

    /// A reference to the longest content there may be, which nobody has.
    func promise(using chance: inout SeededRandom) -> ContentReference {
        let pieces = ContentLayout.maximumPieceCount
        let outline = Array(chance.bytes(pieces * ContentLayout.digestLength))
        let length = UInt32(ContentLayout.lengths.upperBound)
        let digest = ContentReference.digest(length: length, outline: outline)
        guard let reference = ContentReference(length: length, digest: digest) else {
            preconditionFailure("content may have \(length) bytes")
        }
        outlines[digest] = outline
        return reference
    }

    func recordSpoil(_ spoil: Spoils.Spoil, transaction: UInt64) {
        spoils.record(spoil, transaction: transaction)
    }
    func forgetSpoils(to victim: Identity?) { spoils.forget(victim) }

    func outline(of content: Digest) -> [UInt8]? { outlines[content] }

    func oldestRecords(at location: NodeID) -> [Record] { oldest[location] ?? [] }
}

/// A gate that lies: the engine behind it is as honest as any, what goes out is not.
struct LyingGate<Base: Gatekeeper & ~Copyable>: Gatekeeper, ~Copyable {
    private var base: Base
    private let adversary: Adversary
    private let collusion: Collusion
    private var chance: SeededRandom
    private var rosterLiar: RosterLiar
    /// Twins of records of our own.
    private var twins: [Digest: Record] = [:]
    /// When each peer was last asked for a chunk by one that dawdles.
    private var fetches: [Identity: Instant] = [:]
    private static var dawdle: Interval { .seconds(8) }

    init(_ base: consuming Base, _ adversary: Adversary, _ collusion: Collusion, chance: SeededRandom) {
        rosterLiar = RosterLiar(base.identity)
        self.base = base
        (self.adversary, self.collusion, self.chance) = (adversary, collusion, chance)
    }

    var identity: Identity { base.identity }
    var networkID: NetworkID { base.networkID }
    var admission: AdmissionPolicy { base.admission }
    var nextDeadline: Instant { base.nextDeadline }
    var bounds: [Bound] { [] }

    mutating func replaceAdmission(_ policy: AdmissionPolicy) { base.replaceAdmission(policy) }
    func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool {
        base.hasProved(identity, at: endpoint)
    }
    func expectsLife(of identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool {
        base.expectsLife(of: identity, at: endpoint, now: now)
    }

    func answeredAt(_ identity: Identity) -> Instant? { base.answeredAt(identity) }
    mutating func makeTransaction() -> UInt64 { base.makeTransaction() }
    mutating func close(_ transaction: UInt64) { base.close(transaction) }
    mutating func accepts(_ record: Record) -> Bool { base.accepts(record) }
    mutating func advance(to now: Instant) { base.advance(to: now) }

    mutating func receive(_ datagram: [UInt8], from endpoint: Endpoint, at now: Instant) -> Gate.Verdict {
        let verdict = base.receive(datagram, from: endpoint, at: now)
        if case .request(let inbound) = verdict, case .store(let record, _) = inbound.request {
            collusion.record(record)
        }
        return verdict
    }

    // MARK: Lies

    mutating func draft(
        _ request: Request,
        to peer: Identity,
        at endpoint: Endpoint,
        _ options: Gate.SealOptions,
        now: Instant
    ) -> Outgoing? {
        var request = request
        if collusion.liesAboutRosters { request = rosterLiar.altered(request, using: &chance) }
        if case .findChunk = request, !mayFetch(from: peer, at: now) { return nil }
        if adversary == .equivocating, case .store(let record, let condition) = request,
            let twin = twins[record.digest], peer.prefix & 1 == 1
        {
            request = .store(twin, condition: condition)
        }
        if adversary == .forging, case .store(let record, let condition) = request {
            request = .store(forged(record), condition: condition)
        }
        return base.draft(request, to: peer, at: endpoint, options, now: now)
    }

    /// Whether it asks for what it says it wants.
    private mutating func mayFetch(from peer: Identity, at now: Instant) -> Bool {
        switch adversary {
        case .wanting: return false
        case .dawdling:
            if let last = fetches[peer], now.since(last) < Self.dawdle { return false }
            fetches[peer] = now
            return true
        default: return true
        }
    }

    mutating func draft(_ response: Response, to inbound: Gate.InboundRequest, now: Instant) -> Outgoing? {
        if let answer = rosterAnswer(response, to: inbound.request) {
            return answer.flatMap { base.draft($0, to: inbound, now: now) }
        }
        let lie = lie(instead: response, to: inbound)
        // A member that wants and does not fetch lies, though its engine says the same.
        var isEmptyWord = false
        if adversary == .wanting, case .wanted? = lie { isEmptyWord = true }
        if lie != response || isEmptyWord { collusion.lies += 1 }
        return lie.flatMap { base.draft($0, to: inbound, now: now) }
    }

    /// The answer to PING, or with a roster, or with a part of one's text; `nil`: it is none of these, and
    /// `nil` in it: there is no answer.
    private mutating func rosterAnswer(_ response: Response, to request: Request) -> Response?? {
        guard collusion.liesAboutRosters else {
            switch response {
            case .pong, .roster: return .some(response)
            default: return nil
            }
        }
        let (isTold, answer) = rosterLiar.altered(response, to: request, using: &chance)
        guard isTold else { return nil }
        if answer != response { collusion.lies += 1 }
        return .some(answer)
    }

    func finish(_ outgoing: Outgoing) -> [UInt8]? { base.finish(outgoing) }

    mutating func sign(_ draft: RecordCodec.Draft) -> Record {
        let record = base.sign(draft)
        if adversary == .equivocating, draft.kind == .value, !draft.value.isEmpty {
            var other = draft
            other.value[other.value.count - 1] ^= 0xFF
            twins[record.digest] = base.sign(other)
        }
        return record
    }

    private mutating func lie(instead truth: Response, to inbound: Gate.InboundRequest) -> Response? {
        switch adversary {
        case .blackHole: return nil
        case .flooding, .equivocating: return truth
        case .stale: return stale(truth, to: inbound.request)
        case .forging: return forged(truth)
        case .spoiling: return spoilt(truth, to: inbound)
        case .wanting, .dawdling: return wanting(truth, to: inbound)
        case .promising: return promising(truth, to: inbound.request)
        case .haunting: return haunted(truth, to: inbound.request)
        case .amnesiac: return forgotten(truth, to: inbound)
        case .misleading, .inventing, .colluding: break
        }
        switch inbound.request {
        case .ping, .findRoster, .join: return truth
        case .findNode(let target): return .nodes(contacts(near: target, for: inbound))
        case .findValue(let location, _, _):
            let closer = contacts(near: location, for: inbound)
            return .values([], total: 0, closer: closer)
        case .store(let record, _), .passOn(let record, _):
            guard inbound.isLive else { return truth }
            return .stored(.init(lifetime: record.lifetime, closest: []))
        case .findChunk: return .absent
        }
    }

    private mutating func spoilt(_ truth: Response, to inbound: Gate.InboundRequest) -> Response {
        guard case .chunk = truth, case .findChunk(let content, let part, let chunk) = inbound.request else {
            return truth
        }
        collusion.recordSpoil(
            .init(content: content, part: part, chunk: chunk, by: identity, to: inbound.sender),
            transaction: inbound.transaction
        )
        return forged(truth)
    }

    private func wanting(_ truth: Response, to inbound: Gate.InboundRequest) -> Response {
        guard inbound.isLive, case .store(let record, _) = inbound.request, record.reference != nil else {
            return truth
        }
        return .wanted(held: 0)
    }

    /// The outline of what it promised, and not a word of the pieces.
    private func promising(_ truth: Response, to request: Request) -> Response? {
        guard case .findChunk(let content, let part, let chunk) = request,
            let outline = collusion.outline(of: content)
        else { return truth }
        guard part == .outline else { return nil }
        let start = Int(chunk) * ContentLayout.chunkLength
        return .chunk(Array(outline.dropFirst(start).prefix(ContentLayout.chunkLength)))
    }

    private mutating func haunted(_ truth: Response, to request: Request) -> Response {
        switch (truth, request) {
        case (.nodes(let contacts), .findNode(let target)):
            return .nodes(haunted(contacts, near: target))
        case (.values(let records, let total, let closer), .findValue(let location, _, _)):
            return .values(records, total: total, closer: haunted(closer, near: location))
        default: return truth
        }
    }

    /// Broadcast, loopback, multicast; members that never run; and those it would name, if there is room.
    private mutating func haunted(_ contacts: [Contact], near target: NodeID) -> [Contact] {
        var named: [Contact] = []
        for address in [0xFFFF_FFFF, 0x7F00_0001, 0xE000_0001] as [UInt32] {
            guard let member = collusion.population.randomElement(using: &chance) else { break }
            let endpoint = Endpoint(ipv4: address, port: 4000)
            named.append(Contact(identity: member.identity, id: member.id, endpoint: endpoint))
        }
        named += collusion.ghosts(near: target, count: Kademlia.replicas - named.count)
        return Array((named + contacts).prefix(Kademlia.replicas))
    }

    private func forgotten(_ truth: Response, to inbound: Gate.InboundRequest) -> Response {
        switch (truth, inbound.request) {
        case (.values(_, _, let closer), _): return .values([], total: 0, closer: closer)
        case (_, .store(let record, _)) where inbound.isLive:
            return .stored(.init(lifetime: record.lifetime, closest: []))
        case (_, .findChunk) where inbound.isLive: return .absent
        default: return truth
        }
    }

    private func stale(_ truth: Response, to request: Request) -> Response {
        guard case .findValue(let location, let author, _) = request,
            case .values(_, _, let closer) = truth
        else { return truth }
        let old = collusion.oldestRecords(at: location).filter { author == nil || $0.author == author }
        return .values(old, total: UInt16(clamping: old.count), closer: closer)
    }

    private mutating func forged(_ truth: Response) -> Response {
        switch truth {
        case .values(let records, let total, let closer):
            return .values(records.map { forged($0) }, total: total, closer: closer)
        case .chunk(var bytes):
            bytes[chance.index(below: bytes.count)] ^= 1 << UInt8(chance.index(below: 8))
            return .chunk(bytes)
        default: return truth
        }
    }

    /// The record with one bit of its value or signature another.
    private mutating func forged(_ record: Record) -> Record {
        var bytes = record.bytes
        let first = bytes.count - RecordLayout.signatureLength - record.value.count
        bytes[first + chance.index(below: bytes.count - first)] ^= 1 << UInt8(chance.index(below: 8))
        return RecordCodec.decode(bytes) ?? record
    }

    private mutating func contacts(near target: NodeID, for inbound: Gate.InboundRequest) -> [Contact] {
        switch adversary {
        case .colluding:
            return collusion.accomplices(near: target, besides: inbound.sender)
        case .inventing:
            return (0..<Kademlia.replicas).compactMap { _ in
                guard let nobody = Identity(chance.bytes(Identity.byteCount)) else { return nil }
                let nowhere = Endpoint(ipv4: 0xC633_6400 | UInt32(chance.index(below: 256)), port: 4000)
                return Contact(identity: nobody, id: nobody.nodeID, endpoint: nowhere)
            }
        default:
            return (0..<Kademlia.replicas).compactMap { _ in
                collusion.population.randomElement(using: &chance)
            }
        }
    }
}
