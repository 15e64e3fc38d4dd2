import DHTCrypto
import DHTGateway
import Glibc
import Synchronization

/// A file of mode 0600 that is written little by little, and has its name once it is whole. It takes no other
/// file's place unless it is told to.
final class ExclusiveFile: Sendable {
    private let path: String
    private let isReplacing: Bool
    private let place: DraftPlace

    init(_ path: String, isReplacing: Bool) throws(Failure) {
        (self.path, self.isReplacing) = (path, isReplacing)
        var status = stat()
        if unsafe lstat(path, &status) == 0 {
            guard isReplacing else { throw Self.taken(path) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw Failure(.invalidArgument, "\(path) is no regular file. Choose another name")
            }
        }
        guard let place = DraftPlace(of: path, mode: 0o600) else {
            throw FileBytes.failure(path, "cannot be written")
        }
        self.place = place
        fchmod(place.descriptor, 0o600)  // whatever the umask
        Signals.on(SIGINT) {
            place.discard()
            ProcessExit.exit(Signals.exitCode)
        }
    }

    deinit {
        close(place.descriptor)
        place.discard()
    }

    private static func taken(_ path: String) -> Failure {
        Failure(.conflict, "\(path) exists and was left alone. Choose another name, or --force")
    }

    func append(_ bytes: [UInt8]) throws(Failure) {
        guard FileBytes.writeAll(bytes, to: place.descriptor) else {
            throw FileBytes.failure(path, "cannot be written")
        }
    }

    /// Puts all of it on the disk, and gives it its name.
    func finish() throws(Failure) {
        guard fsync(place.descriptor) == 0 else { throw FileBytes.failure(path, "cannot be written") }
        guard isReplacing ? place.replace() == 0 : place.claim() == 0 else {
            throw errno == EEXIST ? Self.taken(path) : FileBytes.failure(path, "cannot be written")
        }
        guard place.flush() == 0 else { throw FileBytes.failure(path, "cannot be written") }
    }
}
