import DHTCore
import FoundationEssentials

/// A datagram that was turned away without an answer.
public struct RejectedDatagram: Hashable, Sendable {
    /// One up each time since the node started, from 0.
    public let number: UInt64
    /// When it came.
    public let time: Date
    /// The step that it did not pass.
    public let reason: NodeStatus.Rejection.Reason
    /// Where it came from, as it says: nobody proved it.
    public let source: Endpoint

    /// Made by a node; here so that programs can test what they do with one.
    public init(number: UInt64, time: Date, reason: NodeStatus.Rejection.Reason, source: Endpoint) {
        (self.number, self.time, self.reason, self.source) = (number, time, reason, source)
    }
}

/// A sender whose datagrams the network key opens, and whom the allowlist does not name. Its identity is not
/// proved.
public struct Knocker: Hashable, Sendable {
    /// The public key it claims to have.
    public let identity: Identity
    /// Where the last datagram came from.
    public let address: Endpoint
    /// Datagrams.
    public let count: UInt64
    /// When the last came.
    public let last: Date

    /// Made by a node; here so that programs can test what they do with one.
    public init(identity: Identity, address: Endpoint, count: UInt64, last: Date) {
        (self.identity, self.address, self.count, self.last) = (identity, address, count, last)
    }
}

/// A member that did something no honest one does: a hint for the operator, and no proof.
public struct Suspect: Hashable, Sendable {
    /// A deed of a member. There may be more one day; `docs/operations.md` says what to make of each.
    public struct Offence: RawRepresentable, Hashable, Sendable, Codable {
        /// It says that it wants content of ours, and does not fetch it.
        public static let wantsInVain = Offence(rawValue: "wants-in-vain")
        /// It offered a record whose content it then did not deliver.
        public static let undeliveredContent = Offence(rawValue: "undelivered-content")
        /// It gave a part of content that is not what it must be.
        public static let brokenContent = Offence(rawValue: "broken-content")
        /// It lost, over and over, the records it said it keeps.
        public static let lostOverAndOver = Offence(rawValue: "lost-over-and-over")
        /// It named contacts that nobody can send to.
        public static let unusableContacts = Offence(rawValue: "unusable-contacts")
        /// It answered with records that were not signed, or not asked for.
        public static let struckOut = Offence(rawValue: "struck-out")
        /// Two processes run with its key at the same time.
        public static let twoProcesses = Offence(rawValue: "two-processes")

        /// The name of the offence.
        public let rawValue: String

        /// The offence of a name.
        public init(rawValue: String) { self.rawValue = rawValue }
    }

    /// The public key of the member.
    public let identity: Identity
    /// The name the allowlist gives it, if any.
    public let name: String?
    /// The deed.
    public let offence: Offence
    /// How often.
    public let count: UInt64
    /// When it last did.
    public let last: Date

    /// Made by a node; here so that programs can test what they do with one.
    public init(identity: Identity, name: String?, offence: Offence, count: UInt64, last: Date) {
        (self.identity, self.name, self.offence) = (identity, name, offence)
        (self.count, self.last) = (count, last)
    }
}

/// A peer as a node knows it: a member of the allowlist, or a contact in the routing table.
public struct PeerStatus: Hashable, Sendable {
    /// How a peer answered lately.
    public enum State: String, Hashable, Sendable, Codable {
        /// Answered its last request.
        case good
        /// Missed one.
        case questionable
        /// Missed several in a row.
        case bad
        /// Admitted, never heard from.
        case unknown
    }

    /// The public key of the peer.
    public let identity: Identity
    /// The name the allowlist gives it, if any.
    public let name: String?
    /// Where it is; of one never heard from, where the operator says that it is.
    public let address: Endpoint?
    /// How it answered lately.
    public let state: State
    /// Smoothed; `nil` if it never answered.
    public let roundTrip: Duration?
    /// When it last did; `nil` if it never did within a day.
    public let lastAnswered: Date?
    /// The address that the operator's list or `--peer` names, if it is one of numbers.
    public let listedAddress: Endpoint?
    /// Its clock minus ours when it was last asked for a sign of life, as it says; `nil` before.
    public let clockDifference: Duration?
    /// This node as the peer sees it, by its last sign of life; `nil` before.
    public let view: View?
    /// The serial of the roster that it says it holds, 0: none; `nil`: it did not say.
    public let rosterSerial: UInt64?
    /// Since when it says so.
    public let rosterSince: Date?

    /// How a peer sees this node.
    public struct View: Hashable, Sendable {
        /// How this node answered it lately.
        public let state: State
        /// When this node last answered it; `nil` if it never did.
        public let lastAnswered: Date?
        /// The peer's smoothed round trip to this node; `nil` if there was none.
        public let roundTrip: Duration?
        /// When the peer said so.
        public let taken: Date

        /// Made by a node; here so that programs can test what they do with one.
        public init(state: State, lastAnswered: Date?, roundTrip: Duration?, taken: Date) {
            (self.state, self.lastAnswered) = (state, lastAnswered)
            (self.roundTrip, self.taken) = (roundTrip, taken)
        }
    }

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        identity: Identity,
        name: String?,
        address: Endpoint?,
        state: State,
        roundTrip: Duration?,
        lastAnswered: Date? = nil,
        listedAddress: Endpoint? = nil,
        clockDifference: Duration? = nil,
        view: View? = nil,
        rosterSerial: UInt64? = nil,
        rosterSince: Date? = nil
    ) {
        (self.identity, self.name, self.address) = (identity, name, address)
        (self.state, self.roundTrip, self.lastAnswered) = (state, roundTrip, lastAnswered)
        (self.listedAddress, self.clockDifference, self.view) = (listedAddress, clockDifference, view)
        (self.rosterSerial, self.rosterSince) = (rosterSerial, rosterSince)
    }
}
