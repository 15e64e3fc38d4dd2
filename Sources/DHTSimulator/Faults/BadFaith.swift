import DHTCore
import DHTEngine

// Promises to honest members, whatever hostile ones do.

extension DHTEngine.Operation {
    /// Longest that it may take where nothing is amiss but that some members lie; `nil`: as long as it likes.
    /// `get`: a get; `put`: a put, and what its value takes.
    func patience(get: Interval, put: Interval) -> Interval? {
        switch self {
        case .get: get
        case .delete: .seconds(75)
        case .put(let operation): put + Self.transport(of: operation.content.map(\.bytes.count) ?? 0)
        case .fetch(let record, _), .read(let record, _):
            .seconds(60) + Self.transport(of: Int(record.reference?.length ?? 0))
        case .ping, .trace, .leave: nil
        }
    }

    /// Time that reading a long value may take besides, over lines as bad as they get: 1,000 bytes a second.
    var readingTime: Interval {
        guard case .fetch(let record, _) = self else { return .milliseconds(0) }
        return .milliseconds(UInt64(record.reference?.length ?? 0))
    }

    /// At 16 KiB a second.
    private static func transport(of bytes: Int) -> Interval { .milliseconds(UInt64(bytes) * 1000 / 16_384) }
}

/// How often nodes gave others the same record.
struct Gifts {
    /// As often one node may give another one record within the life of a short world: who says that it lost
    /// everything is given it ever more seldom.
    static let limit = 16
    /// One that refers to content: its receiver is asked as long as it is believed to bring that.
    static let longLimit = 512

    private struct Gift: Hashable {
        let giver: Int
        let receiver: Int
        let digest: Digest
    }

    private var counts: [Gift: Int] = [:]
    private(set) var most = 0

    /// Once more; tells how often it was then.
    mutating func record(_ digest: Digest, from giver: Int, to receiver: Int) -> Int {
        let gift = Gift(giver: giver, receiver: receiver, digest: digest)
        let count = counts[gift, default: 0] + 1
        counts[gift] = count
        most = max(most, count)
        return count
    }
}

/// Wrong chunks of content that were given to those who asked.
struct Spoils {
    /// So often a node may ask for one chunk of one who gives none but wrong ones, between two starts and
    /// within ``ContentLiars/memory``: once, and again when the answer was lost or has been forgotten, or
    /// when the rest of the piece did not come in time, so that nobody could tell.
    static let limit = 6

    struct Spoil: Hashable {
        let content: Digest
        let part: ContentPart
        let chunk: UInt8
        let by: Identity
        let to: Identity
    }

    /// The requests for it: one that is sent again, because an answer was lost, is the same, whatever else
    /// was asked meanwhile.
    private var asked: [Spoil: Set<UInt64>] = [:]
    private(set) var total = 0
    /// The one given most often, and how often.
    private(set) var most: (spoil: Spoil, count: Int)?

    mutating func record(_ spoil: Spoil, transaction: UInt64) {
        total += 1
        guard asked[spoil, default: []].insert(transaction).inserted else { return }
        let count = asked[spoil]?.count ?? 0
        if count > most?.count ?? 0 { most = (spoil, count) }
    }

    /// This node, or if `nil` every node, has forgotten who lied.
    mutating func forget(_ victim: Identity?) {
        asked = asked.filter { victim != nil && $0.key.to != victim }
    }
}

extension World {
    /// A member that gives wrong pieces is not asked for the same ones over and over.
    func inspectSpoils() {
        guard let (spoil, count) = collusion.spoils.most, count > Spoils.limit else { return }
        let (liar, victim) = (byIdentity[spoil.by] ?? -1, byIdentity[spoil.to] ?? -1)
        guard nodes.indices.contains(victim), nodes[victim].isHonest else { return }
        violate("bounds", "n\(victim) asked n\(liar) \(count) times for a chunk that was wrong each time")
    }

    /// Nobody is given a record over and over.
    func countGift(_ datagram: [UInt8], from node: SimulatedNode, to receiver: SimulatedNode) {
        guard node.isHonest, let record = StandInGate.gift(in: datagram) else { return }
        let limit = record.reference == nil ? Gifts.limit : Gifts.longLimit
        if gifts.record(record.digest, from: node.index, to: receiver.index) == limit + 1 {
            violate("bounds", "n\(node.index) gave n\(receiver.index) one record more than \(limit) times")
        }
    }

    /// Of the nodes that run, the honest ones closest to itself are known to every honest one.
    func inspectHonestNeighbours() {
        for node in nodes where node.isHonest {
            guard let machine = node.machine else { continue }
            let honest = nodes.filter { $0 !== node && $0.isUp && $0.isHonest }
            let closest = honest.sorted { $0.id.distance(to: node.id) < $1.id.distance(to: node.id) }
            let known = Set(machine.table.contacts.map(\.contact.identity))
            for other in closest.prefix(plan.settings.replicas) where !known.contains(other.identity) {
                violate(
                    "table",
                    "n\(node.index) does not know n\(other.index), one of the closest honest ones"
                )
            }
        }
    }

    /// Sums of the counters of all honest nodes that run, by name.
    var counters: [String: UInt64] {
        nodes.lazy.filter(\.isHonest).compactMap(\.machine).reduce(into: [:]) { sums, machine in
            for (name, count) in machine.counters.named { sums[name, default: 0] += count }
            for entry in machine.core.conduct.report {
                sums[entry.offence.rawValue, default: 0] += entry.count
            }
        }
    }
}

extension Workload {
    /// A reference to content of which its author serves nothing but the outline.
    func promise(from node: SimulatedNode) {
        let reference = world.collusion.promise(using: &chance)
        var put = DHTEngine.Operation.Put(
            key: Array("promise \(chance.next())".utf8),
            value: reference.encoded,
            lifetime: 3600
        )
        put.kind = .reference
        world.submit(.put(put), at: node) { _ in }
    }

    /// Every honest one of the nodes closest to a short value has it, 20 minutes after the last write.
    func countHonestCopies() {
        guard let reader = someone() else { return }
        for key in history.keys {
            for write in history.newest(of: key)
            where write.record.reference == nil && isLasting(write, of: key, for: reader) {
                let location = write.record.location
                let closest = world.nodes.filter(\.isUp).sorted {
                    $0.id.distance(to: location) < $1.id.distance(to: location)
                }
                let wanted = closest.prefix(world.plan.settings.replicas).filter(\.isHonest).map(\.index)
                let lacking = Set(wanted).subtracting(world.copyLedger.holders(of: write.record)).sorted()
                guard !lacking.isEmpty else { continue }
                let places = lacking.map { "n\($0)" }
                world.violate(
                    "replication",
                    "key \(key): honest ones that lack it: \(places)"
                )
            }
        }
    }
}
