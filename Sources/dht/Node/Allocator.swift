import Glibc

/// The C library's allocator.
enum Allocator {
    /// Allocations of so many bytes are given back to the system as soon as they are freed.
    private static let largeSize: CInt = 256 << 10
    /// Its name for that setting, from malloc.h, which Swift's Glibc does not have.
    private static let mmapThreshold: CInt = -3

    /// Has buffers of long values given back when they are freed.
    ///
    /// Left to itself glibc raises that size to the largest one freed so far, up to 32 MiB. After the first
    /// value of 16 MiB all buffers would come from the heap, which grows by each gap that is too small for
    /// the next one.
    static func giveBackLargeBuffers() {
        typealias Setter = @convention(c) (CInt, CInt) -> CInt
        // Another C library has no such setting, and no need of it.
        guard let symbol = unsafe dlsym(UnsafeMutableRawPointer(bitPattern: 0), "mallopt") else { return }
        _ = unsafe unsafeBitCast(symbol, to: Setter.self)(mmapThreshold, largeSize)
    }
}
