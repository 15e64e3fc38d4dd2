import Glibc

/// Why a key file was not read or not written: one line that names the file and what to do.
package struct KeyFileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Category: Hashable, Sendable {
        case notFound
        /// Something of that name is there already.
        case exists
        /// The system's permissions, or the file's own being too generous.
        case permission
        /// The file holds something else than it should.
        case malformed
        case wrongPassphrase
        /// The key is protected and no passphrase was given.
        case needsPassphrase
        /// The disk or the quota is.
        case full
        case io
    }

    package let category: Category
    /// Holds no secret.
    package let description: String

    init(_ category: Category, _ description: String) {
        (self.category, self.description) = (category, description)
    }

    /// The error for a file that the system did not read; `code` is its `errno`.
    ///
    /// - Parameter maker: The command that makes such a file.
    static func reading(_ path: String, _ code: Int32, maker: String) -> KeyFileError {
        if let kind = KeyKind(mentionedIn: Array(path.utf8)[...]), kind != .identity {
            return KeyFileError(
                .notFound,
                "the name of a file holds a \(kind.name); it was not printed or stored"
            )
        }
        return switch code {
        case ENOENT, ENOTDIR: KeyFileError(.notFound, "\(path): no such file. Make one: \(maker)")
        case EACCES, EPERM:
            KeyFileError(
                .permission,
                "\(path) cannot be read: permission denied. See its owner: ls -l \(path)"
            )
        default: KeyFileError(.io, "\(path) cannot be read: \(message(code))")
        }
    }

    /// The error for a file that the system did not write; `code` is its `errno`. The file of that name, if
    /// there was one, is as it was.
    static func writing(_ path: String, in directory: String, _ code: Int32) -> KeyFileError {
        switch code {
        case ENOENT, ENOTDIR:
            KeyFileError(
                .notFound,
                "\(path) cannot be written: there is no folder \(directory). Make it: mkdir -p \(directory)"
            )
        case EEXIST:
            KeyFileError(.exists, "\(path) exists and was left alone. Choose another name, or --force")
        case EACCES, EPERM, EROFS:
            KeyFileError(.permission, "\(path) cannot be written: \(message(code)). See: ls -ld \(directory)")
        case ENOSPC, EDQUOT, EFBIG:
            KeyFileError(
                .full,
                "\(path) cannot be written: \(message(code)). Nothing was left behind; make room, try again"
            )
        case EISDIR: KeyFileError(.exists, "\(path) is a folder; name a file in it")
        default: KeyFileError(.io, "\(path) cannot be written: \(message(code))")
        }
    }

    /// The error for a path at which something is that is no regular file.
    static func noFile(_ path: String) -> KeyFileError {
        KeyFileError(
            .malformed,
            "\(path) is no regular file, and a key is written to a file only. Without -o it goes to standard "
                + "output"
        )
    }

    private static func message(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
