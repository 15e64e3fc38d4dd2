import Testing

@testable import DHTCore

/// What would become of an offer, asked before it is made.
@Suite struct FailureDetectorCounterTests {
    private let authors: ClosedRange<UInt64> = 1...6

    private func record(_ generator: inout SplitMix64) -> Record {
        Record.sample(
            at: UInt8.random(in: 1...40, using: &generator) * 6,
            by: UInt64.random(in: authors, using: &generator),
            revision: UInt64.random(in: 0..<30, using: &generator) == 0
                ? 1000 : .random(in: 1...12, using: &generator),
            lifetime: UInt64.random(in: 0..<20, using: &generator) == 0 ? 5 : 3600
        )
    }

    private func condition(_ generator: inout SplitMix64) -> Request.Condition? {
        switch UInt64.random(in: 0..<8, using: &generator) {
        case 0: .absent
        case 1: .revision(Record.sample(revision: .random(in: 1...12, using: &generator)).revision)
        default: nil
        }
    }

    private func mute(_ author: UInt64, in catalog: inout Catalog) {
        catalog.muted.replace(with: [Identity.numbered(author)])
        for location in catalog.locations {
            guard catalog.entry(at: location, by: .numbered(author)) != nil else { continue }
            catalog.muted.meet(.init(location: location, author: .numbered(author)))
        }
    }

    @Test func `what is decided is what becomes of it, whatever that is`() {
        var kinds: Set<String> = []
        var evictions: UInt64 = 0
        for seed in 0..<20 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            var quota = Catalog.Quota()
            (quota.records, quota.recordsByAuthor) = (14, 5)
            var catalog = Catalog(quota: quota)
            let eviction = Catalog.Eviction(own: NodeID(firstByte: 0)) { $0.bytes[0] < 100 }
            for step in 0..<300 as Range<UInt64> {
                if step % 50 == 49 { mute(.random(in: authors, using: &generator), in: &catalog) }
                let (record, condition) = (record(&generator), condition(&generator))
                let judgement = catalog.decide(
                    on: record,
                    condition: condition,
                    unixMilliseconds: 15_000,
                    eviction: eviction
                )
                let before = (catalog.count, catalog.byteCount)
                catalog.commit(record, judgement)
                let isThere = catalog.entry(at: record.location, by: record.author)?.digest == record.digest
                switch judgement.decision {
                case .keep, .same: #expect(isThere, "seed \(seed), step \(step)")
                case .conflict, .refuse: #expect((catalog.count, catalog.byteCount) == before)
                }
                kinds.insert("\(judgement.decision)".prefix { $0 != ":" }.description)
            }
            #expect(catalog.count <= quota.records)
            evictions += catalog.evictions
        }
        #expect(kinds.count >= 6, "\(kinds.sorted())")
        #expect(evictions > 0)
    }

    @Test func `what is decided of a second record with one revision is not counted before it is done`() {
        var catalog = Catalog()
        let (first, second) = (Record.sample(value: [1]), Record.sample(value: [2]))
        _ = catalog.offer(first, condition: nil, unixMilliseconds: 10_000)
        _ = catalog.decide(on: second, condition: nil, unixMilliseconds: 10_000).decision
        #expect(catalog.equivocations == 0)
        _ = catalog.offer(second, condition: nil, unixMilliseconds: 10_000)
        #expect(catalog.equivocations == 1)
    }
}
