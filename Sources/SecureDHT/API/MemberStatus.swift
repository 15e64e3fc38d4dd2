import DHTCore
import DHTEngine
import DHTEnvelope
import FoundationEssentials

/// A member as a node knows it: by its own lists or by the roster.
public struct MemberStatus: Hashable, Sendable {
    /// The public key.
    public let identity: Identity
    /// The name that the lists give it.
    public let name: String
    /// How it answered lately; `good` of this node itself.
    public let state: PeerStatus.State
    /// The serial of the roster it said it holds, 0: none; `nil`: it did not say.
    public let serial: UInt64?
    /// Tells that roster from another of its serial.
    package private(set) var stamp: UInt32?
    /// Since when it says so.
    public let since: Date?
    /// Whether records it signs are kept and read.
    public let mayWrite: Bool

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        identity: Identity,
        name: String,
        state: PeerStatus.State,
        serial: UInt64?,
        since: Date? = nil,
        mayWrite: Bool = true
    ) {
        (self.identity, self.name, self.state) = (identity, name, state)
        (self.serial, self.since, self.mayWrite) = (serial, since, mayWrite)
    }

    init(_ member: Allowlist.Member, state: PeerStatus.State, mark: RosterMark?, since: Date?) {
        self.init(
            identity: member.identity,
            name: member.name,
            state: state,
            serial: mark?.serial,
            since: since,
            mayWrite: member.mayWrite
        )
        stamp = mark?.stamp
    }

    /// Whether it said that it holds this very roster.
    func holds(_ mark: RosterMark) -> Bool { serial == mark.serial && stamp == mark.stamp }
}

/// A change of who is a member, as one node saw it.
public struct MembershipChange: Hashable, Sendable {
    /// Members that were not before.
    public let admitted: [Allowlist.Member]
    /// Members that are no longer.
    public let removed: [Allowlist.Member]
    /// The serial of the roster that counts now; `nil`: none does.
    public let serial: UInt64?

    init(from before: Allowlist?, to after: Allowlist?, serial: UInt64?) {
        let (before, after) = (before?.members ?? [], after?.members ?? [])
        let (old, new) = (Set(before.map(\.identity)), Set(after.map(\.identity)))
        admitted = after.filter { !old.contains($0.identity) }
        removed = before.filter { !new.contains($0.identity) }
        self.serial = serial
    }
}

/// How far a roster has come.
public struct RosterSpread: Hashable, Sendable {
    /// The serial of the roster that counts here by now.
    public let serial: UInt64
    /// Whether that is another than the one that was published: somebody else signed a newer one.
    public let isOvertaken: Bool
    /// Members that hold the one that counts here; this node counts.
    public let reached: Int
    /// Members, this node counted.
    public let total: Int
    /// Names of members that answer, and hold none, or another.
    public let behind: [String]
    /// Names of members that do not answer: they get it with their first exchange with anybody who has it.
    public let absent: [String]
    /// Since it was asked.
    public let duration: Duration

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        serial: UInt64,
        isOvertaken: Bool = false,
        reached: Int,
        total: Int,
        behind: [String] = [],
        absent: [String] = [],
        duration: Duration = .zero
    ) {
        self.isOvertaken = isOvertaken
        (self.serial, self.reached, self.total) = (serial, reached, total)
        (self.behind, self.absent, self.duration) = (behind, absent, duration)
    }
}

/// A node's knowledge of rosters.
public struct RosterStatus: Hashable, Sendable {
    /// The serial of the one that counts here; 0: none does.
    public let serial: UInt64
    /// When it was signed, by the clock of who did.
    public let signed: Date?
    /// Those who may sign the next one.
    public let administrators: [Identity]
    /// A newer one that others hold and this node could not get.
    public let missing: Missing?
    /// Administrators who signed two rosters of one serial, if any: the evidence is beside the roster's file.
    public let conflict: [Identity]
    /// Why the one that counts is not on the disk, though it ought to be: it is tried again. `nil`: it is.
    public let unwritten: String?

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        serial: UInt64 = 0,
        signed: Date? = nil,
        administrators: [Identity] = [],
        missing: Missing? = nil,
        conflict: [Identity] = [],
        unwritten: String? = nil
    ) {
        self.unwritten = unwritten
        (self.serial, self.signed, self.administrators) = (serial, signed, administrators)
        (self.missing, self.conflict) = (missing, conflict)
    }

    /// A roster that others hold and this node does not.
    public struct Missing: Hashable, Sendable {
        /// Why a node does not have what others have. There may be more one day.
        public struct Reason: RawRepresentable, Hashable, Sendable, Codable {
            /// Nobody who has it gave it yet.
            public static let silent = Reason(rawValue: "silent")
            /// Nobody signed it whom this node takes for an administrator.
            public static let unsigned = Reason(rawValue: "unsigned")
            /// Its text is no list that this version reads.
            public static let unreadable = Reason(rawValue: "unreadable")

            /// The name of the reason.
            public let rawValue: String

            /// The reason of a name.
            public init(rawValue: String) { self.rawValue = rawValue }

            init(_ reason: MissingRoster.Reason) {
                switch reason {
                case .silent: self = .silent
                case .unsigned: self = .unsigned
                case .unreadable: self = .unreadable
                }
            }
        }

        /// Its serial.
        public let serial: UInt64
        /// When somebody first said that it is there.
        public let since: Date
        /// Why this node has not got it.
        public let reason: Reason

        /// Made by a node; here so that programs can test what they do with one.
        public init(serial: UInt64, since: Date, reason: Reason) {
            (self.serial, self.since, self.reason) = (serial, since, reason)
        }
    }
}
