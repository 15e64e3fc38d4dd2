import DHTCore
import GRDB
import Glibc

/// Why a backup was not taken. The directory is as it was.
package enum DatabaseRestoreError: Error, Hashable, Sendable {
    /// The directory cannot be used.
    case directory(NodeDatabaseError)
    /// The backup could not be written there; the system's reason.
    case unwritten(path: String, reason: String)
    /// There is a database already.
    case occupied(path: String)
    /// The backup is none that can be used.
    case backup(NodeDatabaseError)
}

/// Takes a copy of a node's database into a directory that no process uses: whole and checked, or not at all.
package final class DatabaseRestore {
    /// The outcome, of what was taken.
    package struct Summary: Hashable, Sendable {
        package let records: Int
        /// Of the node that the database is of; `nil`: whoever opens it first.
        package let owner: Identity?
        /// The new place of the database that was there before.
        package let former: String?
    }

    private let directory: String
    private let isReplacing: Bool
    private let file: DatabaseFile
    private let draft: DatabaseFile
    private let lock: DirectoryLock
    private var descriptor: Int32

    /// Locks the directory, which is made if it is missing, until this is let go of.
    ///
    /// - Parameter isReplacing: Whether a database that is there gives way, and stays beside under another
    ///   name.
    package init(_ directory: String, isReplacing: Bool) throws(DatabaseRestoreError) {
        (self.directory, self.isReplacing) = (directory, isReplacing)
        file = DatabaseFile(directory: directory)
        draft = DatabaseFile(directory: directory, fileName: DatabaseFile.restoredName)
        do throws(NodeDatabaseError) {
            try DatabaseFile.makeDirectory(directory)
            lock = try DirectoryLock(directory)
        } catch { throw .directory(error) }
        if !isReplacing, let taken = Self.occupant(of: file) { throw .occupied(path: taken) }
        DatabaseFile.clear(draft.path)
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        descriptor = unsafe open(draft.path, flags, mode_t(0o600))
        guard descriptor >= 0 else { throw .directory(NodeDatabaseError(draft.path, errno)) }
        fchmod(descriptor, 0o600)  // whatever the umask
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        DatabaseFile.clear(draft.path)
    }

    /// The database that is there, or a log of one.
    private static func occupant(of file: DatabaseFile) -> String? {
        file.exists ? file.path : log(of: file.path)
    }

    /// The file that holds a part of the database at `path`, if one does.
    package static func log(of path: String) -> String? {
        DatabaseFile.logs.map { path + $0 }.first { DatabaseFile.holdsSomething($0) }
    }

    /// Takes the next bytes of the backup.
    package func append(_ bytes: [UInt8]) throws(DatabaseRestoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .unwritten(path: directory, reason: systemMessage(errno)) }
            rest = rest.dropFirst(count)
        }
    }

    /// Checks what came, and puts it into its place.
    ///
    /// - Parameter isForAnother: Whether it is for a node with another identity: that one takes over records
    ///   and long values, and nothing of what the former node signed or keeps alive.
    package func finish(isForAnother: Bool) throws(DatabaseRestoreError) -> Summary {
        do throws(NodeDatabaseError) {
            try checkLength()
            try draft.examine(.current, owner: nil)
        } catch { throw .backup(error) }
        let (records, owner) = try settle(isForAnother: isForAnother)
        do throws(NodeDatabaseError) {
            guard fsync(descriptor) == 0 else { throw NodeDatabaseError(directory, errno) }
            for companion in DatabaseFile.companions { unsafe unlink(draft.path + companion) }
            let former = try setAside()
            guard unsafe rename(draft.path, file.path) == 0 else {
                throw NodeDatabaseError(file.path, errno)
            }
            DatabaseFile.flush(directory)
            return Summary(records: records, owner: owner, former: former)
        } catch { throw .directory(error) }
    }

    /// Refuses a file that ends before its last page.
    private func checkLength() throws(NodeDatabaseError) {
        var header = [UInt8](repeating: 0, count: 32)
        guard unsafe pread(descriptor, &header, header.count, 0) == header.count else { return }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw NodeDatabaseError(directory, errno) }
        // SQLite, "Database File Format", section 1.3: where these two are; 1 stands for 65,536.
        let (size, pages): (UInt16, UInt32) = (header[16...].bigEndian(), header[28...].bigEndian())
        let length = (size == 1 ? 65_536 : Int(size)) * Int(pages)
        guard Int(status.st_size) >= length || !header.starts(with: Array("SQLite format 3".utf8)) else {
            throw .damaged(path: draft.path, problem: "it has \(status.st_size) bytes of \(length)")
        }
    }

    /// Looks at all of the file, and takes out what another node has no use for.
    private func settle(isForAnother: Bool) throws(DatabaseRestoreError) -> (records: Int, owner: Identity?) {
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
        do {
            let queue = try DatabaseQueue(path: draft.path, configuration: configuration)
            let found = try queue.writeWithoutTransaction { database in
                let problem = try String.fetchOne(database, sql: "PRAGMA integrity_check(1)")
                if let problem, problem != "ok" {
                    throw NodeDatabaseError.damaged(path: draft.path, problem: DatabaseFile.line(problem))
                }
                if isForAnother {
                    for table in ["identity", "own_revision", "kept"] {
                        try database.execute(sql: "DELETE FROM \(table)")
                    }
                }
                let records = try Int.fetchOne(database, sql: "SELECT count(*) FROM record")
                // The log has the deletions, and stays behind.
                _ = try Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
                return (records ?? 0, try DatabaseFile.owner(in: database))
            }
            try queue.close()
            return found
        } catch let error as NodeDatabaseError {
            throw .backup(error)
        } catch { throw .backup(DatabaseFile.refusal(error, path: draft.path)) }
    }

    // MARK: The database before

    /// Gives the database that is there a second name, under which it stays when the new one takes its place.
    private func setAside() throws(NodeDatabaseError) -> String? {
        guard Self.occupant(of: file) != nil else { return nil }
        try foldLog()
        guard
            let name = (1...999).lazy.map({ self.file.path + ".bak" + ($0 == 1 ? "" : "\($0)") })
                .first(where: { unsafe access($0, F_OK) != 0 })
        else { throw NodeDatabaseError(file.path, EEXIST) }
        if file.exists, unsafe link(file.path, name) != 0 { throw NodeDatabaseError(name, errno) }
        for log in DatabaseFile.logs where DatabaseFile.holdsSomething(file.path + log) {
            guard unsafe rename(file.path + log, name + log) == 0 else {
                throw NodeDatabaseError(name + log, errno)
            }
        }
        for companion in DatabaseFile.companions { unsafe unlink(file.path + companion) }
        return name
    }

    /// Writes its log into it, so that nothing is between it and the new one. The log of one that is not
    /// sound, or not ours, goes with it as it is.
    private func foldLog() throws(NodeDatabaseError) {
        guard file.exists, Self.log(of: file.path) != nil else { return }
        do throws(NodeDatabaseError) { try file.examine(.current, owner: nil) } catch {
            switch error {
            case .denied, .readOnly, .unavailable: throw error
            default: return
            }
        }
        do {
            let queue = try DatabaseQueue(path: file.path)
            try queue.writeWithoutTransaction {
                _ = try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
            try queue.close()
        } catch { throw DatabaseFile.refusal(error, path: file.path) }
    }
}
