import Glibc

/// The end of a path once its symbolic links are followed. A program that replaces a file replaces the one
/// at the end: a link stays the link it is.
package struct LinkedPath {
    package enum Kind: Hashable, Sendable {
        case nothing
        case file
        case directory
        /// A device, a FIFO, a socket.
        case other
        /// A descriptor that this process has open, by its name in `/dev/fd` or `/proc/self/fd`.
        case descriptor(Int32)
    }

    /// Why a path leads nowhere: the system's `errno`.
    package struct Refusal: Error {
        package let code: Int32
    }

    private static let mostLinks = 40

    /// The path without links; the last one may name nothing yet.
    package let path: String
    package let kind: Kind
    /// All zeros unless something is there.
    package let status: stat

    package init(_ start: String) throws(Refusal) {
        var path = start
        for _ in 0...Self.mostLinks {
            if let number = Self.descriptor(path) {
                (self.path, kind, status) = (path, .descriptor(number), stat())
                return
            }
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else {
                guard errno == ENOENT else { throw Refusal(code: errno) }
                (self.path, kind, self.status) = (path, .nothing, stat())
                return
            }
            guard status.st_mode & S_IFMT == S_IFLNK else {
                (self.path, self.status) = (path, status)
                switch status.st_mode & S_IFMT {
                case S_IFREG: kind = .file
                case S_IFDIR: kind = .directory
                default: kind = .other
                }
                return
            }
            path = try Self.target(of: path, status)
        }
        throw Refusal(code: ELOOP)
    }

    /// Where one link leads. The system would follow no link that a stranger put into a folder for everybody,
    /// and neither do we.
    private static func target(of link: String, _ status: stat) throws(Refusal) -> String {
        let folder = SecretFile.directory(of: link)
        var place = stat()
        if unsafe stat(folder, &place) == 0, place.st_mode & S_ISVTX != 0, place.st_mode & S_IWOTH != 0,
            ![geteuid(), place.st_uid].contains(status.st_uid)
        {
            throw Refusal(code: EACCES)
        }
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe buffer.withUnsafeMutableBytes { bytes -> Int in
            guard let base = unsafe bytes.bindMemory(to: CChar.self).baseAddress else { return 0 }
            return unsafe readlink(link, base, bytes.count)
        }
        guard count > 0 else { throw Refusal(code: count < 0 ? errno : ENOENT) }
        guard let target = String(validating: buffer[..<count], as: UTF8.self) else {
            throw Refusal(code: EILSEQ)
        }
        return target.hasPrefix("/") ? target : folder + "/" + target
    }

    private static func descriptor(_ path: String) -> Int32? {
        for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
            let name = path.dropFirst(folder.count)
            if name.allSatisfy(\.isNumber) { return Int32(name) }
        }
        return nil
    }
}
