import DHTCore

/// Notices that nobody answers, and that somebody does again.
struct HealthWatch: Sendable {
    enum News: Hashable, Sendable {
        /// There are others, and for a while none of them answered.
        case isolated
        /// Somebody answers again.
        case whole
    }

    /// So long it takes to be told: at a start and after a moment's outage others are found by then.
    static let patience = Span.seconds(5)

    private var aloneSince: Instant?
    private var isTold = false

    mutating func note(_ company: Company, at now: Instant) -> News? {
        guard company.isIsolated else {
            defer { (aloneSince, isTold) = (nil, false) }
            return isTold ? .whole : nil
        }
        let since = aloneSince ?? now
        aloneSince = since
        guard !isTold, now.since(since) >= Self.patience else { return nil }
        isTold = true
        return .isolated
    }
}
