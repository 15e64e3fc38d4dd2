import DHTCrypto
import DHTGateway
import Glibc

/// Whole files, read and written.
enum FileBytes {
    /// At most `limit` bytes of what `descriptor` gives until its end, one more if there are more; `nil` on
    /// an error.
    static func readAll(_ descriptor: Int32, limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= limit {
            let count = unsafe read(descriptor, &buffer, min(buffer.count, limit + 1 - bytes.count))
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// The next bytes of `descriptor`; none at its end, `nil` on an error.
    static func readSome(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count >= 0 { return Array(buffer[..<count]) }
            guard errno == EINTR else { return nil }
        }
    }

    static func readFile(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, "cannot be read") }
        defer { close(descriptor) }
        guard let bytes = readAll(descriptor, limit: limit) else { throw failure(path, "cannot be read") }
        return bytes
    }

    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN {
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = unsafe poll(&ready, 1, -1)
                    continue
                }
                return false
            }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The file at `path` gets `bytes` for its content, as a ``DraftFile`` does it.
    static func replaceFile(_ path: String, with bytes: [UInt8]) throws(Failure) {
        let file = try DraftFile(path, mode: 0o666)
        file.append(bytes)
        try file.finish()
    }

    /// Makes a file with that content, whole or not at all, and never in the place of another.
    static func makeFile(_ path: String, with bytes: [UInt8], mode: mode_t) throws(Failure) {
        guard let draft = DraftPlace(of: path, mode: mode) else { throw failure(path, "cannot be written") }
        defer {
            draft.discard()
            close(draft.descriptor)
        }
        guard writeAll(bytes, to: draft.descriptor), fsync(draft.descriptor) == 0, draft.claim() == 0 else {
            let number = errno
            throw number == EEXIST
                ? Failure(.conflict, "\(path) is there already; it was left alone")
                : failure(path, "cannot be written", number)
        }
        guard draft.flush() == 0 else {
            let number = errno
            unsafe unlink(path)
            throw failure(path, "cannot be written", number)
        }
    }

    static func failure(_ path: String, _ what: String, _ number: Int32 = errno) -> Failure {
        let code: Failure.Code =
            switch number {
            case EACCES, EPERM, EROFS: .denied
            case ENOENT, EISDIR, ENOTDIR: .invalidArgument
            default: .internal
            }
        return Failure(code, "\(path) \(what): \(errnoText(number))")
    }
}
