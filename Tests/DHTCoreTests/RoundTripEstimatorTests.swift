import DHTCore
import Testing

@Suite struct RoundTripEstimatorTests {
    private func estimator(after sampling: Interval...) -> RoundTripEstimator {
        var estimator = RoundTripEstimator()
        for sample in sampling { estimator.sample(sample) }
        return estimator
    }

    @Test func `without a sample the time-out is 500 ms`() {
        #expect(RoundTripEstimator().timeout(transmission: 0) == .milliseconds(500))
        #expect(RoundTripEstimator().smoothed == nil)
    }

    @Test func `each transmission waits twice as long, up to 2 s`() {
        let waits = (0..<5).map { RoundTripEstimator().timeout(transmission: $0).milliseconds }
        #expect(waits == [500, 1000, 2000, 2000, 2000])
    }

    @Test func `the first sample is the estimate, and half of it the variation`() {
        let estimator = estimator(after: .milliseconds(100))
        #expect(estimator.smoothed == .milliseconds(100))
        #expect(estimator.timeout(transmission: 0) == .milliseconds(300))  // 100 + 4 × 50
    }

    @Test func `the second sample is weighed as RFC 6298 says`() {
        let estimator = estimator(after: .milliseconds(100), .milliseconds(180))
        #expect(estimator.smoothed == .milliseconds(110))  // 7/8 × 100 + 1/8 × 180
        // 110 + 4 × (3/4 × 50 + 1/4 × 80)
        #expect(estimator.timeout(transmission: 0) == .milliseconds(340))
    }

    @Test func `a shorter sample adds to the variation too`() {
        let estimator = estimator(after: .milliseconds(100), .milliseconds(20))
        #expect(estimator.smoothed == .milliseconds(90))
        #expect(estimator.timeout(transmission: 0) == .milliseconds(320))  // 90 + 4 × 57.5
    }

    @Test func `a fast peer is waited for 50 ms, then doubling`() {
        let estimator = estimator(after: .microseconds(200))
        let waits = (0..<8).map { estimator.timeout(transmission: $0).milliseconds }
        #expect(waits == [50, 100, 200, 400, 800, 1600, 2000, 2000])
    }

    @Test func `a slow peer is waited for 2 s`() {
        #expect(estimator(after: .seconds(3)).timeout(transmission: 0) == .seconds(2))
        #expect(estimator(after: .seconds(3)).timeout(transmission: 2) == .seconds(2))
    }

    @Test func `equal sampling bring the time-out down to the round trip`() {
        var estimator = estimator(after: .milliseconds(200))
        for _ in 0..<60 { estimator.sample(.milliseconds(200)) }
        #expect(estimator.smoothed == .milliseconds(200))
        #expect(estimator.timeout(transmission: 0) < .milliseconds(201))
    }

    @Test func `absurd sampling and counts do no harm`() {
        var estimator = estimator(
            after: Interval(nanoseconds: .max),
            Interval(nanoseconds: 0),
            Interval(nanoseconds: .max)
        )
        #expect(estimator.timeout(transmission: .max) == .seconds(2))
        for _ in 0..<100 { estimator.sample(Interval(nanoseconds: 0)) }
        #expect(estimator.timeout(transmission: 0) == .milliseconds(50))
    }

    @Test func `the integers stay close to the formulas`() {
        var generator = SplitMix64(seed: 8)
        for _ in 0..<50 {
            var estimator = RoundTripEstimator()
            var (smoothed, variation) = (0.0, 0.0)
            for step in 0..<200 {
                let sample = UInt64.random(in: 100_000...400_000_000, using: &generator)
                estimator.sample(Interval(nanoseconds: sample))
                if step == 0 {
                    (smoothed, variation) = (Double(sample), Double(sample) / 2)
                } else {
                    variation = variation * 0.75 + abs(smoothed - Double(sample)) * 0.25
                    smoothed = smoothed * 0.875 + Double(sample) * 0.125
                }
                let exact = min(max(smoothed + variation * 4, 5e7), 2e9)
                let off = Double(estimator.timeout(transmission: 0).nanoseconds) - exact
                #expect(abs(off) < 1000)  // nanoseconds
            }
        }
    }
}
