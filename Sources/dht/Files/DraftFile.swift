import DHTCrypto
import DHTGateway
import Glibc

/// A file that is written little by little. A regular file has its new content, and a new one its name, only
/// once that is whole; it keeps mode and owner. Anything else, a device say, is written to as it is.
final class DraftFile {
    private enum Way {
        /// Aside, until it is whole.
        case replacing(DraftPlace)
        /// Into what is there: a device, a FIFO, a descriptor; and a file that cannot be replaced as it is.
        case through
    }

    /// As it was named.
    private let path: String
    private let way: Way
    private let descriptor: Int32
    /// `errno` of the first write that failed; nothing is written after it.
    private var problem: Int32?

    /// - Parameter mode: Of a file that is not there yet, less what the umask takes away.
    init(_ path: String, mode: mode_t) throws(Failure) {
        self.path = path
        let place: LinkedPath
        do { place = try LinkedPath(path) } catch { throw Self.failure(path, error.code) }
        switch place.kind {
        case .directory:
            throw Self.failure(path, EISDIR)
        case .nothing:
            guard let opened = Self.openDraft(of: place.path, mode) else { throw Self.failure(path, errno) }
            (descriptor, way) = opened
        case .file:
            guard unsafe access(place.path, W_OK) == 0 else { throw Self.failure(path, errno) }
            if let opened = Self.openDraft(inPlaceOf: place) {
                (descriptor, way) = opened
            } else {
                descriptor = unsafe open(place.path, O_WRONLY | O_TRUNC | O_CLOEXEC)
                way = .through
            }
        case .other:
            descriptor = unsafe open(place.path, O_WRONLY | O_NOCTTY | O_CLOEXEC)
            way = .through
        case .descriptor(let number):
            descriptor = fcntl(number, F_DUPFD_CLOEXEC, 3)
            way = .through
        }
        guard descriptor >= 0 else { throw Self.failure(path, errno) }
        guard case .replacing(let draft) = way else { return }
        Signals.on(SIGINT) {
            draft.discard()
            ProcessExit.exit(Signals.exitCode)
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if case .replacing(let draft) = way { draft.discard() }
    }

    private static func openDraft(of target: String, _ mode: mode_t) -> (Int32, Way)? {
        DraftPlace(of: target, mode: mode).map { ($0.descriptor, .replacing($0)) }
    }

    /// A draft with the mode and the owner of the file it is to replace; `nil` if there can be none, or if
    /// the file has other names, which would keep the old content.
    private static func openDraft(inPlaceOf file: LinkedPath) -> (Int32, Way)? {
        guard file.status.st_nlink == 1, let opened = openDraft(of: file.path, 0o600) else { return nil }
        let (descriptor, owner) = (opened.0, (file.status.st_uid, file.status.st_gid))
        var own = stat()
        let isKept =
            unsafe fstat(descriptor, &own) == 0
            && ((own.st_uid, own.st_gid) == owner || fchown(descriptor, owner.0, owner.1) == 0)
            && fchmod(descriptor, file.status.st_mode & 0o7777) == 0
        if isKept { return opened }
        close(descriptor)
        if case .replacing(let draft) = opened.1 { draft.discard() }
        return nil
    }

    func append(_ bytes: [UInt8]) {
        if problem == nil, !FileBytes.writeAll(bytes, to: descriptor) { problem = errno }
    }

    /// Gives the file its name. Fails if that, or anything before it, did not work.
    func finish() throws(Failure) {
        // Devices and FIFOs cannot be flushed, and need not.
        if problem == nil, fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP { problem = errno }
        if problem == nil, case .replacing(let draft) = way, draft.replace() != 0 || draft.flush() != 0 {
            problem = errno
        }
        if let problem { throw Self.failure(path, problem) }
    }

    private static func failure(_ path: String, _ number: Int32) -> Failure {
        FileBytes.failure(path, "cannot be written", number)
    }
}
