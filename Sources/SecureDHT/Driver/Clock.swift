import DHTCore
import FoundationEssentials
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The machine's clocks: the one place where this program reads them for the engine.
package enum SystemClock {
    /// Microseconds since 1970.
    static var unixMicroseconds: UInt64 {
        var time = timespec()
        let result = unsafe clock_gettime(CLOCK_REALTIME, &time)
        precondition(result == 0, "the system has a clock")
        return UInt64(clamping: time.tv_sec) *| 1_000_000 +| UInt64(clamping: time.tv_nsec) / 1000
    }

    package static var now: Now {
        Now(
            instant: Instant(nanoseconds: NIODeadline.now().uptimeNanoseconds),
            unixMilliseconds: unixMicroseconds / 1000
        )
    }
}

extension Instant {
    var deadline: NIODeadline { min(.uptimeNanoseconds(nanoseconds), .distantFuture) }
}

/// Times for people.
enum UTC {
    /// 9999-12-31T23:59:59Z: no revision is later.
    private static let latest: UInt64 = 253_402_300_799

    /// `2026-11-24T17:06:00Z`, rounded up to a second.
    static func text(unixMilliseconds: UInt64) -> String {
        let seconds = unixMilliseconds / 1000 +| (unixMilliseconds % 1000 == 0 ? 0 : 1)
        return Date(timeIntervalSince1970: Double(min(seconds, latest))).formatted(.iso8601)
    }
}

extension Now {
    /// When that was, in milliseconds since 1970.
    func unixMilliseconds(of instant: Instant) -> UInt64 {
        unixMilliseconds -| self.instant.since(instant).milliseconds
    }
}
