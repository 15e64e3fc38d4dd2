/// The lookups in progress, and what is to be told of those that ended.
struct SearchTable: Sendable {
    private var searches: [SearchID: Search] = [:]
    private var ended: [LookupEnd] = []
    /// Ends are kept for ``takeEnds()``.
    var isObserved = false

    subscript(name: SearchID) -> Search? {
        get { searches[name] }
        _modify { yield &searches[name] }
    }

    var isEmpty: Bool { searches.isEmpty }

    /// The lookups of this kind, the oldest first.
    func names(where isWanted: (Search.Client) -> Bool) -> [SearchID] {
        searches.filter { isWanted($0.value.client) }.map(\.key).sorted()
    }

    /// The lookup is over.
    mutating func end(_ name: SearchID, at now: Instant) {
        guard let search = searches.removeValue(forKey: name), isObserved else { return }
        ended.append(
            LookupEnd(
                purpose: search.client.purpose,
                hops: search.lookup.hops,
                duration: now.since(search.began)
            )
        )
    }

    /// The lookups that ended since this was last called.
    mutating func takeEnds(_ observe: (LookupEnd) -> Void) {
        for end in ended { observe(end) }
        ended.removeAll(keepingCapacity: true)
    }
}

/// A lookup that ended.
package struct LookupEnd: Hashable, Sendable {
    /// The kind of operation that a lookup is for.
    package enum Purpose: String, CaseIterable, Sendable {
        case put, get, ping, upkeep
    }

    package let purpose: Purpose
    /// As ``Lookup/hops``.
    package let hops: Int
    package let duration: Interval
}

extension Search.Client {
    fileprivate var purpose: LookupEnd.Purpose {
        switch self {
        case .put(let name) where name.isMaintenance: .upkeep
        case .put: .put
        case .get: .get
        case .peer: .ping
        case .join, .refresh, .rescue: .upkeep
        }
    }
}

extension KademliaNode {
    /// Ends of lookups are kept for ``takeLookupEnds(_:)``, which is called after every turn.
    package mutating func observeLookups() { searches.isObserved = true }

    /// Tells of every lookup that ended since this was last called.
    package mutating func takeLookupEnds(_ observe: (LookupEnd) -> Void) { searches.takeEnds(observe) }

    /// Copies that wait to be given.
    package var repairsWaiting: Int { replication.queue.count }
}
