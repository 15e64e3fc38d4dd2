import DHTCore

/// Bounds what goes to addresses that never answered: hints of a hostile member must not aim us at a third party.
/// `docs/protocol.md`, section 5.
struct ProbeLimiter: Sendable {
    static let limit = 2
    static let interval = Span.seconds(30)
    private static let capacity = 4096

    private struct Probes: Sendable {
        var count: Int
        var since: Instant
    }

    private var probes: [Endpoint: Probes] = [:]

    /// Whether one more datagram may go there now.
    mutating func admit(_ endpoint: Endpoint, at now: Instant) -> Bool {
        if var known = probes[endpoint], now.since(known.since) < Self.interval {
            guard known.count < Self.limit else { return false }
            known.count += 1
            probes[endpoint] = known
            return true
        }
        if probes.count >= Self.capacity {
            probes = probes.filter { now.since($0.value.since) < Self.interval }
            guard probes.count < Self.capacity else { return false }
        }
        probes[endpoint] = Probes(count: 1, since: now)
        return true
    }

    /// Somebody answered from there.
    mutating func clear(_ endpoint: Endpoint) { probes[endpoint] = nil }
}
