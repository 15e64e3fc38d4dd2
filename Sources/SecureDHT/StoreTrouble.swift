import DHTCore

/// What is wrong with a store, and when the operator was last told of it.
struct StoreTrouble: Sendable {
    /// Between two lines of the log about the same thing.
    static let pause = Span.seconds(60)

    /// In words; `nil`: the last write went well.
    private(set) var reason: String?
    private var toldAt: Instant?
    /// Since the operator was last told.
    private var failures = 0

    /// A write failed. How many did since the operator was last told, this one included, if he is to be told
    /// now: of something new at once, of the same thing now and then.
    mutating func note(_ reason: String, at now: Instant) -> Int? {
        failures += 1
        if reason == self.reason, let toldAt, now.since(toldAt) < Self.pause { return nil }
        self.reason = reason
        toldAt = now
        defer { failures = 0 }
        return failures
    }

    /// A write went well. Whether that ends something the operator was told of.
    mutating func end() -> Bool {
        defer { self = StoreTrouble() }
        return reason != nil
    }
}
