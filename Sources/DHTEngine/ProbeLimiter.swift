import DHTCore

/// Bounds what goes to addresses that never answered: hints of a hostile member must not aim us at a third
/// party. `docs/protocol.md`, section 5.
struct ProbeLimiter: Sendable {
    /// Datagrams in any ``interval``.
    static let limit = 2
    static let interval = Span.seconds(30)
    static let capacity = 4096

    /// When the last ones were sent, at most ``limit`` an address.
    private var probes: [Endpoint: [Instant]] = [:]

    var count: Int { probes.count }

    /// Whether one more datagram may go there now.
    mutating func admit(_ endpoint: Endpoint, at now: Instant) -> Bool {
        if probes[endpoint] == nil, probes.count >= Self.capacity {
            probes = probes.filter { $0.value.contains { now.since($0) < Self.interval } }
            guard probes.count < Self.capacity else { return false }
        }
        var recent = probes[endpoint, default: []]
        recent.removeAll { now.since($0) >= Self.interval }
        guard recent.count < Self.limit else { return false }
        recent.append(now)
        probes[endpoint] = recent
        return true
    }

    /// Somebody answered from there.
    mutating func clear(_ endpoint: Endpoint) { probes[endpoint] = nil }
}
