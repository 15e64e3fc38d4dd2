import DHTCore
import Glibc

/// Why a node's directory was not opened. Its files are as they were.
package enum NodeDatabaseError: Error, Hashable, Sendable {
    /// Another process has the directory open.
    case inUse(directory: String)
    /// There was to be a database, and there is none.
    case absent(directory: String)
    /// The file is no SQLite database; an empty file is none either.
    case noDatabase(path: String)
    /// No regular file, but a FIFO, a directory or a device.
    case irregular(path: String)
    /// The count of the schema's steps, `user_version`, is less than the `right` one, that of its tables.
    case putBack(path: String, version: Int, right: Int)
    /// A database of another program.
    case foreign(path: String)
    /// The schema is of a later version than we know.
    case newer(path: String)
    /// The file contradicts itself; `problem` is SQLite's word for it.
    case damaged(path: String, problem: String)
    /// The database is of another node, whose identity is `owner`.
    case otherOwner(path: String, owner: Identity)
    /// The database has tables, triggers or views that we did not make; `name` is the first of them.
    case altered(path: String, name: String)
    /// The file system takes no writes.
    case readOnly(path: String)
    /// Permissions forbid it.
    case denied(path: String)
    /// The path is none where a directory or a file can be; `reason` is the system's word for it.
    case noPlace(path: String, reason: String)
    /// The system refused; `reason` is its word for it.
    case unavailable(path: String, reason: String)
}

extension NodeDatabaseError: CustomStringConvertible {
    /// One sentence for people, and what to do.
    package var description: String {
        switch self {
        case .inUse(let directory):
            "\(directory) is in use by another process. Stop that one, or name another directory"
        case .absent(let directory):
            "\(directory) holds no \(DatabaseFile.name): no node ever kept its records there"
        case .noDatabase(let path):
            "\(path) is no database and was left alone. Move it away, or name another directory"
        case .irregular(let path):
            "\(path) is no regular file and was left alone. Move it away, or name another directory"
        case .putBack(let path, let version, let right):
            """
            \(path) was left alone: somebody set its user_version to \(version), and its tables are those of \
            \(right). Set it right: sqlite3 \(path) 'PRAGMA user_version = \(right)', or restore a backup
            """
        case .foreign(let path):
            "\(path) is the database of another program and was left alone. Name another directory"
        case .newer(let path):
            "\(path) was made by a newer dht and was left alone. Upgrade dht"
        case .damaged(let path, let problem):
            """
            \(path) is damaged and was left alone: \(problem). Restore a backup, or move it away with its \
            -wal and -shm: other nodes have copies
            """
        case .otherOwner(let path, _):
            """
            \(path) belongs to another node's identity. Start it with that node's key, or give this node a \
            directory of its own
            """
        case .altered(let path, let name):
            """
            \(path) has something in its schema that dht did not make, \(name), and was left alone. Restore \
            a backup, or move it away with its -wal and -shm: other nodes have copies
            """
        case .readOnly(let path):
            "\(path) cannot be written: its file system is read-only. Name another directory"
        case .denied(let path):
            "\(path) cannot be opened: permission denied. See its owner: ls -ld \(path)"
        case .noPlace(let path, let reason), .unavailable(let path, let reason):
            "\(path) cannot be opened: \(reason)"
        }
    }
}

extension NodeDatabaseError {
    /// The error for a path that the system refused; `code` is its `errno`.
    init(_ path: String, _ code: Int32) {
        switch code {
        case EACCES, EPERM: self = .denied(path: path)
        case EROFS: self = .readOnly(path: path)
        case ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG:
            self = .noPlace(path: path, reason: systemMessage(code))
        default: self = .unavailable(path: path, reason: systemMessage(code))
        }
    }
}

/// The system's word for an error.
func systemMessage(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}
