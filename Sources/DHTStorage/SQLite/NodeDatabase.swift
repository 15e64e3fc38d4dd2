import DHTCore
import FoundationEssentials
import GRDB

/// All of a node that outlives its process: one SQLite file, `records.sqlite` in a directory of its own.
///
/// Records go through a ``SQLiteRecordStore``; what else is remembered, through the methods here. Any thread
/// may call, and reading does not wait for writing; every call blocks its thread until the disk is done.
///
/// A database is of one identity: who opens it first with an owner claims it.
package final class NodeDatabase: Sendable {
    /// The failures that a commit survives: SQLite's `synchronous`.
    package enum Durability: String, CaseIterable, Sendable {
        /// On the disk, whatever happens to the process, the system or the power.
        case full
        /// Survives a crash of the process; the last commits before a power cut may be lost, whole ones.
        case normal
    }

    package let directory: String
    private let file: DatabaseFile
    /// Connections to the file: one that writes, and ``readers`` that read.
    package let pool: DatabasePool
    private let lock: DirectoryLock
    /// The files that are written, as they were when they were opened.
    private let places: [FilePlace]
    /// Of those who want a copy, one at a time.
    let copying = CopyTurn()

    /// More would cost memory and gain nothing: a node reads from one thread, tools from another.
    private static let readers = 2
    /// KiB of pages that each connection keeps; the system keeps the rest.
    private static let writerCache = 2048
    private static let readerCache = 512
    /// Bytes the log is cut back to after a burst.
    private static let logLimit = 8 << 20
    /// Seconds to wait for somebody who looks into the file with a tool of SQLite's.
    static let patience = 1.0

    /// Opens the database in `directory`, and locks the directory until this is closed.
    ///
    /// - Parameters:
    ///   - owner: The identity of the node; `nil` for tools, which neither claim nor mind whose it is.
    ///   - isMaking: Whether directory (0700) and file (0600) are made if they are missing.
    ///   - schema: Another one than ``Schema/current`` is for tests.
    package init(
        directory: String,
        owner: Identity?,
        durability: Durability = .full,
        isMaking: Bool = true,
        schema: Schema = .current
    ) throws(NodeDatabaseError) {
        self.directory = directory
        file = DatabaseFile(directory: directory)
        if isMaking {
            try DatabaseFile.makeDirectory(directory)
        } else if !file.exists {
            throw .absent(directory: directory)
        }
        lock = try DirectoryLock(directory)
        DatabaseFile.removeLeftovers(in: directory)
        if !file.exists { try file.make(schema) }
        try file.examine(schema, owner: owner)
        do {
            pool = try Self.open(file.path, durability)
            try pool.writeWithoutTransaction { try schema.complete($0) }
            if let owner {
                // A file that cannot be converted is used as it is.
                try? Self.convert(pool, directory: directory, path: file.path)
                try pool.write {
                    try $0.execute(
                        sql: "INSERT INTO identity (only, identity) VALUES (1, ?) ON CONFLICT DO NOTHING",
                        arguments: [Data(owner.bytes)]
                    )
                }
            }
            places = [file.path, file.path + "-wal"].compactMap { FilePlace($0) }
        } catch {
            throw DatabaseFile.refusal(error, path: file.path)
        }
    }

    deinit { close() }

    private static func open(_ path: String, _ durability: Durability) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.maximumReaderCount = readers
        configuration.busyMode = .timeout(patience)
        configuration.prepareDatabase { database in
            let cache = database.configuration.readonly ? readerCache : writerCache
            try database.execute(
                sql: """
                    PRAGMA cache_size = -\(cache); PRAGMA journal_size_limit = \(logLimit);
                    PRAGMA trusted_schema = OFF
                    """
            )
        }
        let pool = try DatabasePool(path: path, configuration: configuration)
        // Not above: GRDB sets NORMAL after that.
        try pool.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA synchronous = \(durability.rawValue)")
        }
        return pool
    }

    /// Writes the log into the file and lets go of the directory; later calls throw. `deinit` does the same.
    package func close() {
        // Readers first: the connection that is closed last writes the log into the file, and they may not.
        pool.releaseMemory()
        // Nothing is lost if it cannot: the log is played in when the file is opened again.
        try? pool.close()
        lock.release()
    }

    /// The file's.
    var path: String { file.path }

    /// Whose the database is; `nil` as long as no node opened it.
    package func owner() throws(RecordStoreError) -> Identity? {
        try read { try DatabaseFile.owner(in: $0) }
    }

    // MARK: For the tables

    func read<Value>(_ body: (Database) throws -> Value) throws(RecordStoreError) -> Value {
        do { return try pool.read(body) } catch { throw RecordStoreError(error) }
    }

    /// Lets `body` write outside a transaction.
    func writeAlone(_ body: (Database) throws -> Void) throws(RecordStoreError) {
        do { try pool.writeWithoutTransaction(body) } catch { throw RecordStoreError(error) }
    }

    /// All that `body` writes, or nothing.
    func write<Value>(_ body: (Database) throws -> Value) throws(RecordStoreError) -> Value {
        let value: Value
        do { value = try pool.write(body) } catch {
            let isReadOnly = (error as? DatabaseError)?.resultCode == .SQLITE_IOERR && file.isReadOnly
            throw isReadOnly ? .readOnly : RecordStoreError(error)
        }
        // Afterwards: what went into a file without a name is gone when we let go of it.
        if let loss { throw .unavailable(loss) }
        return value
    }

    /// The process that wanted the directory last since this was asked before; `nil`: none did.
    package func takeRival() -> Int32? { lock.takeRival() }

    /// Why nothing that is written would be found again, if so: somebody took the files away.
    package var loss: String? {
        guard let gone = places.first(where: { !$0.isInPlace }) else { return nil }
        return "\(gone.path) was removed or replaced while the node runs: start the node anew"
    }
}

extension RecordStoreError {
    static var readOnly: Self { .unavailable("the file system is read-only, or the file is") }

    /// The error of SQLite's as the driver knows it: `full`, or `unavailable` with words for the operator.
    init(_ error: any Error) {
        if let own = error as? RecordStoreError {
            self = own
            return
        }
        self =
            switch (error as? DatabaseError)?.resultCode {
            case .SQLITE_FULL?: .full
            case .SQLITE_READONLY?: .readOnly
            default: .unavailable(DatabaseFile.message(error))
            }
    }
}

extension Row {
    /// A column's bytes, whatever it holds: a damaged file may hold anything.
    func bytes(at column: Int) -> [UInt8] {
        // The closure throws nothing, so nothing is thrown.
        (try? withUnsafeData(atIndex: column) {
            $0.map { unsafe $0.withUnsafeBytes { unsafe Array($0) } } ?? []
        }) ?? []
    }

    /// A column's integer, as the 64 bits it is; `nil` if it holds something else.
    func bits(at column: Int) -> UInt64? {
        guard case .int64(let value) = (self[column] as DatabaseValue).storage else { return nil }
        return UInt64(bitPattern: value)
    }

    /// A column's count, as SQLite counted it; 0 for the sum of nothing, which is `NULL`.
    func count(at column: Int) -> Int { bits(at: column).flatMap { Int(exactly: $0) } ?? 0 }
}
