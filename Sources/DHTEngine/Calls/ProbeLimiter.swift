import DHTCore

/// Bounds what goes to addresses that never answered: hints of a hostile member must not aim us at a third
/// party. `docs/protocol.md`, section 5.
struct ProbeLimiter: Sendable {
    /// Datagrams to an endpoint in any ``interval``.
    static let limit = 2
    /// Datagrams to one address, whatever the port, of those endpoints that did not answer; IPv6 by /64.
    /// Addresses of this machine are excepted.
    static let addressLimit = 16
    static let interval = Interval.seconds(30)
    static let capacity = 4096

    /// When the last ones were sent, at most ``limit`` an endpoint.
    private var probes: [Endpoint: [Instant]] = [:]
    /// The endpoints among them at each address, by ``DHTCore/Endpoint/source``.
    private var neighbours: [Endpoint: Set<Endpoint>] = [:]

    var count: Int { probes.count }

    /// Whether one more datagram may go there now.
    mutating func admit(_ endpoint: Endpoint, at now: Instant) -> Bool {
        if probes[endpoint] == nil, probes.count >= Self.capacity {
            for (endpoint, sent) in probes where !sent.contains(where: { now.since($0) < Self.interval }) {
                clear(endpoint)
            }
            guard probes.count < Self.capacity else { return false }
        }
        let recent = recent(endpoint, at: now)
        guard recent.count < Self.limit, isAddressFree(endpoint, at: now) else { return false }
        probes[endpoint] = recent + [now]
        neighbours[endpoint.source, default: []].insert(endpoint)
        return true
    }

    /// Somebody answered from there.
    mutating func clear(_ endpoint: Endpoint) {
        guard !probes.isEmpty, probes.removeValue(forKey: endpoint) != nil else { return }
        neighbours[endpoint.source]?.remove(endpoint)
        if neighbours[endpoint.source]?.isEmpty == true { neighbours[endpoint.source] = nil }
    }

    private func recent(_ endpoint: Endpoint, at now: Instant) -> [Instant] {
        (probes[endpoint] ?? []).filter { now.since($0) < Self.interval }
    }

    private mutating func isAddressFree(_ endpoint: Endpoint, at now: Instant) -> Bool {
        guard !endpoint.isLoopback, let neighbours = neighbours[endpoint.source] else { return true }
        var sent = 0
        for neighbour in neighbours {
            let recent = recent(neighbour, at: now).count
            if recent == 0 { clear(neighbour) }
            sent += recent
        }
        return sent < Self.addressLimit
    }
}
