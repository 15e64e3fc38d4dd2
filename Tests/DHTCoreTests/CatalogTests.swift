import Testing

@testable import DHTCore

struct CatalogTests {
    private var catalog = Catalog()

    private mutating func offer(
        _ record: Record,
        condition: Request.Condition? = nil,
        at seconds: UInt64 = 10
    ) -> Catalog.Decision {
        catalog.offer(record, condition: condition, unixMilliseconds: seconds * 1000).decision
    }

    // MARK: One author

    @Test mutating func `the higher revision is kept`() {
        #expect(offer(.sample(revision: 5)) == .keep)
        #expect(offer(.sample(revision: 6)) == .keep)
        #expect(offer(.sample(revision: 5)) == .conflict(author: .numbered(1)))
        #expect(catalog.count == 1)
    }

    @Test mutating func `equal bytes are stored again`() {
        #expect(offer(.sample(revision: 5)) == .keep)
        #expect(offer(.sample(revision: 5)) == .same)
        #expect(catalog.equivocations == 0)
    }

    @Test
    mutating func `of two records of one revision the larger digest is kept, and both count as equivocation`()
    {
        let records = [Record.sample(value: [1]), .sample(value: [2])].sorted { $0.digest < $1.digest }
        #expect(offer(records[0]) == .keep)
        #expect(offer(records[1]) == .keep)
        #expect(offer(records[0]) == .conflict(author: .numbered(1)))
        #expect(catalog.equivocations == 2)
        #expect(catalog.entry(at: records[0].location, by: .numbered(1))?.digest == records[1].digest)
    }

    @Test mutating func `a tombstone replaces the value and is no news for ever after`() {
        #expect(offer(.sample(revision: 5, value: [1])) == .keep)
        #expect(offer(.sample(revision: 6, kind: .tombstone)) == .keep)
        #expect(offer(.sample(revision: 5, value: [1])) == .conflict(author: .numbered(1)))
    }

    @Test mutating func `an expired record still stands in the way of older ones until it is swept`() {
        #expect(offer(.sample(revision: 5, lifetime: 10)) == .keep)
        #expect(offer(.sample(revision: 4, lifetime: 100), at: 20) == .conflict(author: .numbered(1)))
        #expect(catalog.sweep(unixMilliseconds: 20_000).count == 1)
        #expect(offer(.sample(revision: 4, lifetime: 100), at: 20) == .keep)
    }

    // MARK: Clocks

    @Test mutating func `a record ends when its expiry is reached`() {
        let record = Record.sample(revision: 10, lifetime: 10)
        #expect(catalog.offer(record, condition: nil, unixMilliseconds: 20_000).decision == .refuse(.expired))
        #expect(catalog.offer(record, condition: nil, unixMilliseconds: 19_999).decision == .keep)
    }

    @Test mutating func `a revision may be five minutes ahead and no more`() {
        #expect(offer(.sample(revision: 310)) == .keep)
        #expect(offer(.sample(revision: 311)) == .refuse(.clock(unixMilliseconds: 10_000)))
    }

    @Test mutating func `behind what is far ahead of the clock its author may go, and nobody else`() {
        let (author, stranger) = (Identity.numbered(1), Identity.numbered(2))
        #expect(offer(.sample(revision: 1000), at: 1000) == .keep)
        let earlier = Record.sample(revision: 12)
        /// The clock was ahead and is right again, or went back: nobody can tell.
        func offered(
            by sender: Identity?,
            at seconds: UInt64,
            _ condition: Request.Condition? = .anything
        ) -> Catalog.Decision {
            let now = seconds * 1000
            return catalog.decide(on: earlier, condition: condition, unixMilliseconds: now, from: sender)
                .decision
        }
        #expect(offered(by: stranger, at: 10) == .conflict(author: author))
        #expect(offered(by: nil, at: 10) == .conflict(author: author))
        #expect(offered(by: author, at: 10) == .keep)
        #expect(offered(by: author, at: 10, nil) == .conflict(author: author), "a copy is no intent")
        let ahead = Revision(rawValue: 1_000_000 << 16)
        #expect(offered(by: author, at: 10, .revision(ahead)) == .conflict(author: nil), "it is not seen")
        #expect(offered(by: author, at: 700) == .conflict(author: author), "five minutes ahead, no more")
        let taken = catalog.offer(earlier, condition: .anything, unixMilliseconds: 10_000, from: author)
        #expect(taken.decision == .keep && taken.displaced?.revision == .init(rawValue: 1_000_000 << 16))
        #expect(catalog.count == 1)
    }

    // MARK: Conditions

    @Test mutating func `absent means that nobody has a live value there`() {
        #expect(offer(.sample(by: 1), condition: .absent) == .keep)
        #expect(offer(.sample(by: 2), condition: .absent) == .conflict(author: .numbered(1)))
        #expect(offer(.sample(by: 1, revision: 2, kind: .tombstone)) == .keep)
        #expect(offer(.sample(by: 2), condition: .absent) == .keep)
    }

    @Test mutating func `an expired value is absent`() {
        #expect(offer(.sample(by: 1, revision: 1, lifetime: 15)) == .keep)
        #expect(offer(.sample(by: 2, revision: 16), condition: .absent, at: 16) == .keep)
    }

    @Test mutating func `a revision must be that of the newest record by any author`() {
        let newest = Record.sample(by: 2, revision: 6)
        #expect(offer(.sample(by: 1, revision: 5)) == .keep)
        #expect(offer(newest) == .keep)
        #expect(offer(.sample(by: 1, revision: 7), condition: .revision(newest.revision)) == .keep)
        #expect(
            offer(.sample(by: 1, revision: 8), condition: .revision(newest.revision))
                == .conflict(author: .numbered(1))
        )
    }

    @Test mutating func `a revision where nothing is conflicts with nobody`() {
        let condition = Request.Condition.revision(Record.sample().revision)
        #expect(offer(.sample(revision: 2), condition: condition) == .conflict(author: nil))
    }

    @Test mutating func `a conditional record that was taken is taken again`() {
        #expect(offer(.sample(), condition: .absent) == .keep)
        #expect(offer(.sample(), condition: .absent) == .same)
    }

    // MARK: Quotas

    @Test mutating func `an author's quota binds the author alone, and replacing is not adding`() {
        var quota = Catalog.Quota()
        quota.recordsByAuthor = 2
        catalog = Catalog(quota: quota)
        #expect(offer(.sample(at: 1)) == .keep)
        #expect(offer(.sample(at: 2)) == .keep)
        #expect(offer(.sample(at: 3)) == .refuse(.quota))
        #expect(offer(.sample(at: 2, revision: 2)) == .keep)
        #expect(offer(.sample(at: 3, by: 2)) == .keep)
        #expect(catalog.count == 3)
    }

    @Test mutating func `bytes are counted, for each author and for all`() {
        let size = Record.sample().bytes.count
        var quota = Catalog.Quota()
        (quota.bytesByAuthor, quota.bytes) = (2 * size, 3 * size)
        catalog = Catalog(quota: quota)
        #expect(offer(.sample(at: 1)) == .keep)
        #expect(offer(.sample(at: 2)) == .keep)
        #expect(offer(.sample(at: 2, revision: 2, value: [1])) == .refuse(.quota))
        #expect(offer(.sample(at: 1, by: 2)) == .keep)
        #expect(offer(.sample(at: 1, by: 3)) == .refuse(.quota))
        #expect(catalog.byteCount == 3 * size)
        catalog.remove(at: NodeID(firstByte: 1), by: .numbered(1))
        #expect(offer(.sample(at: 2, revision: 2, value: [1])) == .keep)
        #expect(catalog.byteCount == 2 * size + 1)
    }

    // MARK: Failed stores

    @Test mutating func `what the store failed to keep is not claimed, and what it displaced stands again`() {
        let old = Record.sample(revision: 5)
        let new = Record.sample(revision: 6, value: [1, 2, 3])
        _ = offer(old)
        let offered = catalog.offer(new, condition: nil, unixMilliseconds: 10_000)
        #expect(offered.decision == .keep)
        catalog.revert(new, to: offered.displaced)
        #expect(catalog.entry(at: old.location, by: .numbered(1)) == Catalog.Entry(old))
        #expect(catalog.byteCount == old.bytes.count)
        #expect(offer(old) == .same)
    }

    @Test mutating func `a failure told late does not undo what came since`() {
        let failed = Record.sample(revision: 5)
        let newer = Record.sample(revision: 6)
        let displaced = catalog.offer(failed, condition: nil, unixMilliseconds: 10_000).displaced
        _ = offer(newer)
        catalog.revert(failed, to: displaced)
        #expect(catalog.entry(at: newer.location, by: .numbered(1)) == Catalog.Entry(newer))
    }

    @Test mutating func `what stands again after a failure still expires`() {
        let old = Record.sample(revision: 5, lifetime: 100)
        let new = Record.sample(revision: 6, lifetime: 1000)
        _ = offer(old)
        _ = offer(.sample(at: 2, revision: 1, lifetime: 20))
        let displaced = catalog.offer(new, condition: nil, unixMilliseconds: 10_000).displaced
        _ = catalog.sweep(unixMilliseconds: 30_000)
        catalog.revert(new, to: displaced)
        #expect(
            catalog.sweep(unixMilliseconds: 105_000) == [
                .remove(location: old.location, author: .numbered(1))
            ]
        )
    }

    // MARK: Sweeping

    @Test mutating func `a sweep forgets what has expired, in the order of the key space`() {
        for location in [9, 3, 7] as [UInt8] { _ = offer(.sample(at: location, revision: 5, lifetime: 10)) }
        _ = offer(.sample(at: 5, revision: 5, lifetime: 100))
        #expect(catalog.sweep(unixMilliseconds: 14_999).isEmpty)
        #expect(
            catalog.sweep(unixMilliseconds: 15_000)
                == [3, 7, 9].map { .remove(location: NodeID(firstByte: $0), author: .numbered(1)) }
        )
        #expect(catalog.locations == [NodeID(firstByte: 5)])
        #expect(catalog.sweep(unixMilliseconds: 15_000).isEmpty)
    }

    @Test mutating func `live entries are listed by author`() {
        for author in [4, 2, 3] as [UInt64] { _ = offer(.sample(by: author)) }
        _ = offer(.sample(by: 1, revision: 1, lifetime: 10))
        let entries = catalog.entries(at: NodeID(firstByte: 1), unixMilliseconds: 11_000)
        #expect(entries.map(\.author) == [2, 3, 4].map { .numbered($0) })
    }

    @Test mutating func `the counts agree with a slow twin's over a thousand random events`() {
        var generator = SplitMix64(seed: 11)
        var kept: [String: Record] = [:]
        for step in 0..<1000 {
            let record = Record.sample(
                at: UInt8.random(in: 0..<8, using: &generator),
                by: .random(in: 0..<4, using: &generator),
                revision: .random(in: 1..<50, using: &generator),
                lifetime: .random(in: 1..<100, using: &generator),
                value: generator.bytes(Int.random(in: 0..<4, using: &generator))
            )
            let name = "\(record.location) \(record.author)"
            if generator.oneIn(20) {
                _ = catalog.sweep(unixMilliseconds: UInt64(step) * 50)
                kept = kept.filter { $0.value.expiry > UInt64(step) * 50 }
            }
            if catalog.offer(record, condition: nil, unixMilliseconds: UInt64(step) * 50).decision == .keep {
                kept[name] = record
            }
            #expect(catalog.count == kept.count)
            #expect(catalog.byteCount == kept.values.reduce(0) { $0 + $1.bytes.count })
        }
        #expect(kept.values.allSatisfy { catalog.entry(at: $0.location, by: $0.author) == Catalog.Entry($0) })
    }
}

extension Catalog {
    /// Forgets all that has expired, as a walk through the catalog does, and says what that was.
    mutating func sweep(unixMilliseconds now: UInt64) -> [RecordChange] {
        var changes: [RecordChange] = []
        for located in all where located.entry.expiry <= now {
            remove(at: located.location, by: located.entry.author)
            changes.append(.remove(location: located.location, author: located.entry.author))
        }
        return changes
    }

    /// Everything, slice by slice.
    var all: [Located] {
        var all: [Located] = []
        while case let slice = slice(after: all.last?.id), !slice.isEmpty { all += slice }
        return all
    }

    /// All places with something kept, in the order of the key space.
    var locations: [NodeID] { all.map(\.location) }
}
