import Glibc

/// A name and the file it stood for: whether it still does is seen without opening the file, which SQLite's
/// locks would not survive.
struct FilePlace: Sendable {
    let path: String
    private let device: dev_t
    private let inode: ino_t

    /// `nil` if there is nothing of that name.
    init?(_ path: String) {
        guard let status = Self.status(path) else { return nil }
        (self.path, device, inode) = (path, status.st_dev, status.st_ino)
    }

    /// Whether the name still stands for that file.
    var isInPlace: Bool {
        guard let status = Self.status(path) else { return false }
        return status.st_dev == device && status.st_ino == inode
    }

    private static func status(_ path: String) -> stat? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status : nil
    }
}
