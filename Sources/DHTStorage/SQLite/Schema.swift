import GRDB

/// The tables of a node's database, as the steps that led to them.
///
/// SQLite's `user_version` counts the steps a file has behind it. A step that was released is never changed:
/// files exist that took it. New steps are appended.
package struct Schema: Sendable {
    /// `dht1`: in the file's header, so that we know our own.
    static let applicationID: Int32 = 0x6468_7431

    /// Each step is taken in one transaction, together with the count.
    package let steps: [String]

    package init(steps: [String]) { self.steps = steps }

    package static let current = Schema(steps: [first, contents, earlierRevisions])

    var version: Int { steps.count }

    /// Takes the steps that are missing. The file keeps those that succeeded before one failed.
    func complete(_ database: Database) throws {
        let taken = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        for (index, step) in steps.enumerated().dropFirst(taken) {
            try database.inTransaction {
                try database.execute(sql: step)
                try database.execute(sql: "PRAGMA user_version = \(index + 1)")
                return .commit
            }
        }
    }

    /// The first table, index, view or trigger that is in a database after `version` steps and should not be,
    /// is missing, or is another than the one of its name that the steps make.
    func difference(in database: Database, version: Int) throws -> (name: String, isMissing: Bool)? {
        let made = try DatabaseQueue()
        let version = max(version, 0)
        let due = try made.writeWithoutTransaction { fresh in
            for step in steps.prefix(version) { try fresh.execute(sql: step) }
            return try Self.objects(in: fresh)
        }
        let found = try Self.objects(in: database)
        if let other = found.keys.sorted().first(where: { found[$0] != due[$0] }) { return (other, false) }
        return due.keys.sorted().first { found[$0] == nil }.map { ($0, true) }
    }

    /// The steps that a database really has behind it, if it counts fewer: then taking the next one would
    /// fail, or do again what is done.
    func laterVersion(of database: Database, than version: Int) throws -> Int? {
        guard version < self.version, try version < 0 || difference(in: database, version: version) != nil
        else { return nil }
        return try (max(version, 0)...self.version).first { later in
            try later > version && difference(in: database, version: later) == nil
        }
    }

    /// The objects of a schema, by kind and name: the table of each, and the SQL that made it. Those of
    /// SQLite's `ANALYZE` are left out.
    private static func objects(in database: Database) throws -> [String: String] {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT type || ' ' || name, coalesce(tbl_name, '') || ': ' || coalesce(sql, '')
                FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'
                """
        )
        let objects = rows.compactMap { row -> (String, String)? in
            guard let name = String.fromDatabaseValue(row[0]), let text = String.fromDatabaseValue(row[1])
            else { return nil }
            return (name, text)
        }
        return Dictionary(objects, uniquingKeysWith: { $0 + $1 })
    }

    /// A record's columns come before its bytes, so that what the catalog needs is on the row's first page.
    /// An ordinary table with a unique index is faster than one `WITHOUT ROWID`, whose rows move when others
    /// are put between them.
    ///
    /// SQLite's integers have a sign and ours have none: `revision`, `expiry` and `answered` are the 64 bits
    /// as they are. Numbers from 2⁶³ on show as negative ones, and so SQL never compares them.
    private static let first = """
        CREATE TABLE record (
            id INTEGER PRIMARY KEY,
            location BLOB NOT NULL CHECK (length(location) = 20),
            author BLOB NOT NULL CHECK (length(author) = 32),
            revision INTEGER NOT NULL,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            expiry INTEGER NOT NULL,
            is_tombstone INTEGER NOT NULL CHECK (is_tombstone IN (0, 1)),
            byte_count INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            UNIQUE (location, author)
        ) STRICT;
        CREATE TABLE contact (
            identity BLOB NOT NULL PRIMARY KEY CHECK (length(identity) = 32),
            address BLOB NOT NULL CHECK (length(address) IN (4, 16)),
            port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),
            answered INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE own_revision (
            location BLOB NOT NULL PRIMARY KEY CHECK (length(location) = 20),
            revision INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE kept (
            key BLOB NOT NULL PRIMARY KEY,
            lifetime INTEGER NOT NULL,
            revision INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE identity (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            identity BLOB NOT NULL CHECK (length(identity) = 32)
        ) STRICT;
        """

    /// Content that records refer to, in pieces: each has a row of its own, so that a broken-off transfer
    /// goes on. `record.content` is the digest of the content that a record refers to.
    private static let contents = """
        ALTER TABLE record ADD COLUMN content BLOB CHECK (length(content) = 32);
        CREATE INDEX record_content ON record (content) WHERE content IS NOT NULL;
        CREATE TABLE content (
            id INTEGER PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            length INTEGER NOT NULL,
            outline BLOB NOT NULL
        ) STRICT;
        CREATE TABLE piece (
            content INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            PRIMARY KEY (content, number)
        ) STRICT;
        """

    /// Below an author's last revision those given out before it, 8 bytes each, big-endian, ascending.
    private static let earlierRevisions = """
        ALTER TABLE own_revision
        ADD COLUMN earlier BLOB NOT NULL DEFAULT x'' CHECK (length(earlier) % 8 = 0);
        """
}
