import DHTCore
import GRDB
import Glibc

/// The file of a node's database before SQLite may write to it: whether it is ours, and whether it is sound.
struct DatabaseFile {
    static let name = "records.sqlite"
    /// A restored database is called so until it is whole and checked.
    static let restoredName = name + ".restored"
    /// The beginning of the names that copies have for the moment in which SQLite opens them.
    static let copyMark = name + ".copy-"

    let directory: String
    /// Of one that is not in its place yet, another one.
    var fileName = Self.name
    var path: String { directory + "/" + fileName }
    /// Endings of the files that SQLite keeps beside a database: its journals, which hold a part of it, and
    /// those with the index of the log, which is of running processes only.
    static let logs = ["-wal", "-journal"]
    static let companions = logs + ["-shm"]

    /// Whether there is something of that name.
    var exists: Bool { Self.status(path) != nil }

    // MARK: Making

    /// Makes the directory with mode 0700, if only that is missing.
    static func makeDirectory(_ directory: String) throws(NodeDatabaseError) {
        if unsafe mkdir(directory, 0o700) == 0 {
            flush(parent(of: directory))
        } else if errno != EEXIST {
            throw NodeDatabaseError(directory, errno)
        }
        guard let status = status(directory), status.st_mode & S_IFMT == S_IFDIR else {
            throw NodeDatabaseError(directory, ENOTDIR)
        }
    }

    /// Makes the database under another name and renames it, so that there is never half a database.
    func make(_ schema: Schema) throws(NodeDatabaseError) {
        if let log = Self.logs.first(where: { Self.holdsSomething(path + $0) }) {
            // SQLite would play it into the new file.
            throw .damaged(path: path, problem: "it is gone, and its log \(Self.name)\(log) is still there")
        }
        let draft = path + ".draft"
        Self.clear(draft)
        // SQLite gives -wal and -shm the mode of the file itself.
        let file = unsafe open(draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw NodeDatabaseError(draft, errno) }
        fchmod(file, 0o600)  // whatever the umask
        close(file)
        do {
            var configuration = Configuration()
            configuration.prepareDatabase {
                // A crash leaves a draft, not a database: nothing to recover, so no journal in the directory.
                try $0.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL")
            }
            let queue = try DatabaseQueue(path: draft, configuration: configuration)
            try queue.writeWithoutTransaction {
                // Before anything is in it: what is deleted can be given back to the system.
                try $0.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
                try $0.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
                try schema.complete($0)
                // Here, not when it is opened: changing over writes a journal that a kill would leave behind.
                try $0.execute(sql: "PRAGMA journal_mode = WAL")
            }
            try queue.close()
        } catch {
            Self.clear(draft)
            throw .unavailable(path: draft, reason: Self.message(error))
        }
        guard unsafe rename(draft, path) == 0 else {
            let code = errno
            Self.clear(draft)
            throw NodeDatabaseError(path, code)
        }
        Self.flush(directory)
    }

    /// Nothing is left of a draft, nor of what SQLite had beside it: it would be played into the next one.
    static func clear(_ draft: String) {
        for name in [""] + companions { unsafe unlink(draft + name) }
    }

    /// Removes what processes that were killed left in a directory: what was restored halfway, and copies.
    static func removeLeftovers(in directory: String) {
        guard let stream = unsafe opendir(directory) else { return }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix(restoredName) || name.hasPrefix(copyMark) else { continue }
            unsafe unlink("\(directory)/\(name)")
        }
    }

    // MARK: Looking

    /// Refuses whatever we must not write to. Only reads; beside the file SQLite may leave an empty `-wal`
    /// and a `-shm`, which hold nothing of their own. But a transaction that a kill broke off in a rollback
    /// journal is taken back, as by whoever opens the file: before that it cannot be read.
    func examine(_ schema: Schema, owner: Identity?) throws(NodeDatabaseError) {
        try examineKinds()
        try examineHeader(schema)
        var configuration = Configuration()
        configuration.readonly = !Self.holdsSomething(path + "-journal")
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let (version, problem, found) = try queue.unsafeRead { database in
                // First of all: what is in a schema of somebody else's making runs when it is used.
                try database.execute(sql: "PRAGMA trusted_schema = OFF")
                // The count in the header may be behind: later steps may be in the log still.
                let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
                guard version <= schema.version else { return (version, String?.none, Identity?.none) }
                if let later = try schema.laterVersion(of: database, than: version) {
                    throw NodeDatabaseError.putBack(path: path, version: version, right: later)
                }
                if let other = try schema.difference(in: database, version: version) {
                    throw other.isMissing
                        ? NodeDatabaseError.damaged(path: path, problem: "it lacks \(other.name)")
                        : NodeDatabaseError.altered(path: path, name: other.name)
                }
                let problem = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
                return (version, problem == "ok" ? nil : problem ?? "no answer", try Self.owner(in: database))
            }
            try queue.close()
            if version > schema.version { throw NodeDatabaseError.newer(path: path) }
            if let problem { throw NodeDatabaseError.damaged(path: path, problem: Self.line(problem)) }
            if let owner, let found, owner != found {
                throw NodeDatabaseError.otherOwner(path: path, owner: found)
            }
        } catch let error as NodeDatabaseError {
            throw error
        } catch {
            throw Self.refusal(error, path: path)
        }
    }

    /// Whose the database is; `nil` as long as nobody claimed it.
    static func owner(in database: Database) throws -> Identity? {
        try Row.fetchOne(database, sql: "SELECT identity FROM identity").flatMap { Identity($0.bytes(at: 0)) }
    }

    /// Of a FIFO's name SQLite would wait for somebody to write.
    private func examineKinds() throws(NodeDatabaseError) {
        for path in [path] + Self.companions.map({ path + $0 }) {
            guard let status = Self.status(path) else { continue }
            guard status.st_mode & S_IFMT == S_IFREG else { throw .irregular(path: path) }
        }
    }

    /// Before SQLite sees the file: it makes files beside even a foreign one.
    private func examineHeader(_ schema: Schema) throws(NodeDatabaseError) {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw NodeDatabaseError(path, errno) }
        defer { close(file) }
        var header = [UInt8](repeating: 0, count: 100)
        let length = unsafe header.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, $0.count, 0) }
        if length < 0 { throw NodeDatabaseError(path, errno) }
        guard length == header.count, header.starts(with: Array("SQLite format 3".utf8) + [0]) else {
            throw .noDatabase(path: path)
        }
        // SQLite, "Database File Format", section 1.3: where these two are.
        let applicationID: UInt32 = header[68...].bigEndian()
        let version = Int32(bitPattern: header[60...].bigEndian())
        guard applicationID == UInt32(bitPattern: Schema.applicationID) else { throw .foreign(path: path) }
        guard version <= schema.version else { throw .newer(path: path) }
    }

    /// Whether nothing can be made beside it any more, as after an error of the disk: of that SQLite only
    /// says that writing failed.
    var isReadOnly: Bool {
        // A file without a name. Not the database's own: whoever closes that lets go of SQLite's locks.
        let unnamed: Int32 = 0o20_000_000
        let file = unsafe open(directory, unnamed | O_DIRECTORY | O_WRONLY | O_CLOEXEC, mode_t(0o600))
        guard file < 0 else {
            close(file)
            return false
        }
        return errno == EROFS
    }

    // MARK: Private

    /// The error for SQLite's refusal to open: `damaged` if the file is unsound, else `unavailable`.
    static func refusal(_ error: any Error, path: String) -> NodeDatabaseError {
        switch (error as? DatabaseError)?.resultCode {
        // A plain error is a table that is not there.
        case .SQLITE_CORRUPT?, .SQLITE_NOTADB?, .SQLITE_ERROR?:
            .damaged(path: path, problem: message(error))
        default: .unavailable(path: path, reason: message(error))
        }
    }

    /// SQLite's own words, on one line.
    static func message(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return line("\(error)") }
        return line(error.message ?? "SQLite error \(error.extendedResultCode.rawValue)")
    }

    static func line(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    private static func status(_ path: String) -> stat? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status : nil
    }

    static func holdsSomething(_ path: String) -> Bool { (status(path)?.st_size ?? 0) > 0 }

    private static func parent(of path: String) -> String {
        let trimmed = path.reversed().drop { $0 == "/" }
        let parent = String(trimmed.drop { $0 != "/" }.reversed())
        return parent.isEmpty ? "." : parent
    }

    /// A new name is on the disk once its directory is. Some file systems cannot, and need not.
    static func flush(_ directory: String) {
        let file = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { return }
        fsync(file)
        close(file)
    }
}
