import DHTCore
import FoundationEssentials

// Times and durations as users see them, and as the protocol counts them.

extension Revision {
    /// When the author wrote, by its clock; of writes within one millisecond, the same.
    public var date: Date { Date(unixMilliseconds: unixMilliseconds) }
}

extension Date {
    package init(unixMilliseconds: UInt64) {
        self.init(timeIntervalSince1970: Double(unixMilliseconds) / 1000)
    }

    /// Whole seconds since 1970, rounded down; 0 for what was before.
    package var unixSeconds: UInt64 { unixMilliseconds / 1000 }

    /// Whole milliseconds since 1970; 0 for what was before.
    package var unixMilliseconds: UInt64 {
        UInt64(exactly: max(0, (timeIntervalSince1970 * 1000).rounded())) ?? .max
    }
}

extension Duration {
    /// The duration in whole microseconds, rounded down; 0 if it is negative.
    package var wholeMicroseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(seconds) *| 1_000_000 +| UInt64(attoseconds / 1_000_000_000_000)
    }

    package var wholeMilliseconds: UInt64 { wholeMicroseconds / 1000 }

    /// The duration in milliseconds, to the microsecond.
    package var inMilliseconds: Double { Double(wholeMicroseconds) / 1000 }

    /// The duration in seconds, rounded up; `nil` if it is negative or too long for the wire.
    var lifetime: UInt32? {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return nil }
        return UInt32(exactly: UInt64(seconds) +| (attoseconds > 0 ? 1 : 0))
    }
}

extension Instant {
    /// The instant `duration` from this one on; the end of time if it is too far away.
    func advanced(by duration: Duration) -> Instant {
        self + Interval(nanoseconds: duration.wholeMicroseconds *| 1000)
    }
}
