import DHTCore

/// So many a second on average, so many at once.
package struct TokenBucket: Sendable {
    private let interval: UInt64  // nanoseconds that earn one
    private let capacity: UInt64  // nanoseconds' worth
    private var credit: UInt64
    private var updated: Instant

    /// A full bucket. `rate` a second; 0 admits nothing at all.
    package init(rate: UInt32, burst: UInt32, at now: Instant) {
        interval = rate == 0 ? .max : 1_000_000_000 / UInt64(rate)
        capacity = rate == 0 ? 0 : interval *| UInt64(max(burst, 1))
        credit = capacity
        updated = now
    }

    /// A full bucket that holds `burst`, and earns one in each `interval`.
    package init(oneEach interval: Interval, burst: UInt64, at now: Instant) {
        self.interval = interval.nanoseconds
        capacity = interval.nanoseconds *| burst
        credit = capacity
        updated = now
    }

    /// Whether there is a token to take.
    package func holdsOne(at now: Instant) -> Bool { credit(at: now) >= interval }

    /// Takes a token if there is one.
    package mutating func take(at now: Instant) -> Bool {
        refill(at: now)
        guard credit >= interval else { return false }
        credit -= interval
        return true
    }

    /// Whether nobody took anything lately: the bucket may be forgotten and made anew, full.
    package mutating func isFull(at now: Instant) -> Bool {
        refill(at: now)
        return credit == capacity
    }

    private func credit(at now: Instant) -> UInt64 {
        let earned = now.since(updated).nanoseconds
        return earned < capacity - credit ? credit + earned : capacity
    }

    private mutating func refill(at now: Instant) {
        credit = credit(at: now)
        updated = max(updated, now)
    }
}
