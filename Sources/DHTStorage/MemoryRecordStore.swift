import DHTCore

/// A ``RecordStore`` that ends with the process. A value: a copy is a snapshot.
package struct MemoryRecordStore: RecordStore {
    package private(set) var count = 0
    package private(set) var byteCount = 0

    private let byteCapacity: Int
    /// At each location at least one record, by ascending author.
    private var shelves: [NodeID: [Record]] = [:]

    /// An empty store. Its size is bounded by the core's quotas; `byteCapacity`, in bytes of records, is
    /// where the store itself says ``RecordStoreError/full``, as a disk would.
    package init(byteCapacity: Int = .max) {
        self.byteCapacity = byteCapacity
    }

    package func records(at location: NodeID) -> [Record] { shelves[location] ?? [] }

    package func record(at location: NodeID, by author: Identity) -> Record? {
        shelves[location]?.first { $0.author == author }
    }

    package func forEach(_ body: (Record) -> Void) {
        for location in shelves.keys.sorted() { records(at: location).forEach(body) }
    }

    /// Whether there is room is judged after the last change, so that a batch may make the room it needs.
    package mutating func apply(_ changes: [RecordChange]) throws(RecordStoreError) {
        let inverses = changes.map { perform($0) }
        guard byteCount <= byteCapacity else {
            for inverse in inverses.reversed() { _ = perform(inverse) }
            throw .full
        }
    }

    /// Makes one change and returns the change that undoes it.
    private mutating func perform(_ change: RecordChange) -> RecordChange {
        switch change {
        case .put(let record): replace(at: record.location, by: record.author, with: record)
        case .remove(let location, let author): replace(at: location, by: author, with: nil)
        }
    }

    private mutating func replace(at location: NodeID, by author: Identity, with new: Record?) -> RecordChange
    {
        // Taken out while it changes, so that it is changed in place; put back unless nothing is left.
        var shelf = shelves.removeValue(forKey: location) ?? []
        let index = shelf.firstIndex { $0.author >= author } ?? shelf.endIndex
        let old = index < shelf.endIndex && shelf[index].author == author ? shelf[index] : nil
        shelf.replaceSubrange(index..<(old == nil ? index : index + 1), with: new.map { [$0] } ?? [])
        if !shelf.isEmpty { shelves[location] = shelf }
        count += (new == nil ? 0 : 1) - (old == nil ? 0 : 1)
        byteCount += (new?.bytes.count ?? 0) - (old?.bytes.count ?? 0)
        return old.map { .put($0) } ?? .remove(location: location, author: author)
    }
}
