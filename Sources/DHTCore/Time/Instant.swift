/// A point on the driver's monotonic clock, in nanoseconds since an origin of the driver's choice.
/// All arithmetic stops at the ends.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    package static func + (lhs: Instant, rhs: Interval) -> Instant {
        Instant(nanoseconds: lhs.nanoseconds +| rhs.nanoseconds)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    package func since(_ earlier: Instant) -> Interval {
        Interval(nanoseconds: nanoseconds -| earlier.nanoseconds)
    }
}

/// The earlier of two times of which either may never come; `nil`: neither does.
package func earlier(_ first: Instant?, _ second: Instant?) -> Instant? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
}

/// A length of time, never negative. All arithmetic stops at the ends.
package struct Interval: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func microseconds(_ count: UInt64) -> Interval { Interval(nanoseconds: count *| 1000) }
    package static func milliseconds(_ count: UInt64) -> Interval {
        Interval(nanoseconds: count *| 1_000_000)
    }
    package static func seconds(_ count: UInt64) -> Interval { Interval(nanoseconds: count *| 1_000_000_000) }
    package static func minutes(_ count: UInt64) -> Interval { .seconds(count *| 60) }

    package var microseconds: UInt64 { nanoseconds / 1000 }
    package var milliseconds: UInt64 { nanoseconds / 1_000_000 }
    package var seconds: UInt64 { nanoseconds / 1_000_000_000 }

    package static func < (lhs: Interval, rhs: Interval) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
    package static func + (lhs: Interval, rhs: Interval) -> Interval {
        Interval(nanoseconds: lhs.nanoseconds +| rhs.nanoseconds)
    }
    package static func * (lhs: Interval, rhs: UInt64) -> Interval {
        Interval(nanoseconds: lhs.nanoseconds *| rhs)
    }
    /// The difference; zero if the other is longer.
    package static func - (lhs: Interval, rhs: Interval) -> Interval {
        Interval(nanoseconds: lhs.nanoseconds -| rhs.nanoseconds)
    }
    package static func / (lhs: Interval, rhs: UInt64) -> Interval {
        Interval(nanoseconds: lhs.nanoseconds / rhs)
    }
}

/// The readings of the driver's two clocks at one moment. Every event of a pure machine carries them; no
/// machine reads a clock.
@usableFromInline package struct Now: Hashable, Sendable {
    /// For time-outs and schedules: never goes back.
    package var instant: Instant
    /// Milliseconds since 1970, for the lifetimes of records alone: may jump.
    package var unixMilliseconds: UInt64

    package init(instant: Instant, unixMilliseconds: UInt64) {
        (self.instant, self.unixMilliseconds) = (instant, unixMilliseconds)
    }
}
