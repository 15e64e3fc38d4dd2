import DHTCore

/// Where a node keeps its records: one per location and author.
///
/// What to keep, whom to refuse and what has expired is decided in the core; a store does as it is told. One
/// driver owns it and calls it from one thread at a time. Copies of a store are not for keeping: whether they
/// share its records depends on the store.
///
/// Two keys whose SHA-1 is the same share a location, so of one author only the record put last is there.
/// Whoever looks for a key compares it with ``DHTCore/Record/key``.
package protocol RecordStore: Sendable {
    /// How many records there are.
    var count: Int { get }

    /// The sum of the lengths of all records, in bytes.
    var byteCount: Int { get }

    /// All records at a location, by ascending author.
    func records(at location: NodeID) throws(RecordStoreError) -> [Record]

    /// The author's record at a location, if there is one.
    func record(at location: NodeID, by author: Identity) throws(RecordStoreError) -> Record?

    /// Shows every record once, by ascending location, then author: for start-up.
    func forEach(_ body: (Record) -> Void) throws(RecordStoreError)

    /// Makes the changes in this order: all of them, durably, when it returns; none of them when it throws.
    mutating func apply(_ changes: [RecordChange]) throws(RecordStoreError)
}

/// Why a store did not do what it was told.
package enum RecordStoreError: Error, Hashable, Sendable {
    /// There is no room for what was to be put.
    case full
    /// The store cannot be read or written; the text is for the operator.
    case unavailable(String)
}
