import DHTCore
import DHTStorage
import Testing

/// What every ``RecordStore`` does with content that records refer to.
extension RecordStoreConformance {
    /// An outline and pieces come and go, and are there byte for byte.
    func checkContent() throws {
        var store = try make()
        let (first, second) = (content(1, pieces: 3), content(2, pieces: 1))
        #expect(try store.contents().isEmpty)
        #expect(try store.part(.outline, of: first.digest)?.bytes == nil)
        try store.apply([.beginContent(first, outline: [1, 2, 3]), .beginContent(second, outline: [])])
        try store.apply([.putPiece([7, 8], index: 2, of: first.digest)])
        try store.apply([
            .putPiece([9], index: 0, of: first.digest), .putPiece([0xFF, 0], index: 2, of: first.digest),
        ])
        // What is there already is begun again: the outline is the new one, and no piece is lost.
        try store.apply([.beginContent(first, outline: [1, 2, 4])])
        try store.apply([.beginContent(first, outline: [1, 2, 3])])
        #expect(try store.part(.outline, of: first.digest)?.bytes == [1, 2, 3])
        #expect(try store.part(.piece(0), of: first.digest)?.bytes == [9])
        #expect(try store.part(.piece(1), of: first.digest) == nil)
        #expect(try store.part(.piece(2), of: first.digest)?.outline == [1, 2, 3])
        #expect(try store.part(.piece(2), of: first.digest)?.bytes == [0xFF, 0])
        #expect(
            try store.contents() == [
                StoredContent(reference: first, pieces: [0, 2], isReferred: false),
                StoredContent(reference: second, pieces: [], isReferred: false),
            ]
        )
        try store.apply([.removeContent(first.digest), .removeContent(content(3, pieces: 1).digest)])
        #expect(try store.part(.piece(0), of: first.digest)?.bytes == nil)
        #expect(try store.contents().map(\.reference) == [second])
        #expect(store.count == 0)
        #expect(store.byteCount == 0)
    }

    /// Content is referred to as long as any record does.
    func checkReferences() throws {
        var store = try make()
        let (first, second) = (content(1, pieces: 1), content(2, pieces: 1))
        try store.apply([.beginContent(first, outline: [1]), .beginContent(second, outline: [2])])
        try store.apply([
            .put(referring(to: first, by: 1)), .put(referring(to: first, by: 2)), .put(record(by: 3)),
        ])
        #expect(try store.unreferredContent() == [second.digest])
        #expect(try store.contents().map(\.isReferred) == [true, false])
        #expect(try store.contents().map(\.location) == [record().location, nil])
        try store.apply([.put(record(by: 1, revision: 9))])
        #expect(try store.unreferredContent() == [second.digest])
        try store.apply([.put(referring(to: second, by: 2))])
        #expect(try store.unreferredContent() == [first.digest])
        try store.apply([.remove(location: record().location, author: author(2))])
        #expect(try store.unreferredContent() == [first.digest, second.digest])
    }

    /// What a record refers to and is not there is told of, so that it can be brought.
    func checkAbsentContent() throws {
        var store = try make()
        let first = content(1, pieces: 2)
        try store.apply([.put(referring(to: first, by: 2)), .put(referring(to: first, by: 1))])
        let absent = StoredContent(
            reference: first,
            hasOutline: false,
            pieces: [],
            isReferred: true,
            location: record().location
        )
        #expect(try store.contents() == [absent])
        #expect(try store.unreferredContent() == [])
    }

    /// A piece of nothing is refused, and with it what was to come along.
    func checkLostContent() throws {
        var store = try make()
        let (first, second) = (content(1, pieces: 1), content(2, pieces: 1))
        #expect(throws: RecordStoreError.self) {
            try store.apply([
                .put(record()), .beginContent(second, outline: [2]),
                .putPiece([1], index: 0, of: first.digest),
            ])
        }
        #expect(store.count == 0)
        #expect(try store.contents().isEmpty)
    }
}

/// Content of so many pieces, whose digest is made up.
func content(_ byte: UInt8, pieces: Int) -> ContentReference {
    let digest = certain(Digest([UInt8](repeating: byte, count: 32)[...]))
    return certain(ContentReference(length: UInt32(pieces * ContentLayout.pieceLength), digest: digest))
}

/// A record that refers to content.
func referring(to content: ContentReference, by author: UInt8 = 1, revision: UInt64 = 1) -> Record {
    record(by: author, revision: revision, value: content.encoded, kind: .reference)
}
