/// The probes of a node that counts on nobody: it asks one contact after the other, and once one answers it
/// asks all the others.
struct Isolation: Sendable {
    /// Between two probes of a node that counts on nobody.
    static let interval = Interval.seconds(2)
    /// Between two times at which all contacts that were given up are asked.
    static let revivalInterval = Interval.seconds(30)

    private var nextProbe: Instant?
    private var probes = 0
    /// When the contacts given up were last asked because one of them came back.
    private var lastRevival: Instant?

    /// We count on somebody.
    mutating func end() { nextProbe = nil }

    /// Which of `count` contacts is asked now, if one is; and when to ask again.
    mutating func probe(of count: Int, at now: Instant) -> (index: Int?, next: Instant) {
        let due = nextProbe ?? now + Self.interval
        guard due <= now else {
            nextProbe = due
            return (nil, due)
        }
        probes &+= 1
        let next = now + Self.interval
        nextProbe = next
        return (probes % count, next)
    }

    /// A contact that had fallen silent answers: whether all `count` contacts that were given up are asked
    /// now.
    mutating func revive(_ count: Int, paying absence: inout Absence, at now: Instant) -> Bool {
        if let last = lastRevival, now.since(last) < Self.revivalInterval { return false }
        // The last time is to be paid for before the next.
        guard absence.isFree(at: now) || lastRevival == nil else { return false }
        absence.charge(count, at: now)
        lastRevival = now
        return true
    }
}
