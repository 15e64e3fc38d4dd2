import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// The body of a request while it comes: its beginning in memory, and if it is long all of it in a file
/// without a name. So whoever is slow holds none of the node's memory.
final class BodySpool: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var descriptor: Int32 = -1
        var count = 0
    }

    /// A body that is no longer stays in memory.
    static let memoryLength = ValueRoom.leastLength

    private let directory: String
    private let state = Mutex(State())

    init(in directory: String) { self.directory = directory }

    deinit { state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } } }

    var count: Int { state.withLock { $0.count } }

    func append(_ buffer: ByteBuffer) async throws {
        let isShort = state.withLock { state in
            guard state.descriptor < 0, state.count + buffer.readableBytes <= Self.memoryLength else {
                return false
            }
            state.bytes += buffer.readableBytesView
            state.count = state.bytes.count
            return true
        }
        if !isShort { try await NIOThreadPool.singleton.runIfActive { try self.write(buffer) } }
    }

    /// All of it. The file, if there was one, is emptied.
    func take() async throws -> [UInt8] {
        if state.withLock({ $0.descriptor < 0 }) {
            return state.withLock { state in
                defer { state.bytes = [] }
                return state.bytes
            }
        }
        return try await NIOThreadPool.singleton.runIfActive { try self.read() }
    }

    private func write(_ buffer: ByteBuffer) throws(Failure) {
        try state.withLock { (state) throws(Failure) in
            if state.descriptor < 0 {
                state.descriptor = try open()
                try Self.write(state.bytes, to: state.descriptor, directory)
                state.bytes = []
            }
            try Self.write(Array(buffer.readableBytesView), to: state.descriptor, directory)
            state.count += buffer.readableBytes
        }
    }

    private func open() throws(Failure) -> Int32 {
        var path = Array("\(directory)/.body-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&path)
        guard descriptor >= 0 else { throw Self.failure(directory) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = unsafe unlink(path)
        return descriptor
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ directory: String) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(directory) }
            rest = rest.dropFirst(count)
        }
    }

    private func read() throws(Failure) -> [UInt8] {
        try state.withLock { (state) throws(Failure) in
            var filled = 0
            let (descriptor, length) = (state.descriptor, state.count)
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
                while filled < length {
                    let place = unsafe buffer.baseAddress?.advanced(by: filled)
                    let result = unsafe pread(descriptor, place, length - filled, filled)
                    if result < 0, errno == EINTR { continue }
                    guard result > 0 else { break }
                    filled += result
                }
                count = filled
            }
            guard filled == length else { throw Self.failure(directory) }
            close(state.descriptor)
            state = State()
            return bytes
        }
    }

    private static func failure(_ directory: String) -> Failure {
        let reason = errnoText()
        return Failure(
            errno == ENOSPC || errno == EDQUOT ? .partial : .internal,
            "the value cannot be taken in: no file of the node's in \(directory) can hold it: \(reason). "
                + "Nothing was written"
        )
    }
}
