import DHTCore

/// Failed writes of a store, and when the operator was last told of them.
struct StoreTrouble: Sendable {
    /// Between two lines of the log that something is wrong. A full disk takes small things and refuses large
    /// ones, so that trouble ends and begins many times a second.
    static let pause = Interval.seconds(60)

    /// In words; `nil`: the last write went well.
    private(set) var reason: String?
    private var toldAt: Instant?
    /// Whether the operator believes that something is wrong.
    private var isBelieved = false
    /// Since the operator was last told.
    private var failures = 0

    /// A write failed. How many did since the operator was last told, this one included, if he is to be told
    /// now.
    mutating func record(_ reason: String, at now: Instant) -> Int? {
        failures += 1
        self.reason = reason
        if let toldAt, now.since(toldAt) < Self.pause { return nil }
        (toldAt, isBelieved) = (now, true)
        defer { failures = 0 }
        return failures
    }

    /// A write went well. Whether the operator is to be told so.
    mutating func end() -> Bool {
        defer { (reason, isBelieved) = (nil, false) }
        return isBelieved
    }
}
