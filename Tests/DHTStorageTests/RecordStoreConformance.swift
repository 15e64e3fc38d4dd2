import DHTCore
import DHTStorage
import Testing

/// What every ``RecordStore`` does. A store passes when `checkAll()` of a suite made for it does.
struct RecordStoreConformance<Store: RecordStore> {
    /// A new and empty store with room for all that is put here.
    let make: () throws -> Store

    /// - Parameter seeds: How many random histories are compared with those of a twin.
    func checkAll(seeds: UInt64 = 20) throws {
        try checkEmpty()
        try checkKeys()
        try checkOverwrites()
        try checkRemovals()
        try checkBatchOrder()
        try checkSharedLocation()
        try checkExtremes()
        try checkReentrance()
        try checkManyRecords()
        try checkBatches()
        try checkContent()
        try checkReferences()
        try checkLostContent()
        try checkAbsentContent()
        for seed in 1...seeds { try checkAgainstTwin(seed: seed) }
    }

    private func checkEmpty() throws {
        var store = try make()
        try expect(store, holds: [], probing: [record()])
        try store.apply([])
        try expect(store, holds: [], probing: [record()])
    }

    /// One record per location and author; each author's is found alone.
    private func checkKeys() throws {
        var store = try make()
        let records = [
            record(at: 2, by: 1), record(at: 1, by: 9), record(at: 1, by: 3, value: [1, 2, 3]),
            record(at: 1, by: 200),
        ]
        try store.apply(records.map { .put($0) })
        try expect(store, holds: records, probing: [record(at: 3, by: 1), record(at: 2, by: 3)])
    }

    /// A put replaces, whatever the revisions say: which record is better is not the store's business.
    private func checkOverwrites() throws {
        var store = try make()
        let newer = record(revision: 7, value: [1, 2, 3])
        let older = record(revision: 6, value: [9])
        let tombstone = record(revision: 8, kind: .tombstone)
        for replacement in [newer, newer, older, tombstone, newer] {
            try store.apply([.put(replacement)])
            try expect(store, holds: [replacement])
        }
    }

    private func checkRemovals() throws {
        var store = try make()
        let (kept, gone) = (record(by: 1), record(by: 2))
        try store.apply([.remove(location: gone.location, author: gone.author)])
        try store.apply([.put(kept), .put(gone)])
        for _ in 1...2 {
            try store.apply([.remove(location: gone.location, author: gone.author)])
            try expect(store, holds: [kept], probing: [gone])
        }
        try store.apply([.remove(location: NodeID(firstByte: 99), author: kept.author)])
        try expect(store, holds: [kept])
    }

    /// Later changes of a batch see the earlier ones.
    private func checkBatchOrder() throws {
        var store = try make()
        let (first, second) = (record(revision: 1), record(revision: 2))
        let removal = RecordChange.remove(location: first.location, author: first.author)
        try store.apply([.put(first), .put(second)])
        try expect(store, holds: [second])
        try store.apply([removal, .put(first)])
        try expect(store, holds: [first])
        try store.apply([.put(second), removal])
        try expect(store, holds: [], probing: [first])
    }

    /// Two keys of one SHA-1: the later put replaces.
    private func checkSharedLocation() throws {
        var store = try make()
        try store.apply([.put(record(key: "shattered-1")), .put(record(key: "shattered-2"))])
        try expect(store, holds: [record(key: "shattered-2")])
    }

    /// The shortest and the longest record come back byte for byte.
    private func checkExtremes() throws {
        var store = try make()
        let shortest = record(at: 0, by: 0, key: "k", revision: 0, kind: .tombstone)
        let longest = record(
            at: 255,
            by: 255,
            key: String(repeating: "k", count: 128),
            revision: .max,
            value: (0..<640).map { UInt8(truncatingIfNeeded: $0) }
        )
        #expect(longest.bytes.count == RecordLayout.maximumLength)
        try store.apply([.put(longest), .put(shortest)])
        try expect(store, holds: [shortest, longest])
    }

    /// Whoever is shown records may ask for others meanwhile.
    private func checkReentrance() throws {
        var store = try make()
        try store.apply([.put(record(at: 1)), .put(record(at: 2))])
        var counts: [Int] = []
        try store.forEach { counts.append((try? store.records(at: $0.location).count) ?? 0) }
        try store.forEachEntry { location, _ in
            counts.append((try? store.records(at: location).count) ?? 0)
        }
        #expect(counts == [1, 1, 1, 1])
    }

    /// More than is read at once, with many authors at one place.
    private func checkManyRecords() throws {
        var store = try make()
        let records = (0..<4).flatMap { place in (0..<200).map { record(at: place, by: $0) } }
        try store.apply(records.reversed().map { .put($0) })
        try expect(store, holds: records)
    }

    /// Each batch is told how it ended; later ones see earlier ones.
    private func checkBatches() throws {
        var store = try make()
        #expect(store.apply(batches: []).isEmpty)
        let removal = RecordChange.remove(location: record().location, author: record().author)
        let ends = store.apply(batches: [
            [.put(record(revision: 1)), .put(record(at: 2))], [], [removal], [.put(record(revision: 2))],
        ])
        #expect(ends.count == 4)
        for end in ends { #expect(throws: Never.self) { try end.get() } }
        try expect(store, holds: [record(revision: 2), record(at: 2)])
    }

    /// Random batches, compared after each with an array that does the same the slow way.
    private func checkAgainstTwin(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var store = try make()
        var twin: [Record] = []
        let everywhere = (0..<4).flatMap { place in (0..<4).map { record(at: place, by: $0) } }
        for _ in 1...50 {
            let batches = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (0..<Int.random(in: 0...6, using: &random)).map { _ in randomChange(using: &random) }
            }
            if batches.count == 1 {
                try store.apply(batches[0])
            } else {
                for end in store.apply(batches: batches) { try end.get() }
            }
            for change in batches.joined() { Self.apply(change, to: &twin) }
            try expect(store, holds: twin, probing: everywhere, "seed \(seed)")
        }
    }

    private func randomChange(using random: inout SplitMix64) -> RecordChange {
        let place = UInt8.random(in: 0..<4, using: &random)
        let owner = UInt8.random(in: 0..<4, using: &random)
        if Int.random(in: 0..<3, using: &random) == 0 {
            return .remove(location: NodeID(firstByte: place), author: author(owner))
        }
        let value = [UInt8](repeating: 7, count: Int.random(in: 0...20, using: &random))
        return .put(record(at: place, by: owner, revision: random.next(), value: value))
    }

    private static func apply(_ change: RecordChange, to twin: inout [Record]) {
        switch change {
        case .put(let record):
            twin.removeAll { $0.location == record.location && $0.author == record.author }
            twin.append(record)
        case .remove(let location, let author):
            twin.removeAll { $0.location == location && $0.author == author }
        case .beginContent, .putPiece, .removeContent: break
        }
    }

    /// Compares all a store can be asked with the records it should hold, in any order; asks for `probes` as
    /// well.
    private func expect(
        _ store: Store,
        holds expected: [Record],
        probing probes: [Record] = [],
        _ note: Comment? = nil
    ) throws {
        let sorted = expected.sorted { ($0.location, $0.author) < ($1.location, $1.author) }
        var shown: [Record] = []
        try store.forEach { shown.append($0) }
        #expect(shown == sorted, note)
        var entries: [(location: NodeID, entry: Catalog.Entry)] = []
        try store.forEachEntry { entries.append(($0, $1)) }
        entries.sort { ($0.location, $0.entry.author) < ($1.location, $1.entry.author) }
        #expect(entries.map(\.location) == sorted.map(\.location), note)
        #expect(entries.map(\.entry) == sorted.map { Catalog.Entry($0) }, note)
        #expect(store.count == expected.count, note)
        #expect(store.byteCount == expected.reduce(0) { $0 + $1.bytes.count }, note)
        for probe in sorted + probes {
            let here = sorted.filter { $0.location == probe.location }
            #expect(try store.records(at: probe.location) == here, note)
            let own = here.first { $0.author == probe.author }
            #expect(try store.record(at: probe.location, by: probe.author) == own, note)
            let authors = [probe.author, author(250)] + here.map(\.author).reversed()
            let asked = try store.records(at: probe.location, by: authors)
            #expect(asked == (own.map { [$0] } ?? []) + here.reversed(), note)
        }
    }
}
