import DHTCore
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The machine's clocks: the one place where this program reads them for the engine.
enum SystemClock {
    /// Microseconds since 1970.
    static var unixMicroseconds: UInt64 {
        var time = timespec()
        let result = unsafe clock_gettime(CLOCK_REALTIME, &time)
        precondition(result == 0, "the system has a clock")
        return UInt64(clamping: time.tv_sec) * 1_000_000 + UInt64(clamping: time.tv_nsec) / 1000
    }

    static var now: Now {
        Now(
            instant: Instant(nanoseconds: NIODeadline.now().uptimeNanoseconds),
            unixMilliseconds: unixMicroseconds / 1000
        )
    }
}

extension Instant {
    var deadline: NIODeadline { .uptimeNanoseconds(nanoseconds) }
}
