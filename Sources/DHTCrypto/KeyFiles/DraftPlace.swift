import Glibc

/// Where a file is written before it has its name, so that a kill at any moment leaves nothing beside it: it
/// has no name at all until it is whole. Where the file system has no such files, it has a name of its own,
/// which the next draft of the same file removes.
package struct DraftPlace {
    /// The file, to write to; whoever opened the place closes it.
    package let descriptor: Int32
    private let target: String
    /// The path of the draft while it has a name of its own: random, so no other draft has it.
    private let name: String
    private let isNamed: Bool

    private static let mark = ".dht-draft-"
    /// Bytes of the target's name that are in the draft's, which is no longer than a name may be.
    private static let longestStart = 200
    /// `O_TMPFILE`, less `O_DIRECTORY`.
    private static let unnamed: Int32 = 0o20_000_000

    /// A draft of `target`; `nil` with `errno` if there can be none.
    ///
    /// - Parameter isUnnamed: `false` as on a file system without files that have no name.
    package init?(of target: String, mode: mode_t, isUnnamed: Bool = true) {
        self.target = target
        let folder = SecretFile.directory(of: target)
        let start = Self.start(of: target)
        Self.removeLeftovers(in: folder, start)
        if isUnnamed, let file = Self.openUnnamed(in: folder, mode) {
            (descriptor, name, isNamed) = (file, Self.freshName(in: folder, start), false)
        } else {
            guard let (file, name) = Self.openNamed(in: folder, start, mode) else { return nil }
            (descriptor, self.name, isNamed) = (file, name, true)
        }
    }

    /// Writes all of the bytes to a file; 0, or the system's error.
    package static func write(_ bytes: [UInt8], to file: Int32) -> Int32 {
        var written = 0
        while written < bytes.count {
            let result = unsafe bytes[written...].withUnsafeBytes {
                unsafe Glibc.write(file, $0.baseAddress, $0.count)
            }
            if result == 0 { return EIO }
            guard result > 0 || errno == EINTR else { return errno }
            written += max(result, 0)
        }
        return 0
    }

    /// The beginning of the names of all drafts of one file.
    private static func start(of target: String) -> String {
        var start = target.split(separator: "/").last ?? ""
        while start.utf8.count > longestStart { start.removeLast() }
        return String(start) + mark
    }

    private static func freshName(in folder: String, _ start: String) -> String {
        var entropy = SystemEntropy()
        return folder + "/" + start + String(entropy.next(), radix: 16)
    }

    private static func openUnnamed(in folder: String, _ mode: mode_t) -> Int32? {
        let file = unsafe open(folder, unnamed | O_DIRECTORY | O_WRONLY | O_CLOEXEC, mode)
        guard file >= 0 else { return nil }
        // Only there it can be given a name.
        if flock(file, LOCK_EX | LOCK_NB) == 0, unsafe access(link(to: file), F_OK) == 0 { return file }
        close(file)
        return nil
    }

    /// Locked as long as it is written: whoever meets one that nobody has locked may remove it, and may come
    /// between the two.
    private static func openNamed(in folder: String, _ start: String, _ mode: mode_t) -> (Int32, String)? {
        for _ in 1...10 {
            let name = freshName(in: folder, start)
            let file = unsafe open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
            guard file >= 0 else { return nil }
            // On a file system without locks nobody removes any.
            let isOurs = flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
            var status = stat()
            if isOurs, unsafe fstat(file, &status) == 0, status.st_nlink > 0 { return (file, name) }
            close(file)
        }
        errno = EAGAIN
        return nil
    }

    private static func link(to file: Int32) -> String { "/proc/self/fd/\(file)" }

    // MARK: Naming

    /// Gives the draft the name of its target, in the place of what has it; 0, or -1 with `errno`.
    package func replace() -> Int32 {
        if !isNamed {
            if give(target) == 0 { return 0 }
            // A draft takes the place of another file by way of its own name.
            guard errno == EEXIST, give(name) == 0 else { return -1 }
        }
        return unsafe rename(name, target)
    }

    /// Gives it that name if nothing has it; 0, or -1 with `errno`.
    package func claim() -> Int32 {
        isNamed ? unsafe Glibc.link(name, target) : give(target)
    }

    private func give(_ path: String) -> Int32 {
        unsafe linkat(AT_FDCWD, Self.link(to: descriptor), AT_FDCWD, path, AT_SYMLINK_FOLLOW)
    }

    /// Puts the name on the disk, where it is once its folder is; 0, or -1 with `errno`.
    package func flush() -> Int32 {
        let folder = unsafe open(SecretFile.directory(of: target), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A folder that may be written to need not be readable.
        guard folder >= 0 else { return errno == EACCES ? 0 : -1 }
        defer { close(folder) }
        // Some file systems cannot, and need not.
        return fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1
    }

    /// Takes away the draft's own name, if it has one still.
    package func discard() { unsafe unlink(name) }

    // MARK: Leftovers

    /// Removes drafts of this file that were left by processes killed while they wrote them.
    private static func removeLeftovers(in folder: String, _ start: String) {
        guard let stream = unsafe opendir(folder) else { return }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let number = name.dropFirst(start.count)
            guard name.hasPrefix(start), !number.isEmpty, number.allSatisfy(\.isHexDigit) else { continue }
            remove(folder + "/" + name)
        }
    }

    private static func remove(_ path: String) {
        let flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        // To be locked over NFS it must be open for writing.
        var file = unsafe open(path, O_WRONLY | flags)
        if file < 0 { file = unsafe open(path, O_RDONLY | flags) }
        guard file >= 0 else { return }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_uid == geteuid() || geteuid() == 0, flock(file, LOCK_EX | LOCK_NB) == 0
        else { return }
        unsafe unlink(path)
    }
}
