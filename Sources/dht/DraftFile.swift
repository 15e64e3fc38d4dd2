import DHTGateway
import Glibc

/// A file for its owner alone that is written little by little, and has its name only once it is whole.
final class DraftFile {
    private let path: String
    private let draft: String
    private let descriptor: Int32
    /// `errno` of the first write that failed; nothing is written after it.
    private var problem: Int32?

    init(_ path: String) throws(Failure) {
        (self.path, draft) = (path, "\(path).\(getpid()).tmp")
        descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileBytes.failure(path, "cannot be written") }
        let draft = draft
        Interruption.on(SIGINT) {
            unsafe unlink(draft)
            Ending.exit(Interruption.exitCode)
        }
    }

    deinit {
        close(descriptor)
        unsafe unlink(draft)
    }

    func append(_ bytes: [UInt8]) {
        if problem == nil, !FileBytes.writeAll(bytes, to: descriptor) { problem = errno }
    }

    /// Gives the file its name. Fails if that, or anything before it, did not work.
    func finish() throws(Failure) {
        if problem == nil, fsync(descriptor) != 0 { problem = errno }
        if problem == nil, unsafe rename(draft, path) != 0 { problem = errno }
        if let problem { throw FileBytes.failure(path, "cannot be written", problem) }
    }
}
