/// Lookups for peers that fell silent: one that moved is found so, since others may know where it is now.
///
/// Where many are gone, or lines are bad, a lookup itself causes time-outs; the limits stop that from feeding
/// back.
struct RelocationLookups: Sendable {
    /// At once.
    static let limit = 2
    /// Between two of them.
    static let pause = Interval.seconds(1)
    /// Between two for the same peer.
    static let interval = Interval.seconds(60)

    /// Peers of which the last lookup is remembered.
    static let capacity = 4096

    private(set) var underWay = 0
    private(set) var next = Instant(nanoseconds: 0)
    /// When a peer was last looked for; bounded by clearing what has lapsed.
    private(set) var begun: [Identity: Instant] = [:]

    /// A lookup has ended.
    mutating func end() { underWay -= 1 }

    /// Whether the peer is looked for now; then that counts.
    mutating func begin(for peer: Identity, at now: Instant) -> Bool {
        guard underWay < Self.limit else { return false }
        guard next <= now else { return false }
        func isRecent(_ last: Instant) -> Bool { now.since(last) < Self.interval }
        if let last = begun[peer], isRecent(last) { return false }
        if begun.count >= Self.capacity {
            begun = begun.filter { isRecent($0.value) }
            guard begun.count < Self.capacity else { return false }
        }
        begun[peer] = now
        next = now + Self.pause
        underWay += 1
        return true
    }
}
