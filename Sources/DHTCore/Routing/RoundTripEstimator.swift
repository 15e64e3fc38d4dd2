/// How long to wait for a peer's answer: RFC 6298 with the bounds of `docs/protocol.md`, section 10.
package struct RoundTripEstimator: Hashable, Sendable {
    package static let firstTimeout = Interval.milliseconds(500)
    package static let timeouts = Interval.milliseconds(50)...Interval.seconds(2)
    /// The least wait before another is asked as well. Far below the least time-out: asking one peer more
    /// costs one request, and waiting for the dead costs people their time.
    package static let leastPatience = Interval.milliseconds(5)
    /// Longer samples count as this long: the sums below stay far from overflow.
    private static let longestSample = Interval.minutes(1)

    /// The smoothed round trip (SRTT); `nil` before the first sample.
    package private(set) var smoothed: Interval?
    /// RTTVAR.
    private var variation = Interval(nanoseconds: 0)

    package init() {}

    /// Takes in the time from a transmission to the answer to it.
    package mutating func sample(_ roundTrip: Interval) {
        let sample = min(roundTrip, Self.longestSample)
        guard let smoothed else {
            (self.smoothed, variation) = (sample, sample / 2)
            return
        }
        let deviation = sample > smoothed ? sample - smoothed : smoothed - sample
        variation = (variation * 3 + deviation) / 4
        self.smoothed = (smoothed * 7 + sample) / 8
    }

    /// How long to wait for an answer to the `transmission`-th sending, 0 being the first. It doubles, up
    /// to 2 s.
    package func timeout(transmission: Int) -> Interval {
        precondition(transmission >= 0, "transmission \(transmission) comes before the first")
        let bounded = min(max(usualWait, Self.timeouts.lowerBound), Self.timeouts.upperBound)
        // 50 ms reach 2 s in 6 doublings.
        return min(bounded * (1 << UInt64(min(transmission, 6))), Self.timeouts.upperBound)
    }

    /// How long an answer may take before it is overdue: the peer may still answer, but another is asked in
    /// its stead. No longer than the first time-out.
    package var patience: Interval { min(max(usualWait, Self.leastPatience), Self.timeouts.upperBound) }

    /// SRTT + 4 RTTVAR: few answers take longer.
    private var usualWait: Interval { smoothed.map { $0 + variation * 4 } ?? Self.firstTimeout }
}
