import CSodium
import Synchronization

/// libsodium's random bytes, fetched by the half kilobyte: one system call for each nonce would cost more
/// than its MAC.
///
/// Copies share one pool, so no two of them ever give the same words: nonces are made from them.
package struct SystemEntropy: RandomNumberGenerator, Sendable {
    private final class Pool: Sendable {
        let words = Mutex(Words())
    }

    private struct Words {
        static let count = 64

        var buffer = [UInt64](repeating: 0, count: count)
        var position = count

        mutating func take() -> UInt64 {
            if position == Self.count {
                unsafe buffer.withUnsafeMutableBytes { bytes in
                    if let base = bytes.baseAddress { unsafe randombytes_buf(base, bytes.count) }
                }
                position = 0
            }
            defer {
                // A later reader of this memory learns nothing of words already given out.
                buffer[position] = 0
                position += 1
            }
            return buffer[position]
        }
    }

    private let pool = Pool()

    package init() { Sodium.initialize() }

    package mutating func next() -> UInt64 { pool.words.withLock { $0.take() } }

    /// Random bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { unsafe randombytes_buf(base, buffer.count) }
        }
        return bytes
    }
}
