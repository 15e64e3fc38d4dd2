import DHTCore
import DHTEnvelope

/// The engine's counts of events so far.
package struct Counters: Hashable, Sendable {
    /// Datagrams that arrived.
    package var received: UInt64 = 0
    /// Datagrams sent.
    package var transmitted: UInt64 = 0
    /// Requests accepted.
    package var inboundRequests: UInt64 = 0
    /// Responses accepted.
    package var answers: UInt64 = 0
    /// Requests that answered a challenge of ours.
    package var proofs: UInt64 = 0
    /// Requests sent again.
    package var retransmissions: UInt64 = 0
    /// Requests whose answers were late, so that others were asked in their stead.
    package var overdue: UInt64 = 0
    /// Requests given up.
    package var timeouts: UInt64 = 0
    /// Records and contacts taken out of responses whose senders had no right to put them there.
    package var struckOut: UInt64 = 0
    /// Counters of the work that keeps copies where they belong.
    package var replication = ReplicationCounters()
    /// Records thrown out for want of room.
    package var evictions: UInt64 = 0
    /// Chunks of content given to others, and got from them.
    package var chunksServed: UInt64 = 0
    package var chunksFetched: UInt64 = 0
    /// Times a peer was not believed that it wants content of ours.
    package var wantsDisbelieved: UInt64 = 0
    /// Content that was to be kept and was given up.
    package var contentAbandoned: UInt64 = 0
    /// Parts of content that were not what they must be, and such as took so long that others were asked.
    package var brokenParts: UInt64 = 0
    package var slowParts: UInt64 = 0
    /// Operations whose users wanted them no more.
    package var cancelled: UInt64 = 0
    /// Records, and parts of content, that the store turned out not to have any more.
    package var losses: UInt64 = 0
    /// Parts of content that the store was given again.
    package var mended: UInt64 = 0
    /// Counts of rosters.
    package var rosters = RosterCounters()
    /// Datagrams dropped, for each reason, in the order of checks.
    package private(set) var rejected = DropReason.allCases.map { Rejected(reason: $0) }

    /// The datagrams dropped for one reason.
    package struct Rejected: Hashable, Sendable {
        package let reason: DropReason
        package fileprivate(set) var count: UInt64 = 0
        /// Of the last of them, where it came from, which nobody proved.
        package fileprivate(set) var source: Endpoint?
        package fileprivate(set) var last: Instant?
    }

    package init() {}

    mutating func count(_ reason: DropReason, from source: Endpoint, at now: Instant) {
        rejected[reason.rawValue].count += 1
        (rejected[reason.rawValue].source, rejected[reason.rawValue].last) = (source, now)
    }

    /// A datagram that was dropped for this reason was for somebody else here.
    mutating func withdraw(_ reason: DropReason, from source: Endpoint) {
        rejected[reason.rawValue].count -= 1
        guard rejected[reason.rawValue].source == source else { return }
        (rejected[reason.rawValue].source, rejected[reason.rawValue].last) = (nil, nil)
    }

    /// Everything but the drops, by name, in a fixed order.
    package var named: [(name: String, count: UInt64)] {
        [
            ("received", received), ("transmitted", transmitted), ("inbound_requests", inboundRequests),
            ("answers", answers), ("proofs", proofs),
            ("overdue", overdue), ("retransmissions", retransmissions), ("timeouts", timeouts),
            ("struck_out", struckOut),
            ("repaired", replication.repaired), ("republished", replication.republished),
            ("handed_over", replication.handedOver), ("copies_refused", replication.failed),
            ("changes_overlooked", replication.overlooked), ("evicted", evictions),
            ("chunks_served", chunksServed), ("chunks_fetched", chunksFetched),
            ("wants_disbelieved", wantsDisbelieved), ("content_abandoned", contentAbandoned),
            ("parts_broken", brokenParts), ("parts_slow", slowParts), ("cancelled", cancelled),
            ("lost", losses), ("mended", mended),
            ("rosters_adopted", rosters.adopted), ("rosters_fetched", rosters.fetched),
            ("rosters_refused", rosters.refused), ("rosters_unreadable", rosters.unreadable),
            ("rosters_told", rosters.told),
        ]
    }
}
