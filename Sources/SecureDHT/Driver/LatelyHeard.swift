import DHTCore
import DHTStorage

/// The peers that the overlay consisted of lately: those heard from within a day.
///
/// The copies that a write needs are measured against these, not against those that answer now: a node that
/// was cut off would else call one copy, its own, enough. The day ends when any peer was last heard from, so
/// that none is forgotten while none can be heard; and the list outlives the process.
struct LatelyHeard: Sendable {
    /// Milliseconds.
    static let memory: UInt64 = 24 * 60 * 60 * 1000
    static let capacity = 1024

    /// The contact of each peer, with the time it last answered.
    private var heard: [Identity: RememberedContact] = [:]

    init() {}

    /// `inherited`: what the process before wrote. The time between the two counts for nothing, since nobody
    /// could be heard.
    init(_ inherited: [RememberedContact], unixMilliseconds now: UInt64) {
        let newest = inherited.map(\.answered).max() ?? 0
        for contact in inherited {
            heard[contact.identity] = contact.answered(at: now -| (newest - contact.answered))
        }
    }

    /// Records contacts that answered. A time ahead of `now` becomes `now`: the clock may have been ahead.
    mutating func record(_ contacts: [RememberedContact], unixMilliseconds now: UInt64) {
        for contact in contacts { heard[contact.identity] = contact }
        for (identity, contact) in heard where contact.answered > now {
            heard[identity] = contact.answered(at: now)
        }
        let newest = heard.values.map(\.answered).max() ?? 0
        heard = heard.filter { newest - $0.value.answered <= Self.memory }
        guard heard.count > Self.capacity else { return }
        let kept = contactsByAge.prefix(Self.capacity).map { ($0.identity, $0) }
        heard = Dictionary(uniqueKeysWithValues: kept)
    }

    /// Those first that answered last.
    var contactsByAge: [RememberedContact] {
        heard.values.sorted {
            $0.answered == $1.answered ? $0.identity < $1.identity : $0.answered > $1.answered
        }
    }

    /// How many others there were, of those that are admitted.
    func count(where isAdmitted: (Identity) -> Bool) -> Int { heard.keys.count(where: isAdmitted) }

    mutating func forget(where isGone: (Identity) -> Bool) {
        heard = heard.filter { !isGone($0.key) }
    }
}

extension RememberedContact {
    fileprivate func answered(at time: UInt64) -> RememberedContact {
        RememberedContact(identity: identity, endpoint: endpoint, answered: time)
    }
}

/// How many nodes there are besides us, by all that is known.
struct Company: Hashable, Sendable {
    /// Heard from lately; if nobody ever was, those on the list.
    let expected: Int
    /// On the list; `nil` in open mode.
    let members: Int?
    /// Answered last time.
    let up: Int

    /// Copies a record ought to have.
    var target: Int { min(expected + 1, Kademlia.replicas) }
    /// There are others, and none answers.
    var isIsolated: Bool { expected > 0 && up == 0 }
    /// `none of 19 members answers`.
    var isolation: String {
        switch members ?? expected {
        case 1: "the only other member does not answer"
        case let count: "none of \(count) members answers"
        }
    }
}
