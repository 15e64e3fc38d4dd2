import DHTCore
import GRDB
import Glibc
import Synchronization

/// Why there is no copy of a database.
package enum DatabaseCopyError: Error, Hashable, Sendable {
    /// Another copy is being made, or taken away.
    case underWay
    /// It is not wanted any more.
    case unwanted
    /// So many bytes are needed in a directory, and these are free.
    case noRoom(directory: String, needed: Int, free: Int)
    /// The disk was full before the copy was whole.
    case full(directory: String)
    /// In words.
    case failed(String)
}

/// A copy of a node's database as it was at one moment. It is in a file without a name, which is gone when
/// nobody holds the copy any more, or when the process ends.
package final class DatabaseCopy: Sendable {
    /// Bytes.
    package let length: Int
    /// Records in it, tombstones among them.
    package let records: Int
    private let file: UnnamedFile
    private let turn: CopyTurn

    fileprivate init(_ file: UnnamedFile, records: Int, _ turn: CopyTurn) throws(DatabaseCopyError) {
        (self.file, self.records, self.turn) = (file, records, turn)
        var status = stat()
        guard unsafe fstat(file.descriptor, &status) == 0 else { throw .failed(systemMessage(errno)) }
        length = Int(status.st_size)
    }

    deinit { turn.leave() }

    /// Bytes from `offset` on, `count` at most; none at the end.
    package func bytes(at offset: Int, count: Int) throws(DatabaseCopyError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        while true {
            let read = unsafe pread(file.descriptor, &buffer, count, offset)
            if read >= 0 { return Array(buffer[..<read]) }
            guard errno == EINTR else { throw .failed(systemMessage(errno)) }
        }
    }
}

/// A file that is gone when nobody has it open.
private final class UnnamedFile: Sendable {
    let descriptor: Int32
    /// Its name until ``forget()``.
    let path: String

    init(in directory: String) throws(DatabaseCopyError) {
        var template = Array("\(directory)/\(DatabaseFile.copyMark)XXXXXX".utf8CString)
        descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else {
            throw errno == ENOSPC || errno == EDQUOT
                ? .full(directory: directory) : .failed("\(directory): \(systemMessage(errno))")
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        forget()
        close(descriptor)
    }

    func forget() { unsafe unlink(path) }
}

/// Lets one have a copy at a time: each takes as much of a disk as the database.
final class CopyTurn: Sendable {
    private let isTaken = Mutex(false)

    func take() -> Bool {
        isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
    }

    func leave() { isTaken.withLock { $0 = false } }
}

extension NodeDatabase {
    /// Pages of a step of the copy, after each of which it is asked whether it is still wanted.
    private static let copyStep: CInt = 64
    /// Bytes that are left to whoever writes meanwhile, besides an eighth of the database.
    private static let reserve = 16 << 20

    /// Copies all that is committed, as of one moment, while others write. It reads one state of the
    /// database to its end, so no writer makes it begin anew, and none waits for it; the log cannot be cut
    /// off meanwhile. Blocks its thread.
    ///
    /// - Parameters:
    ///   - folder: The directory whose disk takes the copy; the node's own if `nil`.
    ///   - isWanted: Told how many pages of how many are copied; whether to go on.
    package func copy(
        in folder: String? = nil,
        isWanted: (_ done: Int, _ total: Int) -> Bool = { _, _ in true }
    ) throws(DatabaseCopyError) -> DatabaseCopy {
        guard copying.take() else { throw .underWay }
        do throws(DatabaseCopyError) {
            let folder = folder ?? directory
            try checkRoom(in: folder)
            let file = try UnnamedFile(in: folder)
            let records = try fill(file, folder, isWanted)
            if let loss { throw .failed(loss) }
            return try DatabaseCopy(file, records: records, copying)
        } catch {
            copying.leave()
            throw error
        }
    }

    private func checkRoom(in folder: String) throws(DatabaseCopyError) {
        let size: DatabaseSize
        do throws(RecordStoreError) { size = try self.size() } catch { throw .failed("\(error)") }
        var system = statvfs()
        guard unsafe statvfs(folder, &system) == 0 else {
            throw .failed("\(folder): \(systemMessage(errno))")
        }
        let free = Int(clamping: UInt64(system.f_bavail) *| UInt64(system.f_frsize))
        let needed = size.onDisk + size.onDisk / 8 + Self.reserve
        guard free >= needed else { throw .noRoom(directory: folder, needed: needed, free: free) }
    }

    /// Returns how many records are in it.
    private func fill(
        _ file: UnnamedFile,
        _ folder: String,
        _ isWanted: (Int, Int) -> Bool
    ) throws(DatabaseCopyError) -> Int {
        var reading = Configuration()
        reading.readonly = true
        reading.prepareDatabase {
            try $0.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -512")
        }
        var writing = Configuration()
        writing.prepareDatabase {
            // A copy that is not finished is nobody's, and whoever gets it flushes it where it stays.
            try $0.execute(
                sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -512"
            )
        }
        do {
            // A connection of its own: the node's are for the node.
            let source = try DatabaseQueue(path: path, configuration: reading)
            let target = try DatabaseQueue(path: file.path, configuration: writing)
            file.forget()
            let records = try target.writeWithoutTransaction { target in
                // One transaction, so one state.
                try source.read { source in
                    let records = try Int.fetchOne(source, sql: "SELECT count(*) FROM record") ?? 0
                    // It is called before the copy returns, and never after.
                    try withoutActuallyEscaping(isWanted) { isWanted in
                        try source.backup(to: target, pagesPerStep: Self.copyStep) { progress in
                            let done = progress.completedPageCount
                            guard isWanted(done, progress.totalPageCount) else {
                                throw DatabaseCopyError.unwanted
                            }
                        }
                    }
                    return records
                }
            }
            try target.close()
            try source.close()
            return records
        } catch let error as DatabaseCopyError {
            throw error
        } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
            throw .full(directory: folder)
        } catch { throw .failed(DatabaseFile.message(error)) }
    }
}
