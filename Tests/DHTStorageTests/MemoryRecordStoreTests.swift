import DHTCore
import DHTStorage
import Testing

struct MemoryRecordStoreTests {
    @Test func `the memory store conforms`() throws {
        try RecordStoreConformance { MemoryRecordStore() }.checkAll()
    }

    @Test func `a copy is a snapshot`() throws {
        var store = MemoryRecordStore()
        try store.apply([.put(record(by: 1))])
        let snapshot = store
        try store.apply([.put(record(by: 2)), .remove(location: record().location, author: author(1))])
        #expect(snapshot.records(at: record().location) == [record(by: 1)])
        #expect(store.records(at: record().location) == [record(by: 2)])
    }

    @Test func `a store is full above its capacity and not at it`() throws {
        var store = MemoryRecordStore(byteCapacity: record().bytes.count)
        try store.apply([.put(record())])
        #expect(throws: RecordStoreError.full) { try store.apply([.put(record(value: [1]))]) }
        #expect(store.records(at: record().location) == [record()])
    }

    @Test func `a batch that does not fit changes nothing`() throws {
        let before = [record(by: 1, revision: 1), record(by: 2), record(at: 2, by: 3)]
        var store = MemoryRecordStore(byteCapacity: before.reduce(0) { $0 + $1.bytes.count })
        try store.apply(before.map { .put($0) })
        let batch: [RecordChange] = [
            .put(record(by: 1, revision: 2)), .remove(location: record().location, author: author(2)),
            .put(record(by: 4)), .put(record(by: 1, revision: 3)), .put(record(at: 9, by: 9, value: [1])),
        ]
        #expect(throws: RecordStoreError.full) { try store.apply(batch) }
        var shown: [Record] = []
        store.forEach { shown.append($0) }
        #expect(shown == before)
        #expect(store.count == 3)
        #expect(store.byteCount == before.reduce(0) { $0 + $1.bytes.count })
    }

    @Test func `a batch may make the room it needs`() throws {
        var store = MemoryRecordStore(byteCapacity: record().bytes.count)
        try store.apply([.put(record(by: 1))])
        try store.apply([.put(record(by: 2)), .remove(location: record().location, author: author(1))])
        #expect(store.records(at: record().location) == [record(by: 2)])
    }

    @Test func `random batches that do not fit leave no trace`() throws {
        var random = SplitMix64(seed: 42)
        var store = MemoryRecordStore(byteCapacity: 1500)
        var refusals = 0
        for revision in 1...500 {
            let batch = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                let value = [UInt8](repeating: 1, count: Int.random(in: 0...40, using: &random))
                let (place, owner) = (
                    UInt8.random(in: 0..<5, using: &random), UInt8.random(in: 0..<5, using: &random)
                )
                return Bool.random(using: &random)
                    ? RecordChange.put(record(at: place, by: owner, revision: UInt64(revision), value: value))
                    : .remove(location: NodeID(firstByte: place), author: author(owner))
            }
            let before = store
            do {
                try store.apply(batch)
            } catch {
                refusals += 1
                #expect(Self.contents(store) == Self.contents(before))
            }
            #expect(store.byteCount <= 1500)
            #expect(store.byteCount == Self.contents(store).reduce(0) { $0 + $1.bytes.count })
            #expect(store.count == Self.contents(store).count)
        }
        #expect(refusals > 10)
    }

    private static func contents(_ store: MemoryRecordStore) -> [Record] {
        var contents: [Record] = []
        store.forEach { contents.append($0) }
        return contents
    }

    @Test func `a batch that does not fit does not refuse the others`() throws {
        var store = MemoryRecordStore(byteCapacity: 2 * record().bytes.count)
        let ends = store.apply(batches: [
            [.put(record(by: 1))], [.put(record(by: 2)), .put(record(by: 3))], [.put(record(by: 4))],
        ])
        #expect(ends.map { Ending($0) } == [.stored, .full, .stored])
        #expect(store.records(at: record().location) == [record(by: 1), record(by: 4)])
    }
}
