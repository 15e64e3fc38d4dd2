import DHTCore

/// A ``RecordStore`` that ends with the process. A value: a copy is a snapshot.
package struct MemoryRecordStore: RecordStore {
    package private(set) var count = 0
    package private(set) var byteCount = 0

    private let byteCapacity: Int
    /// At each location at least one record, by ascending author.
    private var shelves: [NodeID: [Record]] = [:]
    private var content: [Digest: Content] = [:]
    private var contentByteCount = 0

    private struct Content: Sendable {
        let reference: ContentReference
        var outline: [UInt8]
        var pieces: [Int: [UInt8]] = [:]
    }

    /// An empty store. Its size is bounded by the core's quotas; `byteCapacity`, in bytes of records, is
    /// where the store itself says ``RecordStoreError/full``, as a disk would.
    package init(byteCapacity: Int = .max) {
        self.byteCapacity = byteCapacity
    }

    package func records(at location: NodeID) -> [Record] { shelves[location] ?? [] }

    package func record(at location: NodeID, by author: Identity) -> Record? {
        records(at: location, by: [author]).first
    }

    package func records(at location: NodeID, by authors: [Identity]) -> [Record] {
        guard let shelf = shelves[location] else { return [] }
        return authors.compactMap { author in
            let index = shelf.partition(before: author)
            return index < shelf.endIndex && shelf[index].author == author ? shelf[index] : nil
        }
    }

    package func forEach(_ body: (Record) -> Void) {
        for location in shelves.keys.sorted() { records(at: location).forEach(body) }
    }

    /// Whether there is room is judged after the last change, so that a batch may make the room it needs.
    package mutating func apply(_ changes: [RecordChange]) throws(RecordStoreError) {
        var inverses: [RecordChange?] = []
        var failure: RecordStoreError?
        for change in changes {
            do throws(RecordStoreError) { inverses.append(try perform(change)) } catch {
                failure = error
                break
            }
        }
        if failure == nil, byteCount + contentByteCount > byteCapacity { failure = .full }
        guard let failure else { return }
        for case .some(let inverse) in inverses.reversed() {
            // Puts back what was there before; fails only where the batch removed the content altogether.
            _ = try? perform(inverse)
        }
        throw failure
    }

    /// Makes one change and returns the change that undoes it, if there is one: content that was removed
    /// stays so, for nothing refers to it.
    private mutating func perform(_ change: RecordChange) throws(RecordStoreError) -> RecordChange? {
        switch change {
        case .put(let record): return replace(at: record.location, by: record.author, with: record)
        case .remove(let location, let author): return replace(at: location, by: author, with: nil)
        case .beginContent(let reference, let outline):
            if let old = content[reference.digest] {
                content[reference.digest]?.outline = outline
                contentByteCount += outline.count - old.outline.count
                return .beginContent(old.reference, outline: old.outline)
            }
            content[reference.digest] = Content(reference: reference, outline: outline)
            contentByteCount += outline.count
            return .removeContent(reference.digest)
        case .putPiece(let bytes, let index, let digest):
            guard content[digest] != nil else { throw .unavailable("there is no such content") }
            let old = content[digest]?.pieces.updateValue(bytes, forKey: index)
            contentByteCount += bytes.count - (old?.count ?? 0)
            return old.map { .putPiece($0, index: index, of: digest) }
        case .removeContent(let digest):
            guard let old = content.removeValue(forKey: digest) else { return nil }
            contentByteCount -= old.outline.count + old.pieces.values.reduce(0) { $0 + $1.count }
            return nil
        }
    }

    // MARK: Content

    package func part(_ part: ContentPart, of digest: Digest) -> StoredPart? {
        guard let content = content[digest] else { return nil }
        let bytes: [UInt8]? =
            switch part {
            case .outline: content.outline
            case .piece(let index): content.pieces[index]
            }
        return bytes.map { StoredPart(bytes: $0, outline: content.outline) }
    }

    package func contents() -> [StoredContent] {
        let referred = referredContent
        let present = content.map { digest, content in
            StoredContent(
                reference: content.reference,
                pieces: content.pieces.keys.sorted(),
                isReferred: referred[digest] != nil,
                location: referred[digest]?.location
            )
        }
        let absent = referred.compactMap { digest, record -> StoredContent? in
            guard content[digest] == nil, let reference = record.reference else { return nil }
            return .init(
                reference: reference,
                hasOutline: false,
                pieces: [],
                isReferred: true,
                location: record.location
            )
        }
        return (present + absent).sorted { $0.reference.digest < $1.reference.digest }
    }

    package func unreferredContent() -> [Digest] {
        guard !content.isEmpty else { return [] }
        let referred = referredContent
        return content.keys.filter { referred[$0] == nil }.sorted()
    }

    /// A record that refers to it, by content; the first in the order of the key space.
    private var referredContent: [Digest: Record] {
        let records = shelves.values.joined().compactMap { record in
            record.reference.map { ($0.digest, record) }
        }
        return Dictionary(records) { $0.isBefore($1) ? $0 : $1 }
    }

    private mutating func replace(at location: NodeID, by author: Identity, with new: Record?) -> RecordChange
    {
        // Taken out while it changes, so that it is changed in place; put back unless nothing is left.
        var shelf = shelves.removeValue(forKey: location) ?? []
        let index = shelf.partition(before: author)
        let old = index < shelf.endIndex && shelf[index].author == author ? shelf[index] : nil
        shelf.replaceSubrange(index..<(old == nil ? index : index + 1), with: new.map { [$0] } ?? [])
        if !shelf.isEmpty { shelves[location] = shelf }
        count += (new == nil ? 0 : 1) - (old == nil ? 0 : 1)
        byteCount += (new?.bytes.count ?? 0) - (old?.bytes.count ?? 0)
        return old.map { .put($0) } ?? .remove(location: location, author: author)
    }
}

extension [Record] {
    /// Where the author's record is, or would be, among records by ascending author: a search by halves.
    fileprivate func partition(before author: Identity) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].author < author { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Record {
    /// In the order of the key space.
    fileprivate func isBefore(_ other: Record) -> Bool {
        (location, author) < (other.location, other.author)
    }
}
