import DHTCore
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// The body of a request: its beginning in memory, and if it is long all of it in a file without a name, from
/// which it is read piece by piece. So whoever is slow holds none of the node's memory, nor does a long value
/// on its way to the store.
final class BodySpool: ContentBytes {
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

    func bytes(in range: Range<Int>) -> [UInt8]? {
        state.withLock { $0.descriptor < 0 ? Array($0.bytes[range]) : Self.read(range, from: $0.descriptor) }
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

    private static func read(_ range: Range<Int>, from descriptor: Int32) -> [UInt8]? {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
            while filled < range.count {
                let place = unsafe buffer.baseAddress?.advanced(by: filled)
                let rest = range.count - filled
                let result = unsafe pread(descriptor, place, rest, range.lowerBound + filled)
                if result < 0, errno == EINTR { continue }
                guard result > 0 else { break }
                filled += result
            }
        }
        return bytes.count == range.count ? bytes : nil
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
