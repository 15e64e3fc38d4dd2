import DHTCore
import DHTEnvelope

/// One event of ``RosterDesk``: what it may look at of the node, and what is to be done after it.
struct RosterTurn {
    /// A step that is to be done, in order.
    enum Step: Sendable {
        /// A request about rosters; ``RosterDesk/answered(_:by:isClear:_:_:)`` or ``RosterDesk/failed(_:_:)``
        /// tells how it went.
        case ask(CallID, Contact, Request)
        /// For the answer to a request nobody waits any more.
        case drop(CallID)
        /// Another roster counts from now on.
        case adopted(Roster)
        /// An administrator signed two rosters of one serial.
        case conflicting(RosterKeeper.Conflict)
    }

    let now: Instant
    let table: RoutingTable
    private(set) var steps: [Step] = []

    init(at now: Instant, table: RoutingTable) { (self.now, self.table) = (now, table) }

    mutating func take(_ step: Step) { steps.append(step) }
}

/// A roster that others hold and this node could not get.
package struct MissingRoster: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        /// Nobody who has it gave it yet.
        case silent
        /// Nobody signed it whom this node takes for an administrator.
        case unsigned
        /// Its text is no list.
        case unreadable
    }

    package let mark: RosterMark
    /// When somebody first said so.
    package let since: Instant
    package internal(set) var reason = Reason.silent
}

/// Counts of rosters so far.
package struct RosterCounters: Hashable, Sendable {
    /// Rosters that came to count, however they came.
    package var adopted: UInt64 = 0
    /// Texts that were fetched from others.
    package var fetched: UInt64 = 0
    /// Heads that nobody who may sign has signed.
    package var refused: UInt64 = 0
    /// Texts that an administrator signed, and that are no list.
    package var unreadable: UInt64 = 0
    /// PINGs that told of ours.
    package var told: UInt64 = 0
}
