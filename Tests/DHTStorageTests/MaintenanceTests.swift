import DHTCore
import DHTStorage
import Foundation
import GRDB
import Testing

import struct DHTCore.Record

struct MaintenanceTests {
    private static let records = [
        record(at: 1, by: 1, key: "config/flags", revision: 1 << 60, value: [1, 2]),
        record(at: 1, by: 2, key: "schlüssel", revision: .max, kind: .tombstone),
        record(at: 9, by: 1, key: "k", revision: 3, value: [UInt8](repeating: 0, count: 640)),
    ]

    private func store(in folder: Folder, _ records: [Record] = records) throws -> SQLiteRecordStore {
        let store = try SQLiteRecordStore(in: folder)
        try store.apply(records.map { .put($0) })
        return store
    }

    private func exported(_ store: SQLiteRecordStore) throws -> [String] {
        var lines: [String] = []
        let summary = try store.export(author: { "author-\($0.prefix)" }, proof: .simple) { lines.append($0) }
        // The first says what it is, the last that it is whole.
        let records = Array(lines.dropFirst().dropLast())
        #expect(summary.records == records.count)
        return records
    }

    private func imported<Store: RecordStore>(
        _ lines: [String],
        into store: Store,
        at now: UInt64 = .max,
        verifies: @escaping (Record) -> Bool = { _ in true }
    ) throws -> RecordImport<Store> {
        var task = RecordImport(
            into: store,
            unixMilliseconds: now,
            decode: { decoded($0) },
            verifies: verifies,
            proof: .simple
        )
        for line in lines { try task.take(Array(line.utf8)) }
        try task.finish()
        return task
    }

    // MARK: Check

    @Test func `a sound store passes`() throws {
        let folder = try Folder()
        var steps: [Int] = []
        let check = try store(in: folder).check(
            verifies: { _ in true },
            author: { _ in "" },
            proof: .none,
            progress: { steps.append($0) }
        )
        #expect(check.isSound && check.records == 3 && check.tombstones == 1 && check.problems == [])
        #expect(check.byteCount == Self.records.reduce(0) { $0 + $1.bytes.count })
        #expect(steps == [3])
    }

    @Test func `damaged and forged records are told apart, and where they are`() throws {
        let folder = try Folder()
        let store = try store(in: folder)
        try store.database.pool.write {
            try $0.execute(sql: "UPDATE record SET digest = zeroblob(32) WHERE id = 3")
        }
        let check = try store.check(verifies: { $0.author == author(1) }, author: { _ in "" }, proof: .none)
        #expect((check.records, check.damaged, check.forged, check.faults) == (3, 1, 1, 0))
        #expect(!check.isSound)
        #expect(check.problems.count == 2)
        #expect(check.problems[0].hasPrefix("row 2 at 0100000000000000000000000000000000000000: its author"))
        #expect(check.problems[1].hasPrefix("row 3 at 0900000000000000000000000000000000000000: its bytes"))
    }

    @Test func `problems beyond the first are counted only`() throws {
        let folder = try Folder()
        let store = try store(in: folder, (0..<50).map { record(by: $0) })
        let check = try store.check(verifies: { _ in false }, author: { _ in "" }, proof: .none)
        #expect(check.forged == 50 && check.problems.count == StoreCheck.problemLimit)
    }

    @Test func `an index that does not fit its table is found`() throws {
        let folder = try Folder()
        let store = try store(in: folder)
        // The index says one thing, the row another: only a faulty disk does that, or this.
        try store.database.pool.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA writable_schema = ON")
            try $0.execute(
                sql: """
                    CREATE TABLE spare (location, author); CREATE INDEX place ON spare (location, author);
                    UPDATE sqlite_schema SET tbl_name = 'record',
                    sql = 'CREATE INDEX place ON record (location, author)' WHERE name = 'place';
                    """
            )
            try $0.execute(sql: "PRAGMA writable_schema = RESET")
        }
        let check = try store.check(verifies: { _ in true }, author: { _ in "" }, proof: .none)
        #expect(check.faults > 0 && check.damaged == 0 && !check.isSound)
        #expect(check.problems.contains { $0.hasPrefix("file: ") })
    }

    // MARK: Export

    @Test func `an export has a line of JSON a record, by place and author`() throws {
        let folder = try Folder()
        let lines = try exported(store(in: folder))
        let base64 = Self.records.map { Data($0.bytes).base64EncodedString() }
        #expect(
            lines.first == """
                {"author":"author-16843009","expires":17592189644,"key":"config/flags",\
                "record":"\(base64[0])","revision":1152921504606846976,\
                "revision_text":"1152921504606846976","schema":1,"tombstone":false}
                """
        )
        #expect(lines[1].contains(#""key":"schlüssel""#) && lines[1].contains(#""tombstone":true"#))
        #expect(lines[1].contains(#""revision":18446744073709551615"#))
        #expect(lines.count == 3)
    }

    @Test func `a key that is no text is exported in base64`() throws {
        let folder = try Folder()
        var bytes = record(key: "key").bytes
        bytes[RecordLayout.keyOffset] = 0xFF
        let lines = try exported(store(in: folder, [#require(decoded(bytes))]))
        #expect(lines[0].contains(#""key_base64":"/2V5""#) && !lines[0].contains(#""key":"#))
    }

    @Test func `damaged records are left out of an export, and counted`() throws {
        let folder = try Folder()
        let store = try store(in: folder)
        try store.database.pool.write { try $0.execute(sql: "UPDATE record SET bytes = x'00' WHERE id = 1") }
        var lines = 0
        let summary = try store.export(author: { _ in "" }, proof: .simple) { _ in lines += 1 }
        #expect((summary.records, summary.damaged, lines) == (2, 1, 4))
    }

    @Test func `an export ends when its lines cannot be written`() throws {
        let folder = try Folder()
        let store = try store(in: folder)
        var lines = 0
        #expect(throws: RecordStoreError.full) {
            _ = try store.export(author: { _ in "" }, proof: .simple) { _ throws(RecordStoreError) in
                lines += 1
                if lines == 2 { throw .full }
            }
        }
        #expect(lines == 2)
    }

    // MARK: Import

    @Test func `what was exported is imported, and imported again changes nothing`() throws {
        let (one, two) = (try Folder(), try Folder())
        let lines = try exported(store(in: one))
        let store = try SQLiteRecordStore(in: two)
        #expect(try imported(lines, into: store).summary.stored == 3)
        #expect(try store.all == Self.records)
        let again = try imported(lines + ["", " \r"], into: store).summary
        #expect((again.stored, again.known, again.bad, again.lines) == (0, 3, 0, 5))
        #expect(try imported(lines, into: MemoryRecordStore()).store.count == 3)
    }

    @Test func `an older record never replaces a newer one`() throws {
        let (one, two) = (try Folder(), try Folder())
        let lines = try exported(store(in: one, [record(by: 1, revision: 5), record(by: 2, revision: 5)]))
        let store = try store(in: two, [record(by: 1, revision: 6), record(by: 2, revision: 4)])
        let summary = try imported(lines, into: store).summary
        #expect((summary.stored, summary.known) == (1, 1))
        #expect(try store.all == [record(by: 1, revision: 6), record(by: 2, revision: 5)])
    }

    @Test func `of two records in one file the newer stays, in either order`() throws {
        let lines = try ([5, 6] as [UInt64]).flatMap { revision in
            let folder = try Folder()
            return try exported(store(in: folder, [record(revision: revision)]))
        }
        for order in [lines, lines.reversed()] {
            let store = try imported(order, into: MemoryRecordStore()).store
            #expect(store.records(at: record().location) == [record(revision: 6)])
        }
    }

    @Test func `bad lines are told by their number, and the others taken`() throws {
        let folder = try Folder()
        let good = try exported(store(in: folder))
        let short = Data(Self.records[0].bytes.dropLast()).base64EncodedString()
        let lines = [
            good[0], "not JSON", "", "{}", #"{"schema":2,"record":"AAAA"}"#, #"{"schema":1,"record":"*"}"#,
            #"{"schema":1,"record":"\#(short)"}"#, good[1], "[1]", good[2],
        ]
        let task = try imported(lines, into: MemoryRecordStore(), verifies: { $0.author == author(1) })
        #expect(task.summary.problems.map(\.line) == [2, 4, 5, 6, 7, 8, 9])
        #expect(task.summary.problems[2].reason.contains("upgrade"))
        #expect(task.summary.problems[5].reason.contains("did not sign"))
        #expect((task.summary.bad, task.summary.stored, task.summary.lines) == (7, 2, 10))
    }

    @Test func `only schema and record of a line count`() throws {
        let folder = try Folder()
        let line = try exported(store(in: folder))[0]
            .replacing("\"revision\":1152921504606846976", with: "\"revision\":1.2e18")
            .replacing("\"author\":", with: "\"AUTHOR\":")
        #expect(try imported([line], into: MemoryRecordStore()).summary.stored == 1)
    }

    @Test func `records more than five minutes ahead of the clock are left out, and counted`() throws {
        let folder = try Folder()
        // Milliseconds 1,300,000 and one more.
        let records = [record(by: 1, revision: 1_300_000 << 16), record(by: 2, revision: 1_300_001 << 16)]
        let lines = try exported(store(in: folder, records))
        let task = try imported(lines, into: MemoryRecordStore(), at: 1_000_000)
        let summary = task.summary
        #expect((summary.stored, summary.ahead, summary.bad) == (1, 1, 0))
        #expect(task.store.records(at: record().location) == [records[0]])
        #expect(summary.problems.map(\.line) == [2])
        #expect(summary.problems.first?.reason.contains("300 s ahead") == true)
    }

    @Test func `an import commits by batches and tells of each`() throws {
        let (one, two) = (try Folder(), try Folder())
        let records = (0..<6).flatMap { place in (0..<200).map { record(at: place, by: $0) } }
        let lines = try exported(store(in: one, records))
        let store = try SQLiteRecordStore(in: two)
        var told: [Int] = []
        var task = RecordImport(
            into: store,
            unixMilliseconds: .max,
            decode: { decoded($0) },
            verifies: { _ in true },
            proof: .simple,
            progress: { told.append($0.stored) }
        )
        for line in lines { try task.take(Array(line.utf8)) }
        #expect(store.count == 1000)
        try task.finish()
        #expect(told == [500, 1000, 1200])
        #expect(try store.all == records)
    }

    @Test func `what was imported before the disk was full stays`() throws {
        let folder = try Folder()
        let records = (0..<6).flatMap { place in (0..<200).map { record(at: place, by: $0) } }
        let lines = try exported(store(in: folder, records))
        let room = 700 * record().bytes.count
        var task = RecordImport(
            into: MemoryRecordStore(byteCapacity: room),
            unixMilliseconds: .max,
            decode: { decoded($0) },
            verifies: { _ in true },
            proof: .simple
        )
        #expect(throws: RecordStoreError.full) {
            for line in lines { try task.take(Array(line.utf8)) }
        }
        #expect((task.summary.stored, task.store.count) == (500, 500))
    }
}
