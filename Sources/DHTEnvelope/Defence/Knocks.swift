import DHTCore

/// Senders that ask for admission in vain: each says that it is an identity which the list does not name.
///
/// Their datagrams open under the network key, so they are no strangers altogether; their identities are not
/// proved. A sender that is really a member forgotten on our list waits for an answer that never comes, and
/// only we can tell.
package struct Knocks: Sendable {
    package struct Knock: Hashable, Sendable {
        package let identity: Identity
        /// Where its last datagram came from.
        package var endpoint: Endpoint
        package var count: UInt64
        package var last: Instant
        /// When the knock was last to be told of.
        fileprivate var toldAt: Instant?
    }

    /// Identities remembered: whoever has the network key can invent any number.
    package static let capacity = 64
    /// An identity that was silent for so long makes room for another, and is news when it comes again.
    package static let memory = Interval.minutes(60)

    private var knocks: [Identity: Knock] = [:]
    /// No identity makes room before that: a flood of identities costs one look.
    private var fullUntil = Instant(nanoseconds: 0)
    /// Identities that are to be told of.
    private var news: [Identity] = []

    package init() {}

    package var hasNews: Bool { !news.isEmpty }

    /// All knocks, the last first.
    package var all: [Knock] {
        knocks.values.sorted { $0.last == $1.last ? $0.identity < $1.identity : $0.last > $1.last }
    }

    package mutating func record(_ identity: Identity, from endpoint: Endpoint, at now: Instant) {
        guard knocks[identity] != nil || makeRoom(at: now) else { return }
        var knock = knocks[identity] ?? Knock(identity: identity, endpoint: endpoint, count: 0, last: now)
        (knock.endpoint, knock.last) = (endpoint, now)
        knock.count += 1
        if knock.toldAt.map({ now.since($0) >= Self.memory }) ?? true {
            knock.toldAt = now
            news.append(identity)
        }
        knocks[identity] = knock
    }

    /// The knocks that are to be told of: each identity once an hour, as long as it knocks.
    package mutating func takeNews() -> [Knock] {
        defer { news = [] }
        return news.compactMap { knocks[$0] }
    }

    /// Identities that are admitted now are forgotten.
    package mutating func forget(where isAdmitted: (Identity) -> Bool) {
        for identity in knocks.keys where isAdmitted(identity) { drop(identity) }
    }

    private mutating func makeRoom(at now: Instant) -> Bool {
        if knocks.count < Self.capacity { return true }
        guard now >= fullUntil,
            let oldest = knocks.values.min(by: { ($0.last, $0.identity) < ($1.last, $1.identity) })
        else { return false }
        fullUntil = oldest.last + Self.memory
        guard now >= fullUntil else { return false }
        drop(oldest.identity)
        return true
    }

    private mutating func drop(_ identity: Identity) {
        knocks[identity] = nil
        news.removeAll { $0 == identity }
    }
}
