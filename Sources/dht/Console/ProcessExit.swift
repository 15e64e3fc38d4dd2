import Glibc
import Synchronization

/// The one way out. Functions registered with `atexit` run once, to their end, whichever other thread wants
/// to leave meanwhile.
enum ProcessExit {
    private static let isUnderWay = Atomic(false)

    /// - Parameter lastWords: Prints the reason; not called if another thread is leaving already.
    static func exit(_ code: Int32, _ lastWords: () -> Void = {}) -> Never {
        // Another thread is leaving, with another code perhaps: it was first.
        while isUnderWay.exchange(true, ordering: .sequentiallyConsistent) { pause() }
        lastWords()
        Glibc.exit(code)
    }
}
