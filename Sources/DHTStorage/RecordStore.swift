import DHTCore

/// Where a node keeps its records, one per location and author, and the content they refer to, once each.
///
/// The core decides which records to keep and to refuse, and which have expired; a store does as it is told.
/// One driver owns it and calls it from one thread at a time; a store that allows more says so. Do not copy
/// a store: whether copies share records depends on the type.
///
/// Two keys whose SHA-1 is the same share a location, so of one author only the record put last is there.
/// A caller that looks for a key compares it with ``DHTCore/Record/key``.
package protocol RecordStore: Sendable {
    /// How many records there are.
    var count: Int { get }

    /// The sum of the lengths of all records, in bytes.
    var byteCount: Int { get }

    /// All records at a location, by ascending author.
    func records(at location: NodeID) throws(RecordStoreError) -> [Record]

    /// Those of these authors at a location, in the order of the authors: reads no others.
    func records(at location: NodeID, by authors: [Identity]) throws(RecordStoreError) -> [Record]

    /// The author's record at a location, if there is one.
    func record(at location: NodeID, by author: Identity) throws(RecordStoreError) -> Record?

    /// Shows every record once, by ascending location, then author. `body` may call the store.
    func forEach(_ body: (Record) -> Void) throws(RecordStoreError)

    /// Shows what the core remembers of every record, in any order: for start-up. A store that has it apart
    /// from the bytes reads no bytes.
    func forEachEntry(_ body: (NodeID, Catalog.Entry) -> Void) throws(RecordStoreError)

    /// A part of content; `nil`: it is not there. Whether it is sound is for the reader to see.
    func part(_ part: ContentPart, of content: Digest) throws(RecordStoreError) -> StoredPart?

    /// All content by digest, complete or not, and content that records refer to and is absent: at start.
    func contents() throws(RecordStoreError) -> [StoredContent]

    /// The content that no record refers to, by digest.
    func unreferredContent() throws(RecordStoreError) -> [Digest]

    /// Makes the changes in this order: all of them, durably, when it returns; none of them when it throws.
    mutating func apply(_ changes: [RecordChange]) throws(RecordStoreError)

    /// Group commit: each batch in this order, each of them all or nothing on its own. A store for which a
    /// commit is dear makes one for all. One that does not fit does not refuse the others.
    ///
    /// - Returns: How each batch ended, in the order of the batches.
    mutating func apply(batches: [[RecordChange]]) -> [Result<Void, RecordStoreError>]
}

extension RecordStore {
    package func records(at location: NodeID, by authors: [Identity]) throws(RecordStoreError) -> [Record] {
        var records: [Record] = []
        for author in authors {
            if let record = try record(at: location, by: author) { records.append(record) }
        }
        return records
    }

    package func forEachEntry(_ body: (NodeID, Catalog.Entry) -> Void) throws(RecordStoreError) {
        try forEach { body($0.location, Catalog.Entry($0)) }
    }

    package mutating func apply(batches: [[RecordChange]]) -> [Result<Void, RecordStoreError>] {
        batches.map { changes in Result { () throws(RecordStoreError) in try apply(changes) } }
    }
}

/// Why a store did not do what it was told.
package enum RecordStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is no room for what was to be put.
    case full
    /// The store cannot be read or written; the text is for the operator.
    case unavailable(String)

    /// In words, for the operator.
    package var description: String {
        switch self {
        case .full: "the disk is full"
        case .unavailable(let reason): reason
        }
    }
}
