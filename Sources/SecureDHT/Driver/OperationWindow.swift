import DHTCore

/// How many operations of users are under way at a time: as many as come back without a request sent twice.
///
/// Those beyond wait here and not in the sockets of others, where they would be lost, or answered too late.
/// Additive increase, multiplicative decrease: RFC 5681, section 3.1, with operations in the place of bytes.
struct OperationWindow: Sendable {
    /// So many are under way in any case: where peers are dead, or lines lose much, others go on.
    static let least = 16
    /// Losses within this count as one.
    private static let lossPause = Interval.milliseconds(100)

    let limit: Int
    private(set) var size: Int
    /// Operations that ended since the window last grew.
    private var ended = 0
    private var lastLoss: Instant?
    private var retransmissions: UInt64 = 0

    init(limit: Int) {
        self.limit = limit
        size = min(Self.least, limit)
    }

    /// An operation ended, and others wait. Up to the first loss the window grows by one with each, then with
    /// each as many as it holds.
    mutating func grow() {
        ended += 1
        guard lastLoss == nil || ended >= size else { return }
        ended = 0
        size = min(size + 1, limit)
    }

    /// So many requests have been sent again since the node began. If there are more than before, there is
    /// too much under way.
    mutating func look(retransmissions count: UInt64, at now: Instant) {
        guard count > retransmissions else { return }
        retransmissions = count
        if let lastLoss, now.since(lastLoss) < Self.lossPause { return }
        lastLoss = now
        ended = 0
        size = max(size / 2, min(Self.least, limit))
    }
}
