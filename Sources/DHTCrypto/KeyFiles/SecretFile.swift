import Glibc

/// Files that only their owner may read: how they are read, and how they come to be.
package enum SecretFile {
    /// More is no key file.
    static let largest = 64 << 10

    // MARK: Reading

    /// The bytes of a regular file, root's or ours, that group and others have no access to. The caller
    /// wipes them.
    ///
    /// Files directly in `credentialsDirectory` are excepted: the service manager guards that folder, and
    /// gives its files a mode of its own.
    ///
    /// - Parameter maker: The command that makes such a file, for whoever has none.
    static func read(
        _ path: String,
        credentialsDirectory: String?,
        maker: String
    ) throws(KeyFileError) -> [UInt8] {
        // Not blocking, so that a pipe of that name is an error and not a wait.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .reading(path, errno, maker: maker) }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw .reading(path, errno, maker: maker) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw KeyFileError(.malformed, "\(path) is a folder; name a file in it")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KeyFileError(.malformed, "\(path) is no regular file")
        }
        let isCredential = isFile(path, in: credentialsDirectory)
        if !isCredential, let problem = ownerProblem(status, path) {
            throw KeyFileError(.permission, "\(path) \(problem)")
        }
        if status.st_mode & 0o077 != 0, !isCredential {
            let fix = "Fix: chmod 600 \(path)"
            throw KeyFileError(.permission, "\(path) is \(access(status.st_mode)). \(fix)")
        }
        return try contents(of: file, path, maker)
    }

    /// The fault of a file or directory that is of another user, and the command that mends it; `nil`: it is
    /// root's or ours.
    package static func ownerProblem(_ status: stat, _ path: String) -> String? {
        let user = geteuid()
        guard status.st_uid != user, status.st_uid != 0 else { return nil }
        return "belongs to another user (\(status.st_uid)), who decides what is in it. "
            + "Fix: chown \(user) \(path)"
    }

    /// A text without the byte order mark that some editors begin a file with, and that nobody sees.
    package static func withoutMark(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    }

    private static func contents(
        of file: Int32,
        _ path: String,
        _ maker: String
    ) throws(KeyFileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: largest + 1)
        var count = 0
        while count < bytes.count {
            let start = count
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(file, buffer.baseAddress.map { unsafe $0 + start }, buffer.count - start)
            }
            if result == 0 { break }
            guard result > 0 || errno == EINTR else {
                let code = errno
                wipe(&bytes)
                throw .reading(path, code, maker: maker)
            }
            count += max(result, 0)
        }
        guard count <= largest else {
            wipe(&bytes)
            throw KeyFileError(.malformed, "\(path) is larger than \(largest >> 10) KiB: that is no key file")
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// `readable by group (0640)`.
    private static func access(_ mode: mode_t) -> String {
        let verb = mode & 0o044 != 0 ? "readable" : mode & 0o022 != 0 ? "writable" : "executable"
        let whom = mode & 0o007 == 0 ? "group" : mode & 0o070 == 0 ? "others" : "group and others"
        let digits = String(mode & 0o7777, radix: 8)
        return "\(verb) by \(whom) (\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits))"
    }

    private static func isFile(_ path: String, in directory: String?) -> Bool {
        guard let directory, let folder = resolved(directory), let file = resolved(path) else { return false }
        return SecretFile.directory(of: file) == folder
    }

    private static func resolved(_ path: String) -> String? {
        guard let result = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(result) }
        return unsafe String(cString: result)
    }

    // MARK: Writing

    /// Writes a file of mode 0600, whole and on the disk, or not at all. Never into a device, a FIFO or a
    /// socket: who reads there is not known.
    ///
    /// - Parameter replacing: Whether a file of that name may be replaced, or the one that a link of that
    ///   name leads to. It is kept as `.bak`, `.bak2`, …, and its owner owns the new one.
    /// - Returns: The name under which a file was kept.
    static func write(_ bytes: [UInt8], to path: String, replacing: Bool) throws(KeyFileError) -> String? {
        let place: LinkedPath
        do { place = try LinkedPath(path) } catch {
            throw .writing(path, in: directory(of: path), error.code)
        }
        switch place.kind {
        case .nothing, .file: break
        case .directory: throw .writing(path, in: directory(of: path), EISDIR)
        case .other, .descriptor: throw .noFile(path)
        }
        // Without leave to replace, a link is something of that name.
        let path = replacing ? place.path : path
        let folder = directory(of: path)
        do throws(SystemError) {
            guard let draft = DraftPlace(of: path, mode: 0o600) else { throw SystemError(code: errno) }
            defer {
                draft.discard()
                close(draft.descriptor)
            }
            try write(
                bytes,
                to: draft.descriptor,
                owner: replacing && place.kind == .file ? place.status : nil
            )
            var kept: String?
            if replacing {
                kept = try keep(path)
                try check(draft.replace())
            } else {
                try check(draft.claim())
            }
            try check(draft.flush())
            return kept
        } catch {
            throw .writing(path, in: folder, error.code)
        }
    }

    private struct SystemError: Error {
        let code: Int32
    }

    private static func check(_ result: Int32) throws(SystemError) {
        guard result >= 0 else { throw SystemError(code: errno) }
    }

    /// - Parameter owner: Of the file that is to be replaced.
    private static func write(_ bytes: [UInt8], to file: Int32, owner: stat?) throws(SystemError) {
        if let owner, owner.st_uid != geteuid() { try check(fchown(file, owner.st_uid, owner.st_gid)) }
        // The umask does not apply; the mode is never wider than that of our own files.
        try check(fchmod(file, owner.map { $0.st_mode & 0o600 | 0o400 } ?? 0o600))
        let problem = DraftPlace.write(bytes, to: file)
        guard problem == 0 else { throw SystemError(code: problem) }
        try check(fsync(file))
    }

    /// Gives the file another name besides its own; no name that is taken.
    private static func keep(_ path: String) throws(SystemError) -> String? {
        for number in 1...999 {
            let name = path + ".bak" + (number == 1 ? "" : "\(number)")
            if unsafe link(path, name) == 0 { return name }
            if errno == ENOENT { return nil }
            guard errno == EEXIST else { throw SystemError(code: errno) }
        }
        throw SystemError(code: EMLINK)
    }

    /// The folder a path names something in.
    package static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
