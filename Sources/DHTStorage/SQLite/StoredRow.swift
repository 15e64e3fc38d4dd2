import DHTCore
import FoundationEssentials
import GRDB

import struct DHTCore.Record  // GRDB has one of its own

/// A row of the table `record`, as it was read. A damaged file may hold anything, so nothing of it is
/// believed.
struct StoredRow {
    /// Columns of every query that makes rows. `bytes` and `content` last, and absent where they are not
    /// needed.
    static let entryColumns = "id, location, author, revision, digest, expiry, is_tombstone, byte_count"
    static let columns = entryColumns + ", bytes, content"

    let id: UInt64
    let location: [UInt8]
    let author: [UInt8]
    /// `nil` unless the columns can be those of a record.
    let entry: Catalog.Entry?
    /// Empty where they were not asked for.
    let bytes: [UInt8]
    /// The digest of the content it refers to; empty if there is none.
    let content: [UInt8]

    init(_ row: Row) {
        id = row.bits(at: 0) ?? 0
        location = row.bytes(at: 1)
        author = row.bytes(at: 2)
        entry = Self.entry(of: row, author: author)
        (bytes, content) = row.count > 9 ? (row.bytes(at: 8), row.bytes(at: 9)) : ([], [])
    }

    private static func entry(of row: Row, author: [UInt8]) -> Catalog.Entry? {
        guard let author = Identity(author), let digest = Digest(row.bytes(at: 4)[...]),
            let revision = row.bits(at: 3).map({ Revision(rawValue: $0) }), let expiry = row.bits(at: 5),
            let tombstone = row.bits(at: 6), let byteCount = row.bits(at: 7)
        else { return nil }
        // A revision that got a wrong bit would refuse newer records for years.
        let lifetime = expiry.subtractingReportingOverflow(revision.unixMilliseconds)
        guard !lifetime.overflow, lifetime.partialValue % 1000 == 0,
            let seconds = UInt32(exactly: lifetime.partialValue / 1000),
            RecordLayout.lifetimes.contains(seconds), tombstone <= 1,
            (1...UInt64(RecordLayout.maximumLength + ContentLayout.lengths.upperBound)).contains(byteCount)
        else { return nil }
        return Catalog.Entry(
            author: author,
            revision: revision,
            digest: digest,
            expiry: expiry,
            isTombstone: tombstone == 1,
            byteCount: Int(byteCount)
        )
    }

    /// The record's location and entry in the catalog; `nil` if the columns are damaged.
    var catalogued: (location: NodeID, entry: Catalog.Entry)? {
        guard let location = NodeID(location), let entry else { return nil }
        return (location, entry)
    }

    /// The record, if the bytes are one and the one that the columns tell of; else the row is damaged.
    func record(_ decode: ([UInt8]) -> Record?) -> Record? {
        guard let (location, entry) = catalogued, let record = decode(bytes), record.location == location,
            Catalog.Entry(record) == entry, content == record.reference?.digest.bytes ?? []
        else { return nil }
        return record
    }
}

extension Record {
    /// Values for `revision, digest, expiry, is_tombstone, byte_count, content, bytes`: what a later record
    /// of the same author and place has otherwise.
    var columns: StatementArguments {
        [
            Int64(bitPattern: revision.rawValue), Data(digest.bytes), Int64(bitPattern: expiry), isTombstone,
            Catalog.Entry(self).byteCount, reference.map { Data($0.digest.bytes) }, Data(bytes),
        ]
    }
}

extension RecordChange {
    /// Values for `location, author`; `nil` if the change is about content.
    var place: StatementArguments? {
        switch self {
        case .put(let record): [Data(record.location.bytes), Data(record.author.bytes)]
        case .remove(let location, let author): [Data(location.bytes), Data(author.bytes)]
        case .beginContent, .putPiece, .removeContent: nil
        }
    }
}
