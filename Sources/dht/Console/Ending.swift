import Glibc
import Synchronization

/// The one way out. What is registered with `atexit` runs once, to its end, whoever else wants to leave
/// meanwhile.
enum Ending {
    private static let isUnderWay = Atomic(false)

    /// - Parameter lastWords: What there is to say; nothing is said on the way out of somebody else.
    static func exit(_ code: Int32, _ lastWords: () -> Void = {}) -> Never {
        // Another thread is leaving, with another code perhaps: it was first.
        while isUnderWay.exchange(true, ordering: .sequentiallyConsistent) { pause() }
        lastWords()
        Glibc.exit(code)
    }
}
