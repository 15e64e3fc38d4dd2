import DHTCore
import FoundationEssentials
import GRDB

import struct DHTCore.Record  // GRDB has one of its own

// Content: an outline and as many of its pieces as have come.
extension SQLiteRecordStore {
    package func part(_ part: ContentPart, of content: Digest) throws(RecordStoreError) -> StoredPart? {
        try database.read { database in
            let row: Row?
            switch part {
            case .outline:
                let query = try database.cachedStatement(
                    sql: "SELECT outline, outline FROM content WHERE digest = ?"
                )
                row = try Row.fetchOne(query, arguments: [Data(content.bytes)])
            case .piece(let index):
                let query = try database.cachedStatement(
                    sql: """
                        SELECT piece.bytes, content.outline FROM piece
                        JOIN content ON content.id = piece.content
                        WHERE content.digest = ? AND piece.number = ?
                        """
                )
                row = try Row.fetchOne(query, arguments: [Data(content.bytes), index])
            }
            return row.map { StoredPart(bytes: $0.bytes(at: 0), outline: $0.bytes(at: 1)) }
        }
    }

    package func contents() throws(RecordStoreError) -> [StoredContent] {
        let (present, referring) = try database.read { database in
            let present = try Row.fetchAll(
                database,
                sql: """
                    SELECT id, digest, length,
                        (SELECT bytes FROM record WHERE record.content = content.digest
                            ORDER BY location, author LIMIT 1)
                    FROM content
                    """
            )
            let contents = try present.compactMap { try self.content($0, in: database) }
            let referring = try Row.fetchAll(
                database,
                sql: """
                    SELECT bytes FROM record WHERE content IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM content WHERE content.digest = record.content)
                    ORDER BY location, author
                    """
            )
            return (contents, referring.map { $0.bytes(at: 0) })
        }
        var contents = Dictionary(present.map { ($0.reference.digest, $0) }) { first, _ in first }
        for record in referring.compactMap(decode) {
            guard let reference = record.reference, contents[reference.digest] == nil else { continue }
            contents[reference.digest] = StoredContent(
                reference: reference,
                hasOutline: false,
                pieces: [],
                isReferred: true,
                location: record.location
            )
        }
        return contents.values.sorted { $0.reference.digest < $1.reference.digest }
    }

    /// The content that a row of the table `content` tells of, with its pieces; `nil` if the row is damaged.
    private func content(_ row: Row, in database: Database) throws -> StoredContent? {
        // A damaged row is as good as none: the content is brought again.
        guard let id = row.bits(at: 0), let digest = Digest(row.bytes(at: 1)[...]) else { return nil }
        let length = row.bits(at: 2).flatMap { UInt32(exactly: $0) }
        let told = length.flatMap { ContentReference(length: $0, digest: digest) }
        let referring = row.bytes(at: 3)
        let record = referring.isEmpty ? nil : decode(referring)
        let wanted = record?.reference.flatMap { $0.digest == digest ? $0 : nil }
        guard let reference = wanted ?? told else { return nil }
        let pieces = try Row.fetchAll(
            database,
            sql: "SELECT number FROM piece WHERE content = ? ORDER BY number",
            arguments: [Int64(bitPattern: id)]
        )
        let numbers = pieces.compactMap { $0.bits(at: 0).flatMap { Int(exactly: $0) } }
        return StoredContent(
            reference: reference,
            hasOutline: reference == told,
            pieces: numbers.filter { $0 < reference.pieceCount },
            isReferred: !referring.isEmpty,
            location: wanted.flatMap { _ in record?.location }
        )
    }

    /// Removes pieces of no content, as a damaged row may be: nobody would find them.
    package func dropStrays() throws(RecordStoreError) {
        let strays = try database.read { database in
            try Int64.fetchAll(database, sql: "SELECT piece.rowid FROM \(Self.strays)")
        }
        guard !strays.isEmpty else { return }
        try database.write { database in
            for stray in strays {
                try database.execute(sql: "DELETE FROM piece WHERE rowid = ?", arguments: [stray])
            }
        }
    }

    /// Pieces whose content is not there, or does not have so many.
    static let strays = """
        piece LEFT JOIN content ON content.id = piece.content
        WHERE content.id IS NULL OR number < 0 OR number * \(ContentLayout.pieceLength) >= length
        """

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
