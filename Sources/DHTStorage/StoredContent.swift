import DHTCore
import FoundationEssentials
import GRDB

import struct DHTCore.Record  // GRDB has one of its own

// Content: an outline and as many of its pieces as have come.
extension SQLiteRecordStore {
    package func part(_ part: ContentPart, of content: Digest) throws(RecordStoreError) -> [UInt8]? {
        try database.read { database in
            let row: Row?
            switch part {
            case .outline:
                let query = try database.cachedStatement(sql: "SELECT outline FROM content WHERE digest = ?")
                row = try Row.fetchOne(query, arguments: [Data(content.bytes)])
            case .piece(let index):
                let query = try database.cachedStatement(
                    sql: """
                        SELECT piece.bytes FROM piece JOIN content ON content.id = piece.content
                        WHERE content.digest = ? AND piece.number = ?
                        """
                )
                row = try Row.fetchOne(query, arguments: [Data(content.bytes), index])
            }
            return row.map { $0.bytes(at: 0) }
        }
    }

    package func contents() throws(RecordStoreError) -> [StoredContent] {
        try database.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT id, digest, length,
                        EXISTS (SELECT 1 FROM record WHERE record.content = content.digest)
                    FROM content ORDER BY digest
                    """
            )
            return try rows.compactMap { row -> StoredContent? in
                // A damaged row is as good as none: the content is brought again.
                guard let id = row.bits(at: 0), let digest = Digest(row.bytes(at: 1)[...]),
                    let length = row.bits(at: 2).flatMap({ UInt32(exactly: $0) }),
                    let reference = ContentReference(length: length, digest: digest)
                else { return nil }
                let numbers = try Row.fetchAll(
                    database,
                    sql: "SELECT number FROM piece WHERE content = ? ORDER BY number",
                    arguments: [Int64(bitPattern: id)]
                )
                let pieces = numbers.map { $0.count(at: 0) }.filter { $0 < reference.pieceCount }
                return StoredContent(reference: reference, pieces: pieces, isReferred: row.bits(at: 3) == 1)
            }
        }
    }

    package func unreferredContent() throws(RecordStoreError) -> [Digest] {
        try database.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT digest FROM content
                    WHERE NOT EXISTS (SELECT 1 FROM record WHERE record.content = content.digest)
                    ORDER BY digest
                    """
            )
            return rows.compactMap { Digest($0.bytes(at: 0)[...]) }
        }
    }

    /// One of the changes that are about content.
    static func performOnContent(_ change: RecordChange, in database: Database) throws {
        switch change {
        case .put, .remove: break
        case .beginContent(let reference, let outline):
            let insertion = try database.cachedStatement(
                sql: """
                    INSERT INTO content (digest, length, outline) VALUES (?, ?, ?)
                    ON CONFLICT (digest) DO UPDATE SET length = excluded.length, outline = excluded.outline
                    """
            )
            try insertion.execute(arguments: [
                Data(reference.digest.bytes), Int64(reference.length), Data(outline),
            ])
        case .putPiece(let bytes, let index, let digest):
            let insertion = try database.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO piece (content, number, bytes)
                    SELECT id, ?, ? FROM content WHERE digest = ?
                    """
            )
            try insertion.execute(arguments: [index, Data(bytes), Data(digest.bytes)])
            guard database.changesCount > 0 else {
                throw RecordStoreError.unavailable("there is no such content")
            }
        case .removeContent(let digest):
            let removal = try database.cachedStatement(sql: "DELETE FROM content WHERE digest = ?")
            try removal.execute(arguments: [Data(digest.bytes)])
        }
    }
}
