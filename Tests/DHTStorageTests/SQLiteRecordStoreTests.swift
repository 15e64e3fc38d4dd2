import DHTCore
import DHTStorage
import Foundation
import GRDB
import Testing

import struct DHTCore.Record

struct SQLiteRecordStoreTests {
    @Test func `the SQLite store conforms`() throws {
        let folder = try Folder()
        var made = 0
        try RecordStoreConformance {
            made += 1
            let database = try NodeDatabase(
                directory: folder.file("\(made)"),
                owner: author(1),
                durability: .normal
            )
            return try SQLiteRecordStore(database)
        }.checkAll(seeds: 3)
    }

    @Test func `records are there when the store is opened again`() throws {
        let folder = try Folder()
        let records = (1...40).map { record(at: $0 % 7, by: $0, revision: .max - UInt64($0)) }
        do {
            let store = try SQLiteRecordStore(in: folder)
            try store.apply(records.map { .put($0) })
            try store.apply([.remove(location: record(at: 3).location, author: author(3))])
        }
        let store = try SQLiteRecordStore(in: folder)
        let left = records.filter { $0.author != author(3) }
            .sorted { ($0.location, $0.author) < ($1.location, $1.author) }
        #expect(try store.all == left)
        #expect(store.count == left.count)
        #expect(store.byteCount == left.reduce(0) { $0 + $1.bytes.count })
    }

    @Test func `one thread reads while others write`() async throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record(by: 1, revision: 0)), .put(record(by: 2, revision: 0))])
        try await withThrowingTaskGroup { group in
            group.addTask {
                for revision in 1...200 as ClosedRange<UInt64> {
                    try store.apply([
                        .put(record(by: 1, revision: revision)), .put(record(by: 2, revision: revision)),
                    ])
                }
            }
            for _ in 1...2 {
                group.addTask {
                    for _ in 1...200 {
                        // Both are of one commit, whichever it is.
                        let seen = try store.records(at: record().location)
                        #expect(seen.count == 2 && seen[0].revision == seen[1].revision)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try store.record(at: record().location, by: author(2))?.revision.rawValue == 200)
        #expect(store.count == 2)
    }

    // MARK: Damage

    /// Changes to one row, none of which SQLite itself objects to.
    static let damages = [
        "bytes = zeroblob(20)", "bytes = x''", "bytes = substr(bytes, 2)",
        "bytes = CAST(substr(bytes, 1, 60) || x'FF' || substr(bytes, 62) AS BLOB)",
        "bytes = CAST(bytes || x'00' AS BLOB)",
        "digest = zeroblob(32)", "author = CAST(x'02' || substr(author, 2) AS BLOB)",
        "revision = revision + 65536, expiry = expiry + 1000", "byte_count = byte_count + 1",
        "is_tombstone = 1", "expiry = expiry + 1000",
    ]

    @Test(arguments: damages)
    func `a damaged row is skipped and counted`(damage: String) throws {
        let folder = try Folder()
        let (good, bad) = (
            record(at: 1, by: 7, value: [5]), record(at: 1, by: 1, revision: 1 << 40, value: [4])
        )
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(bad), .put(good)])
        try store.database.pool.write {
            try $0.execute(
                sql: "UPDATE record SET \(damage) WHERE author = ?",
                arguments: [Data(bad.author.bytes)]
            )
        }
        #expect(try store.records(at: bad.location) == [good])
        #expect(store.damaged == 1)
        #expect(try store.all == [good])
        #expect(store.damaged == 2)
        #expect(try store.record(at: bad.location, by: bad.author) == nil)
        #expect(try store.check(verifies: { _ in true }, author: { _ in "" }, proof: .none).damaged == 1)
    }

    @Test func `a damaged row gives way to a good record`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record())])
        try store.database.pool.write { try $0.execute(sql: "UPDATE record SET bytes = zeroblob(9)") }
        try store.apply([.put(record())])
        #expect(try store.all == [record()])
        #expect(store.count == 1)
    }

    @Test func `columns no record has do not reach the catalog`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record(by: 1)), .put(record(by: 2)), .put(record(by: 3)), .put(record(by: 4))])
        try store.database.pool.write {
            try $0.execute(
                sql: """
                    UPDATE record SET revision = revision | (1 << 62) WHERE author < x'02';
                    UPDATE record SET expiry = 0 WHERE author BETWEEN x'02' AND x'03';
                    UPDATE record SET byte_count = 1 << 60 WHERE author BETWEEN x'03' AND x'04';
                    """
            )
        }
        var shown: [Identity] = []
        try store.forEachEntry { shown.append($1.author) }
        #expect(shown == [author(4)])
        #expect(store.damaged == 3)
        // Nor does what they say trap anything.
        try store.apply([.put(record(by: 3)), .remove(location: record().location, author: author(1))])
        #expect(store.byteCount == 3 * record().bytes.count)
    }

    // MARK: Full disks

    @Test func `a full store still reads, and writes again when there is room`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record(by: 1))])
        try store.database.confine(room: 2)
        let many = (2...200).map {
            RecordChange.put(record(by: $0, value: [UInt8](repeating: 1, count: 600)))
        }
        #expect(throws: RecordStoreError.full) { try store.apply(many) }
        #expect(try store.all == [record(by: 1)])
        #expect(store.count == 1)
        try store.apply([.remove(location: record().location, author: author(1))])
        #expect(try store.all == [])
        try store.database.confine(room: nil)
        try store.apply(many)
        #expect(store.count == 199)
        #expect(try store.all.count == 199)
    }

    @Test func `of batches committed together one that does not fit does not refuse the others`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record(by: 1))])
        try store.database.confine(room: 2)
        let large = (2...200).map {
            RecordChange.put(record(by: $0, value: [UInt8](repeating: 1, count: 600)))
        }
        let ends = store.apply(batches: [[.put(record(by: 201))], large, [.put(record(by: 202))]])
        #expect(ends.map { Ending($0) } == [.stored, .full, .stored])
        #expect(try store.all == [record(by: 1), record(by: 201), record(by: 202)])
        #expect(store.count == 3)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "only root may mount a small disk"))
    func `a disk that is really full is told to be full`() throws {
        let folder = try Folder()
        let disk = try #require(SmallDisk(at: folder.file("disk"), bytes: 1 << 20))
        let database = try NodeDatabase(directory: disk.path + "/node", owner: author(1))
        let store = try SQLiteRecordStore(database)
        var error: RecordStoreError?
        var stored = 0
        while error == nil, stored < 10_000 {
            let batch = (0..<50).map {
                record(at: UInt8(stored / 50), by: $0, value: [UInt8](repeating: 1, count: 600))
            }
            do {
                try store.apply(batch.map { .put($0) })
                stored += batch.count
            } catch let refusal {
                error = refusal
            }
        }
        #expect(error == .full)
        #expect(store.count == stored && stored > 0)
        #expect(try store.all.count == stored)
        // Files of others make room, or their end does.
        try disk.grow(to: 8 << 20)
        try store.apply([.put(record(at: 255, by: 255))])
        #expect(try store.all.count == stored + 1)
        #expect(try store.check(verifies: { _ in true }, author: { _ in "" }, proof: .none).isSound)
        database.close()
    }

    @Test func `a closed store is unavailable`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        store.database.close()
        #expect(throws: RecordStoreError.self) { try store.apply([.put(record())]) }
        #expect(store.apply(batches: [[.put(record())]]).map { Ending($0) } == [.unavailable])
        #expect(throws: RecordStoreError.self) { try store.records(at: record().location) }
    }

    // MARK: Crashes

    @Test func `what was committed is there after a crash`() throws {
        let (folder, copy) = (try Folder(), try Folder())
        let store = try SQLiteRecordStore(in: folder, durability: .full)
        for place in 1...20 as ClosedRange<UInt8> { try store.apply([.put(record(at: place))]) }
        // The files of a process that is killed are those of one that runs.
        try copy.write(#require(folder.bytes("records.sqlite")), to: "records.sqlite")
        try copy.write(#require(folder.bytes("records.sqlite-wal")), to: "records.sqlite-wal")
        #expect(try SQLiteRecordStore(in: copy).all == (1...20).map { record(at: $0) })
    }

    @Test func `after a power cut there are whole batches or none`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        for place in 1...12 as ClosedRange<UInt8> {
            try store.apply((1...9).map { .put(record(at: place, by: $0)) })
        }
        let file = try #require(folder.bytes("records.sqlite"))
        let log = try #require(folder.bytes("records.sqlite-wal"))
        var seen: Set<Int> = []
        for length in stride(from: 0, through: log.count, by: log.count / 25) {
            let copy = try Folder()
            try copy.write(file, to: "records.sqlite")
            try copy.write(Array(log.prefix(length)), to: "records.sqlite-wal")
            let records: [Record]
            do {
                records = try SQLiteRecordStore(in: copy).all
            } catch let error as NodeDatabaseError {
                Issue.record("\(length) bytes of log: \(error)")
                continue
            }
            let whole = records.count / 9
            #expect(
                records
                    == (0..<whole).flatMap { place in (1...9).map { record(at: UInt8(place) + 1, by: $0) } }
            )
            seen.insert(whole)
        }
        #expect(seen.count > 6)
    }
}

/// A file system of few bytes.
final class SmallDisk {
    let path: String

    static let isPossible: Bool = {
        guard geteuid() == 0, let folder = try? Folder() else { return false }
        return SmallDisk(at: folder.file("disk"), bytes: 1 << 20) != nil
    }()

    init?(at path: String, bytes: Int) {
        self.path = path
        guard mkdir(path, 0o700) == 0, Self.run(["-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path]) else {
            return nil
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    func grow(to bytes: Int) throws {
        try #require(Self.run(["-o", "remount,size=\(bytes)", path]))
    }

    private static func run(_ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/mount")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
