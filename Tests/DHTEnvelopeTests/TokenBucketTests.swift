import DHTCore
import Testing

@testable import DHTEnvelope

/// The obvious slow version: when each of the taken ones has been earned again.
private struct BucketTwin {
    let interval: UInt64
    let burst: Int
    /// The moment at which the bucket is full again.
    var fullAt: UInt64 = 0

    mutating func take(at now: Instant) -> Bool {
        let start = max(fullAt, now.nanoseconds)
        guard start - now.nanoseconds + interval <= interval * UInt64(burst) else { return false }
        fullAt = start + interval
        return true
    }
}

@Suite struct TokenBucketTests {
    @Test(
        arguments: [(1, 1, 1), (2, 5, 20), (3, 200, 200), (4, 5000, 10_000), (5, 3, 7)]
            as [(UInt64, UInt32, UInt32)]
    )
    func `it admits what its twin admits`(seed: UInt64, rate: UInt32, burst: UInt32) {
        var generator = SplitMix64(seed: seed)
        var now = at(1000)
        var bucket = TokenBucket(rate: rate, burst: burst, at: now)
        let interval = 1_000_000_000 / UInt64(rate)
        var twin = BucketTwin(interval: interval, burst: Int(burst))
        for _ in 0..<3000 {
            let idle = generator.next() % 40 == 0
            now =
                now
                + Interval(nanoseconds: generator.next() % (idle ? interval * 20 : interval + interval / 2))
            for _ in 0...(generator.next() % 3) {
                #expect(bucket.take(at: now) == twin.take(at: now))
            }
        }
    }

    @Test func `a full bucket gives its burst at once and then its rate`() {
        var bucket = TokenBucket(rate: 5, burst: 20, at: at(0))
        let taken = [at(0), at(1), at(100)].map { now in (0..<30).count { _ in bucket.take(at: now) } }
        #expect(taken == [20, 5, 20])
    }

    @Test func `it is full again when all is earned back`() {
        var bucket = TokenBucket(rate: 5, burst: 20, at: at(0))
        #expect(bucket.isFull(at: at(0)) == true)
        #expect(bucket.take(at: at(0)) == true)
        #expect(bucket.isFull(at: at(0)) == false)
        #expect(bucket.isFull(at: at(milliseconds: 199)) == false)
        #expect(bucket.isFull(at: at(milliseconds: 200)) == true)
    }

    @Test func `a clock that goes back earns nothing and loses nothing`() {
        var bucket = TokenBucket(rate: 1, burst: 2, at: at(10))
        #expect(bucket.take(at: at(10)) == true)
        #expect(bucket.take(at: at(5)) == true)
        #expect(bucket.take(at: at(5)) == false)
        #expect(bucket.take(at: at(10)) == false)
        #expect(bucket.take(at: at(11)) == true)
    }

    @Test func `a rate of zero admits nothing`() {
        var bucket = TokenBucket(rate: 0, burst: 10, at: at(0))
        #expect(bucket.take(at: at(0)) == false)
        #expect(bucket.take(at: at(1_000_000)) == false)
    }

    @Test(arguments: [1, 5000, UInt32.max] as [UInt32])
    func `the longest wait fills it and no more`(rate: UInt32) {
        var bucket = TokenBucket(rate: rate, burst: 3, at: at(0))
        while rate < 1_000_000, bucket.take(at: at(0)) {}
        #expect(bucket.take(at: Instant(nanoseconds: .max)) == true)
        #expect(bucket.isFull(at: Instant(nanoseconds: .max)) == (rate == .max))
    }
}
