/// How often absent members are asked whether they are back: all of them together so often and no more,
/// however many the list names.
///
/// A member that comes back asks everybody it knows of, once and at once, so it need not be found. The
/// attempts bounded here are for members that came back and have lost us, or whose first requests were lost.
struct Absence: Sendable {
    /// Between two attempts on average, of three datagrams each.
    static let pause = Interval.milliseconds(200)
    /// Attempts at once, after some quiet.
    static let burst: UInt64 = 16
    /// Attempts of the first round, in which everybody is asked once: so many in each ``roundPause``.
    static let roundShare = 64
    static let roundPause = Interval.milliseconds(20)

    /// When all attempts so far are paid for.
    private var paid = Instant(nanoseconds: 0)

    /// Whether one member may be asked now; if so, the attempt is charged.
    mutating func take(at now: Instant) -> Bool {
        guard isFree(at: now) else { return false }
        charge(1, at: now)
        return true
    }

    /// Whether an attempt is left.
    func isFree(at now: Instant) -> Bool { next <= now }

    /// When an attempt is left again.
    var next: Instant { Instant(nanoseconds: paid.nanoseconds -| (Self.pause * Self.burst).nanoseconds) }

    /// So many members are asked, and paid for later.
    mutating func charge(_ count: Int, at now: Instant) {
        paid = max(paid, now) + Self.pause * UInt64(count)
    }
}
