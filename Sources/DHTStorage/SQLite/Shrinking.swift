import DHTCore
import GRDB
import Glibc

/// The size of a database on the disk, in bytes.
package struct DatabaseSize: Hashable, Sendable {
    /// Bytes of the file, and of the log beside it.
    package var file = 0
    package var log = 0
    /// Of the file, unused bytes.
    package var free = 0

    package var onDisk: Int { file + log }
}

/// When a database's file is to be made shorter, and by how much at a time.
///
/// SQLite uses free pages of the file again, so they are given back only if there are many for a while.
/// Giving back moves pages, in transactions during which nobody else can write: each is kept short.
package struct Shrinking: Sendable {
    package enum Step: Hashable, Sendable {
        /// Give back so many pages.
        case release(pages: Int)
        /// Cut the log off.
        case truncateLog
        /// Nothing for now.
        case rest
    }

    /// How long a step should take; the next has half or twice the pages if this one took more or much less.
    package static let target = Interval.milliseconds(3)
    /// Between two steps, and between two looks when there is nothing to do.
    package static let pause = Interval.milliseconds(20)
    package static let interval = Interval.seconds(5)
    /// Looks in a row that must find much free before pages are given back.
    package static let patience = 6
    /// Free bytes, and bytes of log, up to which a step is not worth it.
    static let leastFree = 4 << 20
    static let leastLog = 1 << 20
    private static let steps = 16...256

    /// Pages of the next step.
    private var pages = 16
    private var looks = 0
    private var isUnderWay = false

    package init() {}

    /// The next step for a database of this size.
    package mutating func next(_ size: DatabaseSize) -> Step {
        if isUnderWay {
            // Some is left: it will be needed again.
            if size.free > max(Self.leastFree / 4, size.file / 32) { return .release(pages: pages) }
            isUnderWay = false
            return .truncateLog
        }
        looks = size.free > max(Self.leastFree, size.file / 8) ? looks + 1 : 0
        if looks >= Self.patience {
            (isUnderWay, looks) = (true, 0)
            return .release(pages: pages)
        }
        return size.log > Self.leastLog ? .truncateLog : .rest
    }

    /// A step of pages took so long.
    package mutating func took(_ span: Interval) {
        if span > Self.target {
            pages = max(pages / 2, Self.steps.lowerBound)
        } else if span.nanoseconds < Self.target.nanoseconds / 2 {
            pages = min(pages * 2, Self.steps.upperBound)
        }
    }

    /// A step failed: no other follows at once.
    package mutating func failed() { (isUnderWay, looks) = (false, 0) }

    /// Until the next step or look.
    package var wait: Interval { isUnderWay ? Self.pause : Self.interval }
}

extension NodeDatabase {
    /// The size of the database on the disk now.
    package func size() throws(RecordStoreError) -> DatabaseSize {
        let free = try read { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            return try pages * (Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0)
        }
        return DatabaseSize(file: Self.length(path), log: Self.length(path + "-wal"), free: free)
    }

    private static func length(_ path: String) -> Int {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Gives back pages of the file in which nothing is, those of its end first.
    package func release(pages: Int) throws(RecordStoreError) {
        try writeAlone { try $0.execute(sql: "PRAGMA incremental_vacuum(\(pages))") }
    }

    /// Writes the log into the file and cuts it off, unless somebody is reading in it.
    package func truncateLog() throws(RecordStoreError) {
        try writeAlone { database in
            try database.execute(sql: "PRAGMA busy_timeout = 0")
            defer { try? database.execute(sql: "PRAGMA busy_timeout = \(Int(Self.patience * 1000))") }
            // It says so if it was busy; that is no error.
            _ = try? Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    /// Files of versions that could not give back anything are written anew once, if there is room for it.
    static func convert(_ pool: DatabasePool, directory: String, path: String) throws {
        try pool.writeWithoutTransaction { database in
            guard try Int.fetchOne(database, sql: "PRAGMA auto_vacuum") != 2 else { return }
            var system = statvfs()
            guard unsafe statvfs(directory, &system) == 0,
                UInt64(system.f_bavail) *| UInt64(system.f_frsize) > UInt64(length(path)) *| 3
            else { return }
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
        }
    }
}
