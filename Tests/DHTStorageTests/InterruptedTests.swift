import DHTCore
import DHTStorage
import Foundation
import GRDB
import Testing

/// What a kill, or somebody with a tool, may have left of a database.
struct InterruptedTests {
    /// As SQLite has them in the middle of a transaction with a rollback journal: the file half written, and
    /// the journal that takes it back.
    private func breakOff(_ source: Folder, into copy: Folder) throws {
        var configuration = Configuration()
        configuration.prepareDatabase {
            try $0.execute(sql: "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; PRAGMA cache_spill = 1")
        }
        let queue = try DatabaseQueue(path: source.database, configuration: configuration)
        try queue.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
            for number in 0..<500 {
                let key = Data("\(number)".utf8 + [UInt8](repeating: 1, count: 200))
                try database.execute(sql: "INSERT INTO kept VALUES (?, 60, 1)", arguments: [key])
            }
            for name in ["records.sqlite", "records.sqlite-journal"] {
                try copy.write(#require(source.bytes(name)), to: name)
            }
            try database.execute(sql: "ROLLBACK")
        }
        try queue.close()
        try #require(source.bytes("records.sqlite") != copy.bytes("records.sqlite"))
    }

    @Test func `a transaction that was broken off in a rollback journal is taken back`() throws {
        let (source, copy) = (try Folder(), try Folder())
        let database = try NodeDatabase(in: source)
        let value = RenewedValue(key: [7], lifetime: 60, revision: Revision(rawValue: 7))
        try database.rememberRenewed([value.key: value])
        database.close()
        try breakOff(source, into: copy)
        let opened = try NodeDatabase(in: copy)
        #expect(try opened.kept() == [value])
        opened.close()
        #expect(try copy.names() == ["lock", "records.sqlite"])
    }

    /// Else every first start would change it over, with a journal, under the name that counts.
    @Test func `a database has its log from the moment it has its name`() throws {
        let folder = try Folder()
        let made = try NodeDatabase(in: folder)
        made.close()
        // SQLite, "Database File Format", 1.3: 2 is a log, 1 a rollback journal.
        #expect(try #require(folder.bytes("records.sqlite"))[18...19] == [2, 2])
    }

    @Test(arguments: ["-journal", "-wal", "-shm"])
    func `what was left beside a draft is not played into the next one`(suffix: String) throws {
        let (source, copy) = (try Folder(), try Folder())
        try NodeDatabase(in: source).close()
        try breakOff(source, into: copy)
        try FileManager.default.removeItem(atPath: copy.database)
        let left = "records.sqlite.draft\(suffix)"
        try FileManager.default.moveItem(
            atPath: copy.file("records.sqlite-journal"),
            toPath: copy.file(left)
        )
        let database = try NodeDatabase(in: copy)
        #expect(try database.kept() == [])
        database.close()
        #expect(try copy.names() == ["lock", "records.sqlite"])
    }

    @Test(arguments: ["-journal", "-wal"])
    func `a log whose database is gone is not played into a new one`(suffix: String) throws {
        let folder = try Folder()
        try folder.write([1], to: "records.sqlite\(suffix)")
        let problem = "it is gone, and its log records.sqlite\(suffix) is still there"
        #expect(throws: NodeDatabaseError.damaged(path: folder.database, problem: problem)) {
            try NodeDatabase(in: folder)
        }
        #expect(try folder.names() == ["lock", "records.sqlite\(suffix)"])
    }

    // MARK: Others' doing

    @Test(arguments: ["", "-journal", "-wal", "-shm"])
    func `a FIFO in the place of a file is refused, not waited for`(suffix: String) throws {
        let folder = try Folder()
        if !suffix.isEmpty { try NodeDatabase(in: folder).close() }
        let path = folder.database + suffix
        try #require(unsafe mkfifo(path, 0o600) == 0)
        #expect(throws: NodeDatabaseError.irregular(path: path)) { try NodeDatabase(in: folder) }
        #expect(try folder.names().contains("records.sqlite\(suffix)"))
    }

    @Test(arguments: [(-1, false), (0, false), (2, false), (-1, true), (1, true), (2, true)])
    func `a count of steps that was put back is told, with how to set it right`(
        count: Int,
        isInLog: Bool
    ) throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        let put = "PRAGMA user_version = \(count)"
        let copy = try Folder()
        try database.pool.writeWithoutTransaction { try $0.execute(sql: put) }
        if isInLog {
            for name in ["records.sqlite", "records.sqlite-wal"] {
                try copy.write(#require(folder.bytes(name)), to: name)
            }
        }
        database.close()
        if !isInLog { try copy.write(#require(folder.bytes("records.sqlite")), to: "records.sqlite") }
        let refusal = #expect(throws: NodeDatabaseError.self) { try NodeDatabase(in: copy) }
        #expect(refusal == .putBack(path: copy.database, version: count, right: 3))
        #expect("\(try #require(refusal))".contains("'PRAGMA user_version = 3'"))
    }
}
