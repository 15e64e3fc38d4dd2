@testable import DHTCore

extension Record {
    /// A record laid out as `docs/protocol.md`, section 8, has it, unsigned: the core trusts who made it.
    ///
    /// Its key is one byte, and its location the id that begins with that byte. `revision` is in seconds.
    static func sample(
        at location: UInt8 = 1,
        by author: UInt64 = 1,
        revision: UInt64 = 1,
        lifetime: UInt32 = 3600,
        value: [UInt8] = [],
        kind: Kind = .value
    ) -> Record {
        var bytes: [UInt8] = [RecordLayout.version, kind.rawValue, 1, location]
        Identity.numbered(author).append(to: &bytes)
        bytes.appendBigEndian(revision * 1000 << 16)
        bytes.appendBigEndian(lifetime)
        bytes.appendBigEndian(UInt16(value.count))
        bytes.append(contentsOf: value)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: RecordLayout.signatureLength))
        var digest = [UInt8](repeating: 0, count: 24)
        digest.appendBigEndian(bytes.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
        guard let digest = Digest(digest) else { preconditionFailure("24 and 8 bytes are 32 bytes") }
        return Record(checkedBytes: bytes, location: NodeID(firstByte: location), digest: digest)
    }
}

/// Both clocks, that many seconds after their common origin.
func now(_ seconds: UInt64) -> Now { Now(instant: at(seconds), unixMilliseconds: seconds * 1000) }

extension KademliaNode {
    /// The node whose id begins with `firstByte`, and whose identity has the same number.
    static func at(_ firstByte: UInt8, settings: Settings = Settings()) -> KademliaNode {
        KademliaNode(
            identity: .numbered(UInt64(firstByte)),
            id: NodeID(firstByte: firstByte),
            settings: settings,
            generator: SplitMix64(seed: UInt64(firstByte))
        )
    }
}

/// A node and the actions its last event brought: a test reads as a transcript of both.
struct Transcript {
    var node: KademliaNode
    /// Of the last event.
    private(set) var actions: [KademliaAction] = []

    init(_ node: KademliaNode) { self.node = node }

    mutating func on(_ event: (inout KademliaNode, inout [KademliaAction]) -> Void) {
        actions = []
        event(&node, &actions)
    }

    /// The requests the last event brought, with whom they are for.
    var requests: [(call: CallID, contact: Contact, request: Request)] {
        actions.compactMap { action in
            if case .call(let call, let contact, let request, _) = action {
                (call, contact, request)
            } else {
                nil
            }
        }
    }

    /// The places of those who were asked, in the order of asking.
    var asked: [UInt8] { requests.map(\.contact).places }

    var replies: [Response] {
        actions.compactMap { action in if case .reply(_, let response) = action { response } else { nil } }
    }

    var outcomes: [KademliaOutcome] {
        actions.compactMap { action in if case .finished(_, let outcome) = action { outcome } else { nil } }
    }

    var tickets: [Ticket] {
        actions.compactMap { action in
            switch action {
            case .load(let ticket, _, _), .apply(let ticket, _): ticket
            default: nil
            }
        }
    }

    /// Enters contacts as if each had answered a greeting.
    mutating func meet(_ places: UInt8..., at seconds: UInt64 = 0) {
        for place in places { _ = node.table.answered(.at(place), at: DHTCoreTests.at(seconds)) }
        node.membership.join = .done
    }
}
