import DHTCore
import FoundationEssentials
import GRDB
import Synchronization

import struct DHTCore.Record  // GRDB has one of its own

/// A ``RecordStore`` in a node's database: durable, and small in memory whatever it holds.
///
/// Any number of threads may read while one writes; what they read is a state between two commits.
///
/// A row whose bytes are no record, or not the record its columns tell of, is never shown as one: it is
/// skipped and counted. It still counts as a record in ``count`` until it is replaced or removed. A record's
/// signature is not looked at, for it was checked before the record came here;
/// ``check(verifies:proof:progress:)`` does.
package final class SQLiteRecordStore: RecordStore {
    private struct Tally {
        var records = 0
        var bytes = 0
        var damaged: UInt64 = 0
    }

    package let database: NodeDatabase
    /// Makes a record of bytes, with location and digest computed from them; `nil` unless they are canonical.
    let decode: @Sendable ([UInt8]) -> Record?
    private let tally: Mutex<Tally>
    /// Rows read at once where all are read: bounds memory, and lets writers and checkpoints go on.
    static let pageLength = 256

    /// The records of a database, which stays open as long as this store is there.
    package init(
        _ database: NodeDatabase,
        decode: @escaping @Sendable ([UInt8]) -> Record?
    ) throws(RecordStoreError) {
        (self.database, self.decode) = (database, decode)
        let tally = try database.read { database in
            let row = try Row.fetchOne(database, sql: "SELECT count(*), sum(length(bytes)) FROM record")
            return Tally(records: row?.count(at: 0) ?? 0, bytes: row?.count(at: 1) ?? 0)
        }
        self.tally = Mutex(tally)
    }

    package var count: Int { tally.withLock { $0.records } }

    package var byteCount: Int { tally.withLock { $0.bytes } }

    /// How often a damaged row was met since the store was opened; one row counts each time.
    package var damaged: UInt64 { tally.withLock { $0.damaged } }

    // MARK: Reading

    package func records(at location: NodeID) throws(RecordStoreError) -> [Record] {
        let rows = try database.read { database in
            let query = try database.cachedStatement(
                sql: "SELECT \(StoredRow.columns) FROM record WHERE location = ? ORDER BY author"
            )
            return try Self.rows(of: query, [Data(location.bytes)])
        }
        return rows.compactMap { record($0) }
    }

    package func record(at location: NodeID, by author: Identity) throws(RecordStoreError) -> Record? {
        try records(at: location, by: [author]).first
    }

    /// One search of the index for each author, all in one state of the store.
    package func records(at location: NodeID, by authors: [Identity]) throws(RecordStoreError) -> [Record] {
        let rows = try database.read { database in
            let query = try database.cachedStatement(
                sql: "SELECT \(StoredRow.columns) FROM record WHERE location = ? AND author = ?"
            )
            return try authors.flatMap { author in
                try Self.rows(of: query, [Data(location.bytes), Data(author.bytes)])
            }
        }
        return rows.compactMap { record($0) }
    }

    package func forEach(_ body: (Record) -> Void) throws(RecordStoreError) {
        try forEachRow { row in
            if let record = record(row) { body(record) }
        }
    }

    /// In the order in which they are in the file: reading all of a large store by location would read its
    /// pages in disorder.
    package func forEachEntry(_ body: (NodeID, Catalog.Entry) -> Void) throws(RecordStoreError) {
        var last = Int64.min
        try forEachPage { database in
            let query = try database.cachedStatement(
                sql: """
                    SELECT \(StoredRow.entryColumns) FROM record WHERE id > ? ORDER BY id
                    LIMIT \(Self.pageLength)
                    """
            )
            return try Self.rows(of: query, [last])
        } body: { rows in
            for row in rows {
                if let (location, entry) = row.catalogued { body(location, entry) } else { countDamage() }
            }
            let id = rows.last.map { Int64(bitPattern: $0.id) } ?? last
            defer { last = id }
            return id > last
        }
    }

    /// Shows all rows by location and author, sound or not.
    func forEachRow(
        _ body: (StoredRow) throws(RecordStoreError) -> Void
    ) throws(RecordStoreError) {
        // Nothing is less than no bytes.
        var (location, author): ([UInt8], [UInt8]) = ([], [])
        try forEachPage { database in
            let query = try database.cachedStatement(
                sql: """
                    SELECT \(StoredRow.columns) FROM record WHERE (location, author) > (?, ?)
                    ORDER BY location, author LIMIT \(Self.pageLength)
                    """
            )
            return try Self.rows(of: query, [Data(location), Data(author)])
        } body: { rows throws(RecordStoreError) in
            for row in rows { try body(row) }
            let last = rows.last.map { ($0.location, $0.author) } ?? (location, author)
            defer { (location, author) = last }
            return (location + author).lexicographicallyPrecedes(last.0 + last.1)
        }
    }

    /// Reads page after page, each in a transaction of its own, until one is not full. Not one state of the
    /// store: what is written meanwhile is read or not.
    ///
    /// - Parameter body: Shown a page; whether it ended behind the page before it.
    private func forEachPage(
        _ read: (Database) throws -> [StoredRow],
        body: ([StoredRow]) throws(RecordStoreError) -> Bool
    ) throws(RecordStoreError) {
        while true {
            let rows = try database.read(read)
            let isProgress = try body(rows)
            guard rows.count == Self.pageLength else { return }
            guard isProgress else {
                throw .unavailable("the order of records is damaged")  // and would be walked for ever
            }
        }
    }

    private static func rows(of query: Statement, _ arguments: StatementArguments) throws -> [StoredRow] {
        var rows: [StoredRow] = []
        let cursor = try Row.fetchCursor(query, arguments: arguments)
        while let row = try cursor.next() { rows.append(StoredRow(row)) }
        return rows
    }

    private func record(_ row: StoredRow) -> Record? {
        let record = row.record(decode)
        if record == nil { countDamage() }
        return record
    }

    private func countDamage() { tally.withLock { $0.damaged += 1 } }

    // MARK: Writing

    package func apply(_ changes: [RecordChange]) throws(RecordStoreError) {
        guard !changes.isEmpty else { return }
        let growth = try database.write { try Self.perform(changes, in: $0) }
        tally.withLock {
            $0.records += growth.records
            $0.bytes += growth.bytes
        }
    }

    /// One transaction for all batches. Only if that fails has each its own.
    package func apply(batches: [[RecordChange]]) -> [Result<Void, RecordStoreError>] {
        if batches.count > 1 {
            do {
                try apply(Array(batches.joined()))
                return batches.map { _ in .success(()) }
            } catch {
                // Which of them was too much is found out below.
            }
        }
        return batches.map { changes in Result { () throws(RecordStoreError) in try apply(changes) } }
    }

    private static func perform(_ changes: [RecordChange], in database: Database) throws -> Tally {
        let search = try database.cachedStatement(
            sql: "SELECT id, length(bytes) FROM record WHERE location = ? AND author = ?"
        )
        let insertion = try database.cachedStatement(
            sql: """
                INSERT INTO record
                (location, author, revision, digest, expiry, is_tombstone, byte_count, content, bytes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        // Location and author are not set, for then the index would be written as well.
        let replacement = try database.cachedStatement(
            sql: """
                UPDATE record
                SET revision = ?, digest = ?, expiry = ?, is_tombstone = ?, byte_count = ?, content = ?,
                    bytes = ?
                WHERE id = ?
                """
        )
        let removal = try database.cachedStatement(sql: "DELETE FROM record WHERE id = ?")
        var growth = Tally()
        for change in changes {
            guard let place = change.place else {
                try performOnContent(change, in: database)
                continue
            }
            let old = try Row.fetchOne(search, arguments: place)
                .map { (id: $0[0] as DatabaseValue, byteCount: $0.count(at: 1)) }
            growth.records -= old == nil ? 0 : 1
            growth.bytes -= old?.byteCount ?? 0
            switch change {
            case .put(let record):
                growth.records += 1
                growth.bytes += record.bytes.count
                if let old {
                    try replacement.execute(arguments: record.columns + [old.id])
                } else {
                    try insertion.execute(arguments: place + record.columns)
                }
            case .remove:
                if let old { try removal.execute(arguments: [old.id]) }
            case .beginContent, .putPiece, .removeContent: break
            }
        }
        return growth
    }
}
