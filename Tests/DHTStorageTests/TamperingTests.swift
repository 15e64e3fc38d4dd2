import DHTCore
import DHTStorage
import Foundation
import GRDB
import Testing

/// What others do to a node's files.
struct TamperingTests {
    @Test(
        arguments: [
            ("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END", "trigger t"),
            ("CREATE VIEW v AS SELECT load_extension('x')", "view v"),
            ("CREATE INDEX i ON record (author)", "index i"),
            ("CREATE TABLE other (a)", "table other"),
            ("ALTER TABLE contact ADD COLUMN a INT", "table contact"),
            ("DROP TABLE kept; CREATE TABLE kept (key, lifetime, revision)", "table kept"),
        ]
    )
    func `a schema that somebody changed is refused in words`(change: String, name: String) throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.pool.write { try $0.execute(sql: change) }
        database.close()
        let refusal = #expect(throws: NodeDatabaseError.self) { try NodeDatabase(in: folder) }
        #expect(refusal == .altered(path: folder.database, name: name))
        #expect(refusal?.description.contains("dht did not make, \(name), and") == true)
    }

    @Test func `what ANALYZE keeps in a database is no change of its schema`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        try database.pool.write { try $0.execute(sql: "ANALYZE") }
        database.close()
        try NodeDatabase(in: folder).close()
    }

    @Test func `no function is run on behalf of a schema`() throws {
        let folder = try Folder()
        let database = try NodeDatabase(in: folder)
        let trusted = try database.pool.read { try Int.fetchOne($0, sql: "PRAGMA trusted_schema") }
        let writer = try database.pool.write { try Int.fetchOne($0, sql: "PRAGMA trusted_schema") }
        #expect(trusted == 0 && writer == 0)
    }

    @Test(arguments: ["records.sqlite", "records.sqlite-wal"])
    func `what goes into a file that somebody took away is not acknowledged`(name: String) throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record(by: 1))])
        #expect(store.database.loss == nil)
        try FileManager.default.removeItem(atPath: folder.file(name))
        let failure = #expect(throws: RecordStoreError.self) { try store.apply([.put(record(by: 2))]) }
        #expect(failure?.description.contains("\(name) was removed or replaced") == true)
        #expect(throws: RecordStoreError.self) { try store.apply(batches: [[.put(record(by: 3))]])[0].get() }
        try folder.write([1], to: name)
        #expect(store.database.loss != nil, "another file of the same name")
    }
}
