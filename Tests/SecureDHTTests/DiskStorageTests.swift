import DHTCore
import DHTCrypto
import DHTStorage
import Foundation
import GRDB
import Logging
import Synchronization
import Testing

@testable import SecureDHT

struct DiskStorageTests {
    private let folder: Folder
    private let database: NodeDatabase
    private let store: SQLiteRecordStore
    private let disk: DiskStorage

    init() throws {
        folder = try Folder()
        database = try NodeDatabase(directory: folder.path, owner: nil)
        store = try SQLiteRecordStore(database) { _ in nil }
        disk = DiskStorage(store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func `telling what became of a ticket is as short a way after many as after one`() async throws {
        let depths = Mutex<[Int]>([])
        disk.report { _ in depths.withLock { $0.append(Thread.callStackReturnAddresses.count) } }
        for number in 1...100 as ClosedRange<UInt64> {
            disk.load(Ticket.core(number), at: sha1([1]), by: [])
            for _ in 0..<6000 where depths.withLock({ $0.count }) < number {
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        let seen = depths.withLock { $0 }
        #expect(seen.count == 100 && Set(seen.dropFirst()).count == 1)
        disk.close()
    }

    private func value(_ key: UInt8) -> RenewedValue {
        RenewedValue(key: [key], lifetime: 60, revision: Revision(rawValue: UInt64(key)))
    }

    @Test func `a kept value that the disk refused is written down with the next one`() async throws {
        try await database.pool.writeWithoutTransaction {
            try $0.execute(
                sql: "CREATE TEMP TRIGGER no BEFORE INSERT ON main.kept BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        }
        disk.record([[1]: value(1), [2]: value(2)])
        await disk.flush()
        #expect(try database.kept().isEmpty)
        #expect(disk.problem != nil)
        disk.record([[2]: nil])
        await disk.flush()
        try await database.pool.writeWithoutTransaction { try $0.execute(sql: "DROP TRIGGER temp.no") }
        disk.record([[3]: value(3)])
        await disk.flush()
        #expect(try database.kept() == [value(1), value(3)])
        disk.close()
    }

    @Test func `what is deleted is given back to the system, while others write`() async throws {
        let digest = try #require(Digest([UInt8](repeating: 1, count: 32)[...]))
        let reference = try #require(ContentReference(length: 12_800_000, digest: digest))
        try store.apply([.beginContent(reference, outline: [])])
        for index in 0..<200 {
            let piece = [UInt8](repeating: UInt8(index), count: 64_000)
            try store.apply([.putPiece(piece, index: index, of: digest)])
        }
        try store.apply([.removeContent(digest)])
        let full = try #require(await disk.size())
        #expect(full.file > 12_800_000)
        var pauses: Set<Interval> = []
        for turn in 0..<5000 {
            disk.record([[UInt8(turn % 256)]: value(1)])
            pauses.insert(await withCheckedContinuation { next in disk.tidy { next.resume(returning: $0) } })
            await disk.flush()
            guard let size = await disk.size(), size.onDisk > 2_000_000 else { break }
        }
        #expect(pauses == [Shrinking.interval, Shrinking.pause])
        let end = try #require(await disk.size())
        #expect(end.onDisk <= 2_000_000)
        #expect(disk.problem == nil)
        disk.close()
    }
}
