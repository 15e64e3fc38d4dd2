import DHTCore
import FoundationEssentials

/// The state and the counters of a node.
public struct NodeStatus: Hashable, Sendable {
    /// The public key of the node.
    public let identity: Identity
    /// Its place in the key space.
    public let nodeID: NodeID
    /// As the configuration has it.
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
    /// Records kept here, those of others included.
    public let records: Int
    /// Bytes of them, long values included.
    public let recordBytes: Int
    /// The room that they take, and what there is.
    public let store: Store
    /// Datagrams dropped, by reason; every reason is present.
    public let rejected: [Rejection]
    /// Other counters, by name, in a fixed order: `docs/operations.md` lists them.
    public let counters: [Counter]
    /// Requests and how long they took, one entry an operation of the protocol, in a fixed order.
    public let rpcs: [RPC]
    /// Members that did what no honest one does, the most frequent first.
    public let suspects: [Suspect]
    /// Why records are not kept on the disk, in words; `nil` as long as they are, or are in memory.
    public let storeProblem: String?
    /// Faults of the node. Empty: none.
    public let complaints: [Complaint]
    /// Senders that ask in vain, the last first.
    public let knocking: [Knocker]
    /// The network key's, as ``NetworkSecret/fingerprint``.
    public let network: String
    /// Own values that are kept alive.
    public let kept: Kept
    /// Since the node started.
    public let uptime: Duration
    /// Its knowledge of rosters.
    public let roster: RosterStatus

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        identity: Identity,
        nodeID: NodeID,
        name: String? = nil,
        addresses: [Endpoint] = [],
        buckets: [Bucket] = [],
        members: Int? = nil,
        peersKnown: Int = 0,
        peersUp: Int = 0,
        records: Int = 0,
        recordBytes: Int = 0,
        store: Store = Store(live: 0, limit: 0),
        rejected: [Rejection] = [],
        counters: [Counter] = [],
        rpcs: [RPC] = [],
        suspects: [Suspect] = [],
        storeProblem: String? = nil,
        complaints: [Complaint] = [],
        knocking: [Knocker] = [],
        network: String = "",
        kept: Kept = Kept(),
        uptime: Duration = .zero,
        roster: RosterStatus = RosterStatus()
    ) {
        (self.identity, self.nodeID, self.name) = (identity, nodeID, name)
        (self.addresses, self.buckets, self.members) = (addresses, buckets, members)
        (self.peersKnown, self.peersUp) = (peersKnown, peersUp)
        (self.records, self.recordBytes, self.store) = (records, recordBytes, store)
        (self.rejected, self.counters, self.suspects) = (rejected, counters, suspects)
        self.rpcs = rpcs
        (self.storeProblem, self.complaints, self.knocking) = (storeProblem, complaints, knocking)
        (self.network, self.kept, self.uptime) = (network, kept, uptime)
        self.roster = roster
    }

    /// Bytes of the store.
    public struct Store: Hashable, Sendable {
        /// Of records and long values; at ``limit`` the store is full.
        public let live: Int
        /// Of the database's files; `nil` if it is in memory, or cannot be looked at.
        public let onDisk: Int?
        /// Of these, unused ones: they are used again, or given back to the system.
        public let free: Int?
        /// Bytes: ``NodeConfiguration/Limits/recordBytes``.
        public let limit: Int

        /// Made by a node; here so that programs can test what they do with one.
        public init(live: Int, onDisk: Int? = nil, free: Int? = nil, limit: Int) {
            (self.live, self.onDisk, self.free, self.limit) = (live, onDisk, free, limit)
        }
    }

    /// How many own values are kept alive.
    public struct Kept: Hashable, Sendable {
        /// All that are kept alive at this moment.
        public let count: Int
        /// Those of them that could not be renewed when they were last due.
        public let failing: Int
        /// Those kept no more without anybody's wish, since the node started.
        public let stopped: Int

        /// Made by a node; here so that programs can test what they do with one.
        public init(count: Int = 0, failing: Int = 0, stopped: Int = 0) {
            (self.count, self.failing, self.stopped) = (count, failing, stopped)
        }
    }

    /// The contacts that share a number of leading id bits with us.
    public struct Bucket: Hashable, Sendable {
        /// Bits shared: 0…159.
        public let index: Int
        /// Contacts: 1…8.
        public let count: Int

        /// Made by a node; here so that programs can test what they do with one.
        public init(index: Int, count: Int) { (self.index, self.count) = (index, count) }
    }

    /// The datagrams dropped for one reason.
    public struct Rejection: Hashable, Sendable {
        /// Why a datagram is dropped without an answer: the step of `docs/protocol.md`, section 4, that it
        /// did not pass. There may be more one day.
        public struct Reason: RawRepresentable, Hashable, Sendable, Codable {
            /// The length is none of the five.
            public static let length = Reason(rawValue: "length")
            /// The header does not open: meant for another node or network.
            public static let header = Reason(rawValue: "header")
            /// The version is another one.
            public static let version = Reason(rawValue: "version")
            /// It is neither request nor response.
            public static let kind = Reason(rawValue: "kind")
            /// It names this node as its sender.
            public static let `self` = Reason(rawValue: "self")
            /// The sender is not admitted.
            public static let admission = Reason(rawValue: "admission")
            /// It was seen before, or is too old to tell.
            public static let replay = Reason(rawValue: "replay")
            /// It answers nothing that is pending at that address.
            public static let unsolicited = Reason(rawValue: "unsolicited")
            /// It is for a box key that this node no longer has.
            public static let key = Reason(rawValue: "key")
            /// It is a first contact too many.
            public static let lane = Reason(rawValue: "lane")
            /// The box does not open.
            public static let box = Reason(rawValue: "box")
            /// The body is not what the protocol says.
            public static let malformed = Reason(rawValue: "malformed")
            /// It answers another operation than was asked.
            public static let mismatch = Reason(rawValue: "mismatch")
            /// It exceeds the budget of its sender.
            public static let budget = Reason(rawValue: "budget")
            /// The signature is not by the sender it names.
            public static let signature = Reason(rawValue: "signature")
            /// There is no room to remember one more peer, or one more request that waits for the store.
            public static let capacity = Reason(rawValue: "capacity")
            /// It stores a record with a bad signature.
            public static let record = Reason(rawValue: "record")

            /// The name of the reason.
            public let rawValue: String

            /// The reason of a name.
            public init(rawValue: String) { self.rawValue = rawValue }
        }

        /// The step that they did not pass.
        public let reason: Reason
        /// Datagrams since the node started.
        public let count: UInt64
        /// Where the last of them came from, as it says: nobody proved it. `nil` if none came.
        public let lastSource: Endpoint?
        /// When the last came.
        public let last: Date?

        /// Made by a node; here so that programs can test what they do with one.
        public init(reason: Reason, count: UInt64, lastSource: Endpoint? = nil, last: Date? = nil) {
            (self.reason, self.count, self.lastSource, self.last) = (reason, count, lastSource, last)
        }
    }

    /// A counter that is no rejection.
    public struct Counter: Hashable, Sendable {
        /// The name of the metric: `retransmissions`.
        public let name: String
        /// Since the node started; of `under_replicated`, now.
        public let count: UInt64

        /// Made by a node; here so that programs can test what they do with one.
        public init(name: String, count: UInt64) { (self.name, self.count) = (name, count) }
    }

    /// The requests of one operation of the protocol since the node started.
    public struct RPC: Hashable, Sendable {
        /// How many requests took how long.
        public struct Bucket: Hashable, Sendable {
            /// The longest duration that counts here, and not in an earlier bucket; `nil`: any.
            public let limit: Duration?
            /// Requests.
            public let count: UInt64

            /// Made by a node; here so that programs can test what they do with one.
            public init(limit: Duration?, count: UInt64) { (self.limit, self.count) = (limit, count) }
        }

        /// `ping`, `find_node`, `find_value`, `store`, `find_chunk` or `pass_on`.
        public let operation: String
        /// Requests that this node began.
        public let outbound: UInt64
        /// Requests of others that were accepted.
        public let inbound: UInt64
        /// Those begun here that were answered.
        public let answered: UInt64
        /// Those begun here that were given up.
        public let timedOut: UInt64
        /// Those answered, by how long that took: shortest first, 16 with limits from 0.5 ms to 60 s, and one
        /// without.
        public let durations: [Bucket]

        /// Made by a node; here so that programs can test what they do with one.
        public init(
            operation: String,
            outbound: UInt64 = 0,
            inbound: UInt64 = 0,
            answered: UInt64 = 0,
            timedOut: UInt64 = 0,
            durations: [Bucket] = []
        ) {
            (self.operation, self.outbound, self.inbound) = (operation, outbound, inbound)
            (self.answered, self.timedOut, self.durations) = (answered, timedOut, durations)
        }
    }

    /// A fault of the node, for its operator.
    public struct Complaint: Hashable, Sendable, CustomStringConvertible {
        /// There may be more one day.
        public struct Kind: RawRepresentable, Hashable, Sendable, Codable {
            /// Nobody answers.
            public static let isolated = Kind(rawValue: "isolated")
            /// Another process runs with this node's key.
            public static let twoProcesses = Kind(rawValue: "two-processes")
            /// An address to listen on is not open.
            public static let listen = Kind(rawValue: "listen")
            /// Members that can be reached by another address family alone.
            public static let family = Kind(rawValue: "family")
            /// Records are not kept on the disk.
            public static let disk = Kind(rawValue: "disk")

            /// All that are told of a node.
            static let all: Set<Kind> = [isolated, twoProcesses, listen, family, disk]

            /// The name of the kind.
            public let rawValue: String

            /// The kind of a name.
            public init(rawValue: String) { self.rawValue = rawValue }
        }

        /// The kind of fault, for programs.
        public let kind: Kind
        /// One sentence.
        public let text: String

        /// Made by a node; here so that programs can test what they do with one.
        public init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }

        /// `isolated: none of 19 members answers`.
        public var description: String { "\(kind.rawValue): \(text)" }
    }
}
