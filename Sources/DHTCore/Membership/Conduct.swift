/// Offences of members, which no honest one commits, for the operator's eyes.
///
/// A count is no verdict: it bounds nothing by itself. The bound on each offence stands where the offence is
/// met.
package struct Conduct: Sendable {
    /// Names are shown by `dht status`, and in the log when one is first seen.
    package enum Offence: String, CaseIterable, Hashable, Sendable {
        /// Says that it wants content of ours, and does not fetch it.
        case wantsInVain = "wants-in-vain"
        /// Offered a record whose content it then did not deliver.
        case undeliveredContent = "undelivered-content"
        /// Gave a part of content that is not what it must be.
        case brokenContent = "broken-content"
        /// Lost, over and over, the records it said it keeps.
        case lostOverAndOver = "lost-over-and-over"
        /// Named contacts that nobody can send to.
        case unusableContacts = "unusable-contacts"
        /// Answered with what it had no right to put there: records not signed, or not asked for.
        case struckOut = "struck-out"
        /// Two processes run with its key at the same time.
        case twoProcesses = "two-processes"
    }

    /// One member's offences of one kind.
    package struct Entry: Hashable, Sendable {
        package let identity: Identity
        package let offence: Offence
        package internal(set) var count: UInt64
        package internal(set) var last: Instant
    }

    private struct Key: Hashable {
        let identity: Identity
        let offence: Offence
    }

    /// Entries kept; the one that was seen least lately makes room.
    package static let capacity = 512

    private var entries: [Key: Entry] = [:]
    /// Entries that are new since ``takeNews()``.
    private var news: [Entry] = []

    package init() {}

    package var count: Int { entries.count }

    /// A member committed the offence, so many times.
    package mutating func record(
        _ offence: Offence,
        of identity: Identity,
        times: UInt64 = 1,
        at now: Instant
    ) {
        let key = Key(identity: identity, offence: offence)
        if var entry = entries[key] {
            entry.count &+= times
            entry.last = now
            entries[key] = entry
            return
        }
        if entries.count >= Self.capacity { forgetOldest() }
        let entry = Entry(identity: identity, offence: offence, count: times, last: now)
        entries[key] = entry
        if news.count < Self.capacity { news.append(entry) }
    }

    /// Members that are no longer admitted are forgotten.
    package mutating func forget(where isGone: (Identity) -> Bool) {
        entries = entries.filter { !isGone($0.key.identity) }
        news.removeAll { isGone($0.identity) }
    }

    package var hasNews: Bool { !news.isEmpty }

    /// Entries made since the last call, in the order in which they were made.
    package mutating func takeNews() -> [Entry] {
        defer { news = [] }
        return news
    }

    /// All entries, the most frequent first.
    package var report: [Entry] {
        entries.values.sorted {
            ($1.count, $0.identity, $0.offence.rawValue) < ($0.count, $1.identity, $1.offence.rawValue)
        }
    }

    private mutating func forgetOldest() {
        let oldest = entries.min {
            ($0.value.last, $0.key.identity, $0.key.offence.rawValue)
                < ($1.value.last, $1.key.identity, $1.key.offence.rawValue)
        }
        if let oldest { entries[oldest.key] = nil }
    }
}

extension KademliaNode {
    /// A member committed an offence.
    package mutating func record(_ offence: Conduct.Offence, of identity: Identity, at now: Instant) {
        conduct.record(offence, of: identity, at: now)
    }

    /// Offences of members first seen since the last call.
    package mutating func takeConductNews() -> [Conduct.Entry] { conduct.takeNews() }
}
