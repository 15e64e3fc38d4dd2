/// Id prefixes of nodes that others spoke of and that were not found: they may be dead, or admitted by others
/// and not by us.
struct UnfindablePrefixes: Sendable {
    /// How long one is not looked for again.
    static let interval = Interval.seconds(60)
    static let capacity = 1024

    private var prefixes: [UInt32: Instant] = [:]

    var count: Int { prefixes.count }

    func holds(_ prefix: UInt32, at now: Instant) -> Bool {
        prefixes[prefix].map { now.since($0) < Self.interval } ?? false
    }

    mutating func record(_ missing: [UInt32], at now: Instant) {
        if prefixes.count >= Self.capacity { prefixes = [:] }
        for prefix in missing { prefixes[prefix] = now }
    }
}
