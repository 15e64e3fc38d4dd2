import CSodium

/// libsodium as a whole.
package enum Sodium {
    private static let isReady: Bool = {
        let result = sodium_init()
        precondition(result >= 0, "libsodium could not be initialised")
        return true
    }()

    /// Whether the system lets us lock memory, so that secrets are never written to a swap file. Where it
    /// does not, they are kept all the same.
    package static var locksMemory: Bool {
        let page = 4096
        let memory = UnsafeMutableRawPointer.allocate(byteCount: page, alignment: page)
        defer { unsafe memory.deallocate() }
        guard unsafe sodium_mlock(memory, page) == 0 else { return false }
        unsafe sodium_munlock(memory, page)
        return true
    }

    /// Readies libsodium: once, however often it is called, from any thread.
    package static func initialize() { precondition(isReady, "libsodium is ready") }
}

/// Stops the program where libsodium refuses what it cannot refuse: the arguments were checked.
func mustSucceed(_ result: Int32, _ call: StaticString) {
    precondition(result == 0, "libsodium refused \(call)")
}

/// Overwrites bytes with zeros in a way that is not optimised away.
///
/// An array that somebody else shares is copied before it is written to, so the caller must be its only
/// owner.
package func wipe(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { buffer in
        guard let base = buffer.baseAddress else { return }
        unsafe sodium_memzero(base, buffer.count)
    }
}
