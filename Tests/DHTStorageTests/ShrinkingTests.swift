import DHTCore
import Foundation
import GRDB
import Testing

@testable import DHTStorage

/// A database's file grows with what is in it, and gets shorter again.
struct ShrinkingTests {
    private static let mebibyte = 1 << 20

    private func size(file: Int, free: Int, log: Int = 0) -> DatabaseSize {
        var size = DatabaseSize()
        (size.file, size.free, size.log) = (file, free, log)
        return size
    }

    // MARK: When, and how much

    @Test func `what is free for a moment is left alone, and what stays free is given back`() {
        var shrinking = Shrinking()
        let half = size(file: 100 * Self.mebibyte, free: 50 * Self.mebibyte)
        for _ in 1..<Shrinking.patience { #expect(shrinking.next(half) == .rest) }
        #expect(shrinking.next(size(file: 100 * Self.mebibyte, free: 1)) == .rest, "it was used again")
        for _ in 1..<Shrinking.patience { #expect(shrinking.next(half) == .rest) }
        #expect(shrinking.wait == Shrinking.interval)
        guard case .release = shrinking.next(half) else {
            Issue.record("it begins")
            return
        }
        #expect(shrinking.wait == Shrinking.pause)
        #expect(shrinking.next(size(file: 52 * Self.mebibyte, free: 1 << 20)) == .truncateLog)
        #expect(shrinking.wait == Shrinking.interval)
        #expect(shrinking.next(size(file: 52 * Self.mebibyte, free: 1 << 20)) == .rest)
    }

    @Test func `little is not worth it`() {
        var shrinking = Shrinking()
        for _ in 0..<20 {
            #expect(shrinking.next(size(file: 5 << 20, free: 4 << 20)) == .rest)
            #expect(shrinking.next(size(file: 800 << 20, free: 99 << 20)) == .rest)
        }
        #expect(shrinking.next(size(file: 1 << 20, free: 0, log: 2 << 20)) == .truncateLog)
    }

    @Test func `a step takes as many pages as its time allows`() {
        var shrinking = Shrinking()
        let half = size(file: 100 << 20, free: 50 << 20)
        func pages() -> Int { if case .release(let pages) = shrinking.next(half) { pages } else { 0 } }
        for _ in 1..<Shrinking.patience { _ = shrinking.next(half) }
        let first = pages()
        shrinking.took(.milliseconds(1))
        #expect(pages() == 2 * first)
        shrinking.took(.milliseconds(2))
        #expect(pages() == 2 * first)
        shrinking.took(.milliseconds(4))
        #expect(pages() == first)
        for _ in 0..<20 { shrinking.took(.seconds(1)) }
        #expect(pages() == 16)
        for _ in 0..<20 { shrinking.took(.milliseconds(0)) }
        #expect(pages() == 256)
        shrinking.failed()
        #expect(shrinking.next(half) == .rest)
    }

    // MARK: On a disk

    /// Content of so many pieces of 64,000 bytes.
    private func fill(_ store: SQLiteRecordStore, _ pieces: Int) throws -> ContentReference {
        let reference = content(1, pieces: pieces)
        try store.apply([.beginContent(reference, outline: [1])])
        for index in 0..<pieces {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 64_000)
            try store.apply([.putPiece(bytes, index: index, of: reference.digest)])
        }
        return reference
    }

    @Test func `a file whose content is gone gets shorter step by step, and what is left is whole`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        try store.apply([.put(record())])
        let reference = try fill(store, 200)
        try store.database.truncateLog()
        let full = try store.database.size()
        #expect(full.file > 12_800_000 && full.free == 0 && full.log == 0)
        try store.apply([.removeContent(reference.digest), .put(record(by: 2))])
        #expect(try store.database.size().free > 12_000_000)
        var (shrinking, steps) = (Shrinking(), 0)
        while steps < 10_000 {
            switch shrinking.next(try store.database.size()) {
            case .release(let pages):
                try store.database.release(pages: pages)
                shrinking.took(.milliseconds(2))
                steps += 1
                continue
            case .truncateLog where steps > 0: try store.database.truncateLog()
            case .truncateLog, .rest: continue
            }
            break
        }
        #expect(steps > 10)
        let end = try store.database.size()
        #expect(end.file < 2_000_000 && end.log == 0 && end.free <= 1 << 20)
        #expect(folder.bytes("records.sqlite")?.count == end.file)
        let all = try store.all
        #expect(all.count == 2)
        #expect(try store.check(verifies: { _ in true }, author: { _ in "" }, proof: .none).isSound)
    }

    @Test func `a log is not cut off while somebody reads in it, and nobody waits`() throws {
        let folder = try Folder()
        let store = try SQLiteRecordStore(in: folder)
        let reference = try fill(store, 30)
        let other = try DatabaseQueue(path: folder.database)
        try other.inDatabase { database in
            try database.execute(sql: "BEGIN; SELECT count(*) FROM piece")
            _ = try fill(store, 31)
            try store.database.truncateLog()
            #expect(try store.database.size().log > 0)
            try database.execute(sql: "COMMIT")
        }
        try store.database.truncateLog()
        #expect(try store.database.size().log == 0)
        #expect(try store.part(.piece(3), of: reference.digest)?.bytes.count == 64_000)
    }

    @Test func `a file that could not get shorter is written anew at start`() throws {
        let folder = try Folder()
        try SQLiteRecordStore(in: folder).apply([.put(record())])
        do {
            let queue = try DatabaseQueue(path: folder.database)
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM")
                try $0.execute(sql: "PRAGMA journal_mode = WAL")
            }
            #expect(try queue.read { try Int.fetchOne($0, sql: "PRAGMA auto_vacuum") } == 0)
            try queue.close()
        }
        let store = try SQLiteRecordStore(in: folder)
        #expect(try store.database.pool.read { try Int.fetchOne($0, sql: "PRAGMA auto_vacuum") } == 2)
        #expect(try store.all == [record()])
    }
}
