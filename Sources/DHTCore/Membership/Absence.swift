/// How often absent members are asked whether they are back: all of them together so often and no more,
/// however many the list names.
///
/// Whoever comes back asks everybody it knows of, once and at once, so it need not be found. What is bounded
/// here is for those that came back and have lost us, or whose first words were lost.
struct Absence: Sendable {
    /// Between two attempts on average, of three datagrams each.
    static let pause = Interval.milliseconds(200)
    /// Attempts at once, after some quiet.
    static let burst: UInt64 = 16
    /// Those of the first round, in which everybody is asked once: so many in each ``roundPause``.
    static let roundShare = 64
    static let roundPause = Interval.milliseconds(20)

    /// When all attempts so far are paid for.
    private var paid = Instant(nanoseconds: 0)

    /// Whether one may be asked now; then that counts.
    mutating func take(at now: Instant) -> Bool {
        guard isFree(at: now) else { return false }
        charge(1, at: now)
        return true
    }

    /// Whether there is anything left.
    func isFree(at now: Instant) -> Bool { next <= now }

    /// When there is something left again.
    var next: Instant { Instant(nanoseconds: paid.nanoseconds -| (Self.pause * Self.burst).nanoseconds) }

    /// So many are asked, and paid for later.
    mutating func charge(_ count: Int, at now: Instant) {
        paid = max(paid, now) + Self.pause * UInt64(count)
    }
}
