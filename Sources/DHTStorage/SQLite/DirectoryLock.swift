import Glibc
import Synchronization

/// One process at a time has a node's directory. The system lets go of it when the process ends, however it
/// ends.
///
/// The file `lock` is never removed: another process may have opened it already, and would then lock a file
/// that nobody else sees.
final class DirectoryLock: Sendable {
    /// `nil` once released.
    private let descriptor: Mutex<Int32?>

    init(_ directory: String) throws(NodeDatabaseError) {
        let path = directory + "/lock"
        // Closed in children, which would hold the lock on.
        let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw NodeDatabaseError(path, errno) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            if code == EWOULDBLOCK { Self.leaveNote(in: file) }
            close(file)
            throw code == EWOULDBLOCK ? .inUse(directory: directory) : NodeDatabaseError(path, code)
        }
        descriptor = Mutex(file)
    }

    deinit { release() }

    /// Leaves our process id for the process that has the directory: see ``takeRival()``.
    private static func leaveNote(in file: Int32) {
        let note = Array("\(getpid())\n".utf8)
        _ = unsafe pwrite(file, note, note.count, 0)
    }

    /// The process that wanted the directory last since this was asked before; `nil`: none did.
    func takeRival() -> Int32? {
        descriptor.withLock { file in
            guard let file else { return nil }
            var note = [UInt8](repeating: 0, count: 16)
            let count = unsafe pread(file, &note, note.count, 0)
            guard count > 0 else { return nil }
            ftruncate(file, 0)
            let line = note[..<count].prefix { $0 != UInt8(ascii: "\n") }
            return Int32(String(decoding: line, as: UTF8.self)) ?? 0
        }
    }

    /// Lets others have the directory.
    func release() {
        descriptor.withLock { file in
            if let held = file { close(held) }
            file = nil
        }
    }
}
