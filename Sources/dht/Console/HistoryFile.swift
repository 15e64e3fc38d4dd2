import DHTCrypto
import DHTGateway
import Glibc

/// The file of the lines typed into shells, of this process and of others, for nobody else's eyes.
struct HistoryFile {
    /// Larger files are none of ours.
    private static let longestFile = 2 * ShellHistory.capacity * ShellHistory.longestLine

    /// Without lines: which of them are kept.
    private let rules: ShellHistory
    private let path: String

    /// Where `DHT_HISTORY` says, else where the user's programs keep such things.
    ///
    /// - Returns: `nil` if no lines are to be kept: with `DHT_HISTORY=-`, or if the values are not on the
    ///   disk either.
    init?(keepsValues: Bool, environment: [String: String]) {
        rules = Self.rules(environment)
        if let path = environment.given("DHT_HISTORY") {
            guard path != "-" else { return nil }
            self.path = path
        } else {
            guard keepsValues, let state = Directories.state(environment) else { return nil }
            Directories.make(state)
            path = "\(state)/history"
        }
    }

    /// A history without lines that keeps what is to be kept.
    static func rules(_ environment: [String: String]) -> ShellHistory {
        ShellHistory(omitting: environment["DHT_HISTORY_OMIT"] ?? "")
    }

    func lines() -> ShellHistory {
        var history = rules
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return history }
        defer { close(descriptor) }
        read(descriptor, into: &history)
        return history
    }

    /// Adds a line to those that are in the file by now, which is replaced whole or not at all. A history
    /// that cannot be written is not worth a word to somebody who works.
    func add(_ line: String) {
        guard rules.keeps(line), let place = try? LinkedPath(path) else { return }
        guard place.kind == .file || place.kind == .nothing, let lock = Self.lock(place.path) else { return }
        defer { close(lock) }
        var history = rules
        guard read(lock, into: &history) else { return }
        history.add(line)
        guard let draft = DraftPlace(of: place.path, mode: 0o600) else { return }
        defer { close(draft.descriptor) }
        if fchmod(draft.descriptor, 0o600) != 0 || !FileBytes.writeAll(history.file, to: draft.descriptor)
            || draft.replace() != 0
        {
            draft.discard()
        }
    }

    /// Returns whether there is a file, and it is no longer than a history can be.
    @discardableResult
    private func read(_ descriptor: Int32, into history: inout ShellHistory) -> Bool {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let bytes = FileBytes.readAll(descriptor, limit: Self.longestFile),
            bytes.count <= Self.longestFile
        else { return false }
        history.add(file: bytes)
        return true
    }

    /// Opens the file, and waits until no other shell writes it.
    private static func lock(_ path: String) -> Int32? {
        while true {
            let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
            let descriptor = unsafe open(path, flags, 0o600)
            guard descriptor >= 0 else { return nil }
            // Where the file system has no locks, the last of two that write at once wins.
            while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
            var (locked, named) = (stat(), stat())
            // Another shell may have replaced the file meanwhile.
            if unsafe fstat(descriptor, &locked) == 0, unsafe lstat(path, &named) == 0,
                locked.st_ino == named.st_ino, locked.st_dev == named.st_dev
            {
                return descriptor
            }
            close(descriptor)
            guard locked.st_ino != 0 else { return nil }
        }
    }
}
