import DHTCore

/// Bounds the public-key work that requests with an unknown box key can cause: in all, and by source address.
///
/// Never by the claimed identity, which whoever holds the network key can write. `docs/protocol.md`, section
/// 4.
package struct FirstContactLane: Sendable {
    /// A source may open this many at once, in seconds of its rate.
    private static let burstSeconds: UInt32 = 4
    static let sourceCapacity = 4096

    private let sourceRate: UInt32
    private var all: TokenBucket
    private var sources: [Endpoint: TokenBucket] = [:]
    private var sweptAt: Instant?

    package init(rate: UInt32, sourceRate: UInt32, at now: Instant) {
        self.sourceRate = sourceRate
        all = TokenBucket(rate: rate, burst: rate, at: now)
    }

    var sourceCount: Int { sources.count }

    /// Whether one more request from `endpoint` may be opened now.
    package mutating func admit(_ endpoint: Endpoint, at now: Instant) -> Bool {
        // The loopback address belongs to everybody on the machine; there the port tells sources apart.
        let source = endpoint.isLoopback ? endpoint : endpoint.source
        if sources[source] == nil, sources.count >= Self.sourceCapacity {
            sweep(at: now)
            guard sources.count < Self.sourceCapacity else { return false }
        }
        let fresh = TokenBucket(rate: sourceRate, burst: sourceRate * Self.burstSeconds, at: now)
        guard sources[source, default: fresh].take(at: now) else { return false }
        return all.take(at: now)
    }

    /// Forgets sources whose buckets are full again; once a second, as a flood must not pay for it by the
    /// datagram.
    private mutating func sweep(at now: Instant) {
        if let sweptAt, now.since(sweptAt) < .seconds(1) { return }
        sweptAt = now
        for key in Array(sources.keys) where sources[key]?.isFull(at: now) == true { sources[key] = nil }
    }
}
