/// Peers that did not take copies, and are spared for a while: a slow or full disk must not be asked for the
/// same things over and over by everybody.
struct RepairBackoff: Sendable {
    static let capacity = 256
    static let firstPause = Interval.seconds(60)
    static let longestPause = Interval.minutes(8)

    private struct Backoff {
        var pause: Interval
        var until: Instant
    }

    private var backoffs: [Identity: Backoff] = [:]

    var count: Int { backoffs.count }

    /// The peer did not take a copy. Those under way at the same time say the same thing once.
    mutating func failed(_ identity: Identity, at now: Instant) {
        guard let old = backoffs[identity] else {
            if backoffs.count >= Self.capacity {
                backoffs = backoffs.filter { now.since($0.value.until) < Self.longestPause }
                guard backoffs.count < Self.capacity else { return }
            }
            backoffs[identity] = Backoff(pause: Self.firstPause, until: now + Self.firstPause)
            return
        }
        guard old.until <= now else { return }
        let pause = min(old.pause * 2, Self.longestPause)
        backoffs[identity] = Backoff(pause: pause, until: now + pause)
    }

    /// The peer took one.
    mutating func took(_ identity: Identity) { backoffs[identity] = nil }

    /// Whether the peer is to be spared.
    func isBackingOff(_ identity: Identity, at now: Instant) -> Bool {
        backoffs[identity].map { $0.until > now } ?? false
    }
}
