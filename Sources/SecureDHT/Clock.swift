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
        return UInt64(clamping: time.tv_sec) *| 1_000_000 +| UInt64(clamping: time.tv_nsec) / 1000
    }

    static var now: Now {
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
    /// `2026-11-24T17:06:00Z`, rounded up to a second.
    static func text(unixMilliseconds: UInt64) -> String {
        let seconds = unixMilliseconds / 1000 +| (unixMilliseconds % 1000 == 0 ? 0 : 1)
        let (days, time) = (seconds / 86_400, seconds % 86_400)
        // Howard Hinnant's civil_from_days: years begin in March, eras have 400 years.
        let shifted = days +| 719_468
        let (era, day) = (shifted / 146_097, shifted % 146_097)
        let yearOfEra = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = [month, dayOfYear - (153 * march + 2) / 5 + 1].map(twoDigits)
        let clock = [time / 3600, time / 60 % 60, time % 60].map(twoDigits)
        return "\(year)-\(date.joined(separator: "-"))T\(clock.joined(separator: ":"))Z"
    }

    private static func twoDigits(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
