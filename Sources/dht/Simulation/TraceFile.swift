import DHTGateway
import Glibc

/// Lines that go to a file while they come in, many at a time.
final class TraceFile {
    let path: String
    private let descriptor: Int32
    private var waiting: [UInt8] = []
    /// `errno` of the first write that failed; nothing is written after it.
    private var problem: Int32?
    private static let batch = 1 << 18

    /// Empties the file, or makes it.
    init(_ path: String) throws(Failure) {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileBytes.failure(path, "cannot be written") }
        waiting.reserveCapacity(Self.batch + 1024)
    }

    deinit { Glibc.close(descriptor) }

    func append(_ line: String) {
        waiting += line.utf8
        waiting.append(UInt8(ascii: "\n"))
        if waiting.count >= Self.batch { flush() }
    }

    /// Writes what waits. Fails if that, or anything before it, did not get into the file.
    func finish() throws(Failure) {
        flush()
        if let problem { throw FileBytes.failure(path, "was not written to its end", problem) }
    }

    private func flush() {
        if problem == nil, !FileBytes.writeAll(waiting, to: descriptor) { problem = errno }
        waiting.removeAll(keepingCapacity: true)
    }
}
