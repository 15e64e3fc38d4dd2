import DHTCore
import DHTStorage
import Foundation
import GRDB
import Testing

struct NodeDatabaseTests {
    // MARK: Making

    private let value = RenewedValue(key: [1], lifetime: 60, revision: Revision(rawValue: 7))

    @Test func `the directory and its files are for their owner alone`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(directory: folder.file("node"), owner: author(1))
        try database.rememberRenewed([value.key: value])
        #expect(try database.kept() == [value])
        #expect(folder.mode("node") == 0o700)
        for name in ["records.sqlite", "records.sqlite-wal", "records.sqlite-shm", "lock"] {
            #expect(folder.mode("node/\(name)") == 0o600, "\(name)")
        }
        database.close()
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: database.directory).sorted() == [
                "lock", "records.sqlite",
            ]
        )
    }

    @Test func `a directory whose parent is missing is not made`() throws {
        let folder = try Folder()
        let path = folder.file("no/node")
        #expect(throws: NodeDatabaseError.noPlace(path: path, reason: "No such file or directory")) {
            try NodeDatabase(directory: path, owner: nil)
        }
        try folder.write([], to: "file")
        #expect(throws: NodeDatabaseError.noPlace(path: folder.file("file"), reason: "Not a directory")) {
            try NodeDatabase(directory: folder.file("file"), owner: nil)
        }
    }

    @Test func `a tool makes nothing unless it is to`() throws {
        let folder = try Folder()
        #expect(throws: NodeDatabaseError.absent(directory: folder.path)) {
            try NodeDatabase(directory: folder.path, owner: nil, isMaking: false)
        }
        #expect(try folder.names() == [])
    }

    @Test func `a crash while a database is made leaves nothing in the way`() throws {
        let folder = try Folder()
        try folder.write([1, 2, 3], to: "records.sqlite.draft")
        try NodeDatabase(in: folder).close()
        #expect(try folder.names() == ["lock", "records.sqlite"])
    }

    @Test(arguments: NodeDatabase.Durability.allCases)
    func `commits are as durable as was asked for`(durability: NodeDatabase.Durability) throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder, durability: durability)
        let (synchronous, journal) = try database.pool.writeWithoutTransaction {
            (
                try Int.fetchOne($0, sql: "PRAGMA synchronous"),
                try String.fetchOne($0, sql: "PRAGMA journal_mode")
            )
        }
        #expect(synchronous == (durability == .full ? 2 : 1))
        #expect(journal == "wal")
    }

    @Test func `full is the default`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(directory: folder.path, owner: nil)
        #expect(
            try database.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2
        )
    }

    // MARK: Refusing

    @Test func `one at a time has a directory`() throws {
        let folder = try Folder()
        let first = try NodeDatabase(in: folder)
        let refusal = #expect(throws: NodeDatabaseError.inUse(directory: folder.path)) {
            try NodeDatabase(in: folder)
        }
        #expect(refusal?.description.hasPrefix("\(folder.path) is in use by another process") == true)
        try first.rememberRenewed([value.key: value])
        withExtendedLifetime(first) {}
    }

    @Test func `a directory is free again when its database is gone`() throws {
        let folder = try Folder()
        for _ in 1...3 { try NodeDatabase(in: folder).close() }
        for _ in 1...3 { _ = try NodeDatabase(in: folder) }
    }

    @Test func `a database is of one identity`() throws {
        let folder = try Folder()
        try NodeDatabase(in: folder, owner: 1).close()
        try expectUntouched(folder) {
            .otherOwner(path: $0, owner: author(1))
        } opening: {
            try NodeDatabase(in: folder, owner: 2)
        }
        #expect(try NodeDatabase(in: folder, owner: 1).owner() == author(1))
        #expect(try NodeDatabase(in: folder, owner: nil).owner() == author(1))
    }

    @Test func `a database that a tool made is of the first node that opens it`() throws {
        let folder = try Folder()
        #expect(try NodeDatabase(in: folder, owner: nil).owner() == nil)
        #expect(try NodeDatabase(in: folder, owner: 3).owner() == author(3))
        #expect(throws: NodeDatabaseError.self) { try NodeDatabase(in: folder, owner: 4) }
    }

    @Test(arguments: [0, 1, 15, 16, 99, 100, 5000])
    func `what is no database is left alone`(length: Int) throws {
        let folder = try Folder()
        try folder.write([UInt8](repeating: 0x53, count: length), to: "records.sqlite")
        try expectUntouched(folder) {
            .noDatabase(path: $0)
        } opening: {
            try NodeDatabase(in: folder)
        }
    }

    @Test(arguments: ["DELETE", "WAL"])
    func `the database of another program is left alone`(journal: String) throws {
        let folder = try Folder()
        let queue = try DatabaseQueue(path: folder.database)
        try queue.writeWithoutTransaction {
            try $0.execute(
                sql: "PRAGMA journal_mode = \(journal); CREATE TABLE record (mine); PRAGMA user_version = 1"
            )
        }
        try queue.close()
        try expectUntouched(folder) {
            .foreign(path: $0)
        } opening: {
            try NodeDatabase(in: folder)
        }
    }

    @Test func `a newer database is left alone`() throws {
        let folder = try Folder()
        let newer = Schema(steps: Schema.current.steps + ["CREATE TABLE later (x)"])
        try NodeDatabase(directory: folder.path, owner: author(1), schema: newer).close()
        try expectUntouched(folder) {
            .newer(path: $0)
        } opening: {
            try NodeDatabase(in: folder)
        }
    }

    @Test func `a newer database that crashed before its header told so is left alone`() throws {
        let (folder, copy) = (try Folder(), try Folder())
        try NodeDatabase(in: folder).close()
        let newer = Schema(steps: Schema.current.steps + ["CREATE TABLE later (x)"])
        let database = try NodeDatabase(directory: folder.path, owner: author(1), schema: newer)
        for name in ["records.sqlite", "records.sqlite-wal"] {
            try copy.write(#require(folder.bytes(name)), to: name)
        }
        withExtendedLifetime(database) {}
        try expectUntouched(copy) {
            .newer(path: $0)
        } opening: {
            try NodeDatabase(in: copy)
        }
    }

    @Test(arguments: [0.02, 0.3, 0.5, 0.9])
    func `a damaged database is left alone`(place: Double) throws {
        let folder = try Folder()
        try fill(folder)
        var bytes = try #require(folder.bytes("records.sqlite"))
        // A page's header says what the page is; with the place of page 1 the schema goes.
        let page = Int(Double(bytes.count / 4096) * place)
        let start = page == 0 ? 100 : page * 4096
        for index in start..<start + 200 { bytes[index] = 0xA5 }
        try folder.write(bytes, to: "records.sqlite")
        try expectDamaged(folder)
    }

    @Test(arguments: [4096, 4096 * 3, 4096 * 3 + 17])
    func `a database that was cut off is left alone`(length: Int) throws {
        let folder = try Folder()
        try fill(folder)
        try folder.write(Array(#require(folder.bytes("records.sqlite")).prefix(length)), to: "records.sqlite")
        try expectDamaged(folder)
    }

    @Test func `a database without one of its tables is damaged`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.pool.write { try $0.execute(sql: "DROP TABLE identity") }
        database.close()
        try expectDamaged(folder)
    }

    @Test func `the log of a database that is gone is not played into a new one`() throws {
        let (folder, copy) = (try Folder(), try Folder())
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record())])
        try copy.write(#require(folder.bytes("records.sqlite-wal")), to: "records.sqlite-wal")
        #expect(throws: NodeDatabaseError.self) { try NodeDatabase(in: copy) }
        #expect(try copy.names() == ["lock", "records.sqlite-wal"])
    }

    @Test func `every refusal names its place and what to do`() {
        let refusals: [NodeDatabaseError] = [
            .inUse(directory: "D"), .absent(directory: "D"), .noDatabase(path: "D/f"), .foreign(path: "D/f"),
            .newer(path: "D/f"), .damaged(path: "D/f", problem: "why"),
            .otherOwner(path: "D/f", owner: author(1)), .denied(path: "D/f"),
            .unavailable(path: "D/f", reason: "why"), .noPlace(path: "D/f", reason: "why"),
        ]
        for refusal in refusals {
            #expect(refusal.description.hasPrefix("D") && !refusal.description.contains("\n"))
        }
    }

    // MARK: Versions

    /// What version 1 of the program left. Never changed: such files are out there.
    static let versionOne = """
        PRAGMA application_id = 1684567089;
        PRAGMA user_version = 1;
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
        INSERT INTO kept VALUES (x'6B6579', 60, 7);
        INSERT INTO own_revision VALUES (x'0100000000000000000000000000000000000000', -2);
        INSERT INTO contact VALUES
            (x'0909090909090909090909090909090909090909090909090909090909090909', x'0A000002', 4100, 17);
        INSERT INTO identity
            VALUES (1, x'0101010101010101010101010101010101010101010101010101010101010101');
        """

    private func makeVersionOne(in folder: Folder) throws {
        let queue = try DatabaseQueue(path: folder.database)
        try queue.writeWithoutTransaction {
            try $0.execute(sql: Self.versionOne)
            try $0.execute(
                sql: """
                    INSERT INTO record
                    (location, author, revision, digest, expiry, is_tombstone, byte_count, bytes)
                    VALUES (?, ?, 5, ?, 3600000, 0, ?, ?)
                    """,
                arguments: [
                    Data(record().location.bytes), Data(record().author.bytes),
                    Data(record(revision: 5).digest.bytes), record().bytes.count,
                    Data(record(revision: 5).bytes),
                ]
            )
        }
        try queue.close()
    }

    private func expectVersionOne(in database: NodeDatabase) throws {
        #expect(try SQLiteRecordStore(database).all == [record(revision: 5)])
        #expect(
            try database.kept()
                == [RenewedValue(key: Array("key".utf8), lifetime: 60, revision: Revision(rawValue: 7))]
        )
        let signed = OwnRevisions(Revision(rawValue: .max - 1))
        #expect(try database.revisions() == [NodeID(firstByte: 1): signed])
        let contact = RememberedContact(
            identity: author(9),
            endpoint: Endpoint(ipv4: 0x0A00_0002, port: 4100),
            answered: 17
        )
        #expect(try database.contacts() == [contact])
        #expect(try database.owner() == author(1))
    }

    @Test func `a database of version 1 is read`() throws {
        let folder = try Folder()
        try makeVersionOne(in: folder)
        try expectVersionOne(in: NodeDatabase(in: folder))
    }

    @Test func `a database of version 1 takes the steps to a later version, once`() throws {
        let folder = try Folder()
        try makeVersionOne(in: folder)
        let later = Schema(
            steps: Schema.current.steps + [
                "ALTER TABLE kept ADD COLUMN since INTEGER NOT NULL DEFAULT 7",
                "CREATE TABLE more (x); INSERT INTO more VALUES (1)",
            ]
        )
        for _ in 1...2 {
            let database = try NodeDatabase(directory: folder.path, owner: author(1), schema: later)
            let found = try database.pool.read {
                (
                    try Int.fetchOne($0, sql: "PRAGMA user_version"),
                    try Int.fetchOne($0, sql: "SELECT since FROM kept"),
                    try Int.fetchAll($0, sql: "SELECT x FROM more")
                )
            }
            #expect(found == (5, 7, [1]))
            try expectVersionOne(in: database)
        }
    }

    @Test func `a step that fails leaves the version before it`() throws {
        let folder = try Folder()
        try makeVersionOne(in: folder)
        let faulty = Schema(steps: [
            Schema.current.steps[0], "CREATE TABLE more (x); CREATE TABLE record (x)",
        ])
        #expect(throws: NodeDatabaseError.self) {
            try NodeDatabase(directory: folder.path, owner: author(1), schema: faulty)
        }
        try expectVersionOne(in: NodeDatabase(in: folder))
    }

    // MARK: Private

    /// Some 40 pages of records.
    private func fill(_ folder: Folder) throws {
        let store = try SQLiteRecordStore(in: folder)
        try store.apply((0..<200).map { .put(record(by: $0, value: [UInt8](repeating: 3, count: 600))) })
        store.database.close()
    }

    private func expectDamaged(_ folder: Folder) throws {
        let before = folder.bytes("records.sqlite")
        let refusal = #expect(throws: NodeDatabaseError.self) { try NodeDatabase(in: folder) }
        guard case .damaged(folder.database, _) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(folder.bytes("records.sqlite") == before)
    }

    /// Opening throws, and neither the file nor its log has another byte than before.
    private func expectUntouched(
        _ folder: Folder,
        _ expected: (String) -> NodeDatabaseError,
        opening: () throws -> NodeDatabase
    ) throws {
        let names = ["records.sqlite", "records.sqlite-wal"]
        let before = names.map { folder.bytes($0) ?? [] }
        #expect(throws: expected(folder.database)) { _ = try opening() }
        #expect(names.map { folder.bytes($0) ?? [] } == before)
    }
}
