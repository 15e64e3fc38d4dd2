// A store that holds more than it may.

extension Catalog {
    /// Takes out what is too much: what is over first, then the farthest from `own`; of an author who has
    /// more than one may have, then of all. At start, since whatever is offered later keeps within the
    /// bounds.
    mutating func trim(own: NodeID, unixMilliseconds now: UInt64) -> [Located] {
        guard isOverfull || !greedyAuthors.isEmpty else { return [] }
        var trimmed = trimEnded(unixMilliseconds: now)
        trimmed += trimAuthors(own: own)
        while isOverfull {
            let farthest = index.farthest(from: own, limit: Eviction.candidates)
            for located in farthest where isOverfull {
                evict(located)
                trimmed.append(located)
            }
        }
        return trimmed
    }

    private mutating func trimEnded(unixMilliseconds now: UInt64) -> [Located] {
        var trimmed: [Located] = []
        var place: RecordID?
        while let last = slice(after: place).last {
            for located in Array(slice(after: place)) where located.entry.expiry <= now {
                remove(at: located.location, by: located.entry.author)
                trimmed.append(located)
            }
            place = last.id
        }
        return trimmed
    }

    private mutating func trimAuthors(own: NodeID) -> [Located] {
        var theirs: [Located] = []
        let greedy = greedyAuthors
        var place: RecordID?
        while !greedy.isEmpty, let last = slice(after: place).last {
            theirs += slice(after: place).filter { greedy.contains($0.entry.author) }
            place = last.id
        }
        theirs.sort { ($0.location.distance(to: own), $0.id) > ($1.location.distance(to: own), $1.id) }
        var trimmed: [Located] = []
        for located in theirs where exceedsQuota(located.entry.author) {
            evict(located)
            trimmed.append(located)
        }
        return trimmed
    }

    private mutating func evict(_ located: Located) {
        remove(at: located.location, by: located.entry.author)
        evictions += 1
    }

    /// Whether the author has more than one author may have.
    private func exceedsQuota(_ author: Identity) -> Bool {
        guard let own = usage[author] else { return false }
        return own.records > quota.recordsByAuthor || own.bytes > quota.bytesByAuthor
    }

    private var isOverfull: Bool { count > quota.records || byteCount > quota.bytes }

    private var greedyAuthors: Set<Identity> { Set(authors.filter { exceedsQuota($0) }) }
}
