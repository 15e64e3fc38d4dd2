import DHTCore
import DHTCrypto

@testable import DHTEnvelope

/// Valid values of every kind, at random.
extension SplitMix64 {
    mutating func chance() -> Bool { next() % 2 == 0 }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...values.count - 1)] }

    mutating func identity() -> Identity { certain(Identity(bytes(32))) }

    mutating func nodeID() -> NodeID { certain(NodeID(bytes(20))) }

    mutating func endpoint() -> Endpoint {
        let port = UInt16(truncatingIfNeeded: next())
        return certain(Endpoint(addressBytes: bytes(chance() ? 4 : 16), port: port))
    }

    mutating func contact() -> Contact {
        let identity = identity()
        let (first, second) = (endpoint(), endpoint())
        let other = second.family != first.family ? second : nil
        return Contact(identity: identity, id: identity.nodeID, endpoint: first, other: other)
    }

    mutating func contacts(_ range: ClosedRange<Int> = 0...8) -> [Contact] {
        (0..<number(range)).map { _ in contact() }
    }

    /// A well-formed record, signed or not.
    mutating func record(value: ClosedRange<Int> = 0...640, signedBy author: String? = nil) -> Record {
        let kind: Record.Kind = pick([.value, .value, .tombstone, .reference])
        let contents: [UInt8] =
            switch kind {
            case .value: bytes(number(value))
            case .tombstone: []
            case .reference: reference().encoded
            }
        let draft = RecordCodec.Draft(
            kind: kind,
            key: bytes(number(1...128)),
            revision: Revision(rawValue: next()),
            lifetime: UInt32.random(in: RecordLayout.lifetimes, using: &self),
            value: contents
        )
        return RecordCodec.sign(draft, with: signingKey(author ?? "author"), network: networkKey("home").id)
    }

    mutating func reference() -> ContentReference {
        let length = UInt32(number(641...16_777_216))
        return certain(ContentReference(length: length, digest: certain(Digest(bytes(32)[...]))))
    }

    mutating func request(_ operation: OperationCode) -> Request {
        switch operation {
        case .ping: return .ping(isLeaving: chance(), roster: chance() ? rosterMark() : nil)
        case .findNode: return .findNode(target: nodeID())
        case .findValue:
            let author = chance() ? identity() : nil
            return .findValue(location: nodeID(), author: author, offset: UInt16(truncatingIfNeeded: next()))
        case .store, .passOn:
            let revision = Revision(rawValue: max(next(), 1))
            let condition: Request.Condition? = pick([nil, .absent, .revision(revision), .anything])
            return operation == .store
                ? .store(record(), condition: condition) : .passOn(record(), condition: condition)
        case .findChunk:
            let part: ContentPart = chance() ? .outline : .piece(number(0...262))
            return .findChunk(
                content: certain(Digest(bytes(32)[...])),
                part: part,
                chunk: UInt8(truncatingIfNeeded: next())
            )
        case .findRoster: return .findRoster
        case .join: return .join
        }
    }

    private mutating func rosterMark() -> RosterMark {
        RosterMark(serial: max(next(), 1), stamp: UInt32(truncatingIfNeeded: next()))
    }

    private mutating func rosterHead() -> RosterHead {
        let length = UInt32(number(1...8_388_608))
        let digest = certain(Digest(bytes(32)[...]))
        return RosterHead(
            serial: max(next(), 1),
            time: next(),
            administrator: identity(),
            text: certain(ContentReference(rosterLength: length, digest: digest)),
            signature: bytes(64)
        )
    }

    /// A response that fits the largest datagram whole.
    mutating func response(to operation: OperationCode) -> Response {
        if next() % 8 == 0 { return .retry }
        switch operation {
        case .ping:
            let endpoints = (0..<number(0...20)).map { _ in endpoint() }
            return .pong(
                observed: endpoint(),
                endpoints: endpoints,
                view: chance() ? view() : nil,
                roster: chance() ? pick([RosterMark.none, rosterMark()]) : nil
            )
        case .findNode: return .nodes(contacts())
        case .findValue:
            let records = (0..<number(0...2)).map { _ in record(value: 0...100) }
            let total = UInt16(min(records.count + number(0...70_000), 65_535))
            return .values(records, total: total, closer: contacts(0...4))
        case .store: return storeResponse()
        case .passOn: return writeResponse(number(0...3))
        case .findChunk: return chance() ? .absent : .chunk(bytes(number(1...1000)))
        case .findRoster: return chance() ? .absent : .roster(rosterHead())
        case .join:
            let administrators = (0..<number(1...6)).map { _ in identity() }
            let welcome = Welcome(networkKey: bytes(32), name: "n", administrators: administrators)
            return .welcome(welcome.encoded)
        }
    }

    private mutating func view() -> Response.View {
        let (ago, roundTrip) = (next() >> 32, next() >> 32)
        return Response.View(
            clock: next() >> 16,
            state: pick([nil, .good, .questionable, .bad]),
            lastAnswered: pick([nil, .seconds(min(ago, 1 << 32 - 2))]),
            roundTrip: pick([nil, .microseconds(max(roundTrip, 1))])
        )
    }

    private mutating func storeResponse() -> Response {
        let kind = number(0...4)
        return kind < 4 ? writeResponse(kind) : .wanted(held: UInt32(truncatingIfNeeded: next()))
    }

    private mutating func writeResponse(_ kind: Int) -> Response {
        switch kind {
        case 0:
            let closest = (0..<number(0...7)).map { _ in UInt32(number(1...Int(UInt32.max))) }
            let hider = Response.Receipt.Hider.place(UInt32(number(1...Int(UInt32.max))))
            let lifetime = UInt32(truncatingIfNeeded: next())
            return .stored(.init(lifetime: lifetime, hiddenBy: chance() ? hider : nil, closest: closest))
        case 1: return .conflict(chance() ? record() : nil)
        case 2: return .refused(.clock(unixMilliseconds: next()))
        default: return .refused(pick([.quota, .expired, .denied, .unavailable]))
        }
    }
}
