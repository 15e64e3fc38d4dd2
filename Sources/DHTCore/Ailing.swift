/// Peers that did not take copies, and are spared for a while: a slow or full disk must not be asked for the
/// same things over and over by everybody.
struct Ailing: Sendable {
    static let capacity = 256
    static let firstPause = Span.seconds(60)
    static let longestPause = Span.minutes(8)

    private struct Ailment {
        var pause: Span
        var until: Instant
    }

    private var ailments: [Identity: Ailment] = [:]

    var count: Int { ailments.count }

    /// The peer did not take a copy. Those under way at the same time say the same thing once.
    mutating func failed(_ identity: Identity, at now: Instant) {
        guard let old = ailments[identity] else {
            if ailments.count >= Self.capacity {
                ailments = ailments.filter { now.since($0.value.until) < Self.longestPause }
                guard ailments.count < Self.capacity else { return }
            }
            ailments[identity] = Ailment(pause: Self.firstPause, until: now + Self.firstPause)
            return
        }
        guard old.until <= now else { return }
        let pause = min(old.pause * 2, Self.longestPause)
        ailments[identity] = Ailment(pause: pause, until: now + pause)
    }

    /// The peer took one.
    mutating func took(_ identity: Identity) { ailments[identity] = nil }

    /// Whether the peer is to be spared.
    func isSpared(_ identity: Identity, at now: Instant) -> Bool {
        ailments[identity].map { $0.until > now } ?? false
    }
}
