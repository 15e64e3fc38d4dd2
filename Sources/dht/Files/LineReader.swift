import DHTGateway
import Glibc

/// A file, or standard input, line by line.
final class LineReader {
    enum Line {
        case whole([UInt8])
        case tooLong
    }

    let name: String
    /// Bytes in all; 0 where nobody knows.
    let size: Int
    /// Bytes of the lines so far.
    private(set) var position = 0
    /// `errno` of the read that failed, which ends the lines.
    private(set) var problem: Int32?

    private let descriptor: Int32
    private let limit: Int
    private var waiting: ArraySlice<UInt8> = []
    private var isAtEnd = false

    /// Standard input. `limit`: bytes of the longest line that is looked at.
    convenience init(limit: Int) { self.init("standard input", STDIN_FILENO, limit: limit) }

    /// A file. `limit`: bytes of the longest line that is looked at.
    convenience init(_ path: String, limit: Int) throws(Failure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileBytes.failure(path, "cannot be read") }
        self.init(path, descriptor, limit: limit)
    }

    private init(_ name: String, _ descriptor: Int32, limit: Int) {
        (self.name, self.descriptor, self.limit) = (name, descriptor, limit)
        var status = stat()
        let isFile = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        size = isFile ? Int(status.st_size) : 0
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// The next line, without its line break; `nil` after the last.
    func next() -> Line? {
        var isTooLong = false
        while true {
            if let end = waiting.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(waiting[..<end])
                waiting = waiting[(end + 1)...]
                position += line.count + 1
                return isTooLong || line.count > limit ? .tooLong : .whole(line)
            }
            if isAtEnd || waiting.count > limit {
                guard !waiting.isEmpty || isTooLong else { return nil }
                isTooLong = isTooLong || waiting.count > limit
                position += waiting.count
                let line = Array(waiting)
                waiting = []
                if isAtEnd { return isTooLong ? .tooLong : .whole(line) }
            }
            fill()
        }
    }

    private func fill() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { problem = errno }
            isAtEnd = count <= 0
            waiting = Array(waiting)[...] + buffer[..<max(count, 0)]
            return
        }
    }
}
