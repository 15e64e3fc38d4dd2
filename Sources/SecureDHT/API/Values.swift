import DHTCore
import DHTEngine

public typealias Identity = DHTCore.Identity
public typealias NodeID = DHTCore.NodeID
public typealias Endpoint = DHTCore.Endpoint
public typealias Revision = DHTCore.Revision

/// How a value is to be written.
public struct PutOptions: Sendable {
    /// The condition under which a write happens. Best effort: each replica judges by the records it holds,
    /// and two writers at once may both be told yes.
    public enum Condition: Hashable, Sendable {
        /// Nobody's live value stands under the key.
        case absent
        /// The newest live record under the key has this revision.
        case revision(Revision)
    }

    /// Seconds until the value ends: 1…31,536,000.
    public var lifetime: UInt32 = 86_400
    public var condition: Condition?
    /// W: copies, our own included, without which the write counts as failed, 1…8. `nil`: as many as it
    /// takes for every read of 3 (``GetOptions/standardReplicas``) to see it: two fewer than nodes ought to
    /// have it, and two at least, if there is anybody else.
    public var minimumCopies: Int?
    /// Whether this node keeps the value alive for as long as it runs, also after a restart if it has a
    /// directory: it signs a new revision at half the lifetime, until the value is deleted or put without.
    public var isKept = false
    /// When the write began, if that was before its value was there.
    package var turn: WriteTurn?

    public init() {}

    /// Copies that will do, where `target` nodes ought to have one.
    func copies(of target: Int) -> Int {
        minimumCopies ?? max(target - GetOptions.standardReplicas + 1, min(target, 2))
    }
}

/// The place of a write among those of this node.
package struct WriteTurn: Hashable, Sendable {
    let id: OperationID
}

/// A value of ours that this node keeps alive: see ``PutOptions/isKept``.
public struct KeptValue: Hashable, Sendable {
    /// How a value stands.
    public enum State: Hashable, Sendable {
        /// Renewed in time.
        case kept
        /// Renewing it failed this often in a row; it is tried again.
        case failing(times: Int)
        /// Kept no more: this author wrote a newer value under the key.
        case superseded(by: Identity)
        /// Kept no more: its lifetime was over before it could be renewed.
        case ended
    }

    /// Seconds, 30 at least when it is put. The shortest lifetime of 16,384 values is 1,024 s, and of fewer
    /// as much less.
    public static let leastLifetime: UInt32 = RenewedValue.leastLifetime

    public let key: [UInt8]
    /// Seconds, of each revision.
    public let lifetime: UInt32
    /// The last one written.
    public let revision: Revision
    public let state: State

    /// When it was last written, in Unix milliseconds.
    public var renewed: UInt64 { revision.unixMilliseconds }
}

/// The outcome of a write that enough replicas took.
public struct PutReceipt: Hashable, Sendable {
    /// The answer of one replica.
    public struct Replica: Hashable, Sendable {
        public let identity: Identity
        /// `stored`, `conflict`, `quota`, `expired`, `clock`, `denied`, `unavailable` or `timeout`.
        public let outcome: String
    }

    public let revision: Revision
    /// Unix milliseconds.
    public let expires: UInt64
    /// Nodes that acknowledged, this one included if it is among the closest.
    public let stored: Int
    /// Nodes that ought to have a copy: 8, or as many as the overlay had within a day, this one included.
    public let target: Int
    public let replicas: [Replica]
    /// Whose value under the same key has a higher revision, so that readers of the newest see that one and
    /// not this: now, or as soon as their clocks are where its author's is. `nil`: nobody's, as far as two of
    /// those who stored it, or all of them, can tell.
    public let hiddenBy: Identity?
    /// `ipv4` or `ipv6`: members that have addresses of that family alone may read what stood there before.
    /// Too few of the nodes they ask took the value, because this node cannot reach them and no member that
    /// can passed it on, or because they did not answer. It goes on trying. Empty: all readers see the value.
    public let unreached: [String]
}

/// A value of more than 640 bytes on its way.
public struct Transfer: Hashable, Sendable {
    public enum Direction: String, Sendable {
        /// To its replicas.
        case sending
        /// Here.
        case receiving
    }

    public let key: [UInt8]
    public let direction: Direction
    /// Bytes that have arrived, at all replicas together.
    public let done: UInt64
    /// Bytes that are to arrive.
    public let total: UInt64
}

/// How a value is to be read.
public struct GetOptions: Sendable {
    /// Only this author's record.
    public var author: Identity?
    public static let standardReplicas = 3

    /// R: answers to compare, 1…8.
    public var replicas = standardReplicas
    /// d: disjoint paths of this read, 1…8, in place of ``NodeConfiguration/paths``.
    public var paths: Int?

    public init() {}

    /// Refuses what no node can do.
    func check() throws(DHTError) {
        guard (1...Kademlia.replicas).contains(replicas) else {
            throw DHTError(
                .invalidArgument,
                "replicas to ask are 1 to \(Kademlia.replicas), not \(replicas)"
            )
        }
        if let paths { try NodeConfiguration.check(paths: paths) }
    }
}

/// A value as its author signed it.
public struct StoredValue: Hashable, Sendable {
    public let key: [UInt8]
    public let value: [UInt8]
    public let author: Identity
    public let revision: Revision
    /// Unix milliseconds.
    public let expires: UInt64
    /// Nodes that returned this very record, this one included.
    public let copies: Int
}

/// The values that a read found, and how many nodes it asked.
public struct GetResult: Hashable, Sendable {
    /// Live values, newest first; at most one an author. Empty: not found.
    public let values: [StoredValue]
    /// Nodes that answered, this one included if it is among the closest.
    public let answered: Int
    /// Nodes that were asked.
    public let asked: Int
    /// There are others, and none of them answered: this is what this node has itself.
    public let isIsolated: Bool
    /// Seconds by which a record is ahead of this node's clock, if they are too many for it to be shown: the
    /// clock may be behind. `nil`: none was met.
    public let secondsAhead: UInt64?
}

/// The state and the counters of a node.
public struct NodeStatus: Hashable, Sendable {
    public let identity: Identity
    public let nodeID: NodeID
    public let name: String?
    /// Where it listens; ports are the real ones.
    public let addresses: [Endpoint]
    /// Contacts in the routing table, by bucket: the number of leading id bits shared with us.
    public let buckets: [Bucket]
    /// Members of the allowlist, ourselves not counted; `nil` in open mode.
    public let members: Int?
    /// Contacts in the routing table.
    public let peersKnown: Int
    /// Those of them that answered last time.
    public let peersUp: Int
    public let records: Int
    public let recordBytes: Int
    public let store: Store
    /// Datagrams dropped, by reason; every reason is present.
    public let rejected: [Rejection]
    /// Other counters, by name, in a fixed order.
    public let counters: [Counter]
    /// Members that did what no honest one does, the most frequent first.
    public let suspects: [Suspect]
    /// Why records are not kept on the disk, in words; `nil` as long as they are, or are in memory.
    public let storeProblem: String?
    /// Faults of the node, each a word and a sentence: `isolated: none of 19 members answers`, `disk: …`,
    /// `listen: …`. Empty: none.
    public let complaints: [String]
    /// Senders that ask in vain, the last first.
    public let knocking: [Knocker]
    /// The network key's, as ``NetworkSecret/fingerprint``.
    public let network: String
    /// Own values that are kept alive.
    public let kept: Kept
    /// Milliseconds since the node started.
    public let uptime: UInt64

    /// Bytes of the store.
    public struct Store: Hashable, Sendable {
        /// Of records and long values; at ``limit`` the store is full.
        public let live: Int
        /// Of the database's files; `nil` if it is in memory, or cannot be looked at.
        public let onDisk: Int?
        /// Of these, unused ones: they are used again, or given back to the system.
        public let free: Int?
        public let limit: Int
    }

    public struct Kept: Hashable, Sendable {
        public let count: Int
        /// Those of them that could not be renewed when they were last due.
        public let failing: Int
        /// Those kept no more without anybody's wish, since the node started.
        public let stopped: Int
    }
    public struct Bucket: Hashable, Sendable {
        public let index: Int
        public let count: Int
    }
    public struct Rejection: Hashable, Sendable {
        public let reason: String
        public let count: UInt64
    }
    public struct Counter: Hashable, Sendable {
        public let name: String
        public let count: UInt64
    }
}

/// A sender whose datagrams the network key opens, and whom the allowlist does not name. Its identity is not
/// proved.
public struct Knocker: Hashable, Sendable {
    public let identity: Identity
    /// Where the last datagram came from.
    public let address: Endpoint
    /// Datagrams.
    public let count: UInt64
    /// When the last came, in Unix milliseconds.
    public let last: UInt64
}

/// A member that did something no honest one does: a hint for the operator, and no proof.
public struct Suspect: Hashable, Sendable {
    public let identity: Identity
    /// The name the allowlist gives it, if any.
    public let name: String?
    /// The kind of offence: `docs/operations.md` lists them.
    public let offence: String
    /// How often.
    public let count: UInt64
    /// When it last did, in Unix milliseconds.
    public let last: UInt64
}

/// A peer as a node knows it: a member of the allowlist, or a contact in the routing table.
public struct PeerStatus: Hashable, Sendable {
    public enum State: String, Sendable {
        /// Answered its last request.
        case good
        /// Missed one.
        case questionable
        /// Missed several in a row.
        case bad
        /// Admitted, never heard from.
        case unknown
    }

    public let identity: Identity
    /// The name the allowlist gives it, if any.
    public let name: String?
    /// Where it is; of one never heard from, where the operator says that it is.
    public let address: Endpoint?
    public let state: State
    /// Smoothed round-trip time in microseconds.
    public let roundTrip: UInt64?
}
