import CSodium

/// Secret bytes in memory that is locked, fenced by guard pages, and wiped when its one owner lets go.
///
/// Each takes four mappings and locks at least 4 KiB: for few and lasting secrets. Many go into a
/// ``SharedKeySlab``.
@safe package struct SecretBytes: ~Copyable, @unchecked Sendable {
    package let count: Int
    private let memory: UnsafeMutableRawPointer

    /// Memory that `fill` is to write whole.
    init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        Sodium.initialize()
        guard let memory = unsafe sodium_malloc(count) else {
            preconditionFailure("no locked memory left for \(count) secret bytes; see ulimit -l")
        }
        self.count = count
        unsafe self.memory = memory
        unsafe fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    /// Fresh random bytes.
    package init(randomCount: Int) {
        unsafe self.init(count: randomCount) { buffer in
            if let base = buffer.baseAddress { unsafe randombytes_buf(base, buffer.count) }
        }
    }

    /// Takes the bytes over: the array is left full of zeros. See ``wipe(_:)``.
    package init(wiping bytes: inout [UInt8]) {
        unsafe self.init(count: bytes.count) { buffer in unsafe buffer.copyBytes(from: bytes) }
        wipe(&bytes)
    }

    deinit { unsafe sodium_free(memory) }

    /// Lends the bytes; nothing of them may outlive `body`.
    package borrowing func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    /// A second owner's bytes.
    package borrowing func copy() -> SecretBytes {
        let source = unsafe memory
        return unsafe SecretBytes(count: count) { buffer in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(start: source, count: buffer.count))
        }
    }

    /// The bytes as libsodium wants them.
    var pointer: UnsafePointer<UInt8> { unsafe UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)) }
}
