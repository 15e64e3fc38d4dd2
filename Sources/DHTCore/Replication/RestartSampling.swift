/// Peers that started anew, and whether they still have what they had: each is asked for a record or two.
///
/// The node tells ``begin(_:records:)`` how many records it asks a peer for, and each answer with
/// ``answered(_:)``. A peer that does not tell stays unverified (``postpone(_:lastHeard:at:)``), and is asked
/// again when it is next heard and ``lastHeardIfDue(_:at:)`` says so.
struct RestartSampling: Sendable {
    /// Records a peer is asked for.
    static let sampleSize = 2
    /// Peers that are asked at once.
    static let limit = Verifications.limit
    /// Peers of which it is not known whether they still have their records.
    static let unverifiedLimit = 1024
    /// The first pause between two questions; each one is twice as long as the one before.
    static let firstPause = Interval.seconds(30)
    /// A peer that never tells is believed to have its records.
    static let attemptLimit = 5

    private struct Unverified {
        let lastHeard: Instant
        let attempts: Int
        /// When the peer may be asked again.
        let due: Instant
    }

    /// How many records are still to be heard of.
    private var open: [Identity: Int] = [:]
    private var unverified: [Identity: Unverified] = [:]

    func isSampled(_ peer: Identity) -> Bool { open[peer] != nil }

    var hasRoom: Bool { open.count < Self.limit }

    mutating func begin(_ peer: Identity, records: Int) { open[peer] = records }

    /// The peer answered for one record, or will not. Whether that was still waited for.
    mutating func answered(_ peer: Identity) -> Bool {
        guard let left = open[peer] else { return false }
        open[peer] = left > 1 ? left - 1 : nil
        return true
    }

    /// The peer has nothing: its other answers are not waited for.
    mutating func end(_ peer: Identity) { open[peer] = nil }

    /// It is not known whether the peer still has the records it had when it was last heard.
    mutating func postpone(_ peer: Identity, lastHeard: Instant, at now: Instant) {
        // Of two questions at once both may fail.
        if let known = unverified[peer], known.due > now { return }
        let attempts = (unverified[peer]?.attempts ?? 0) + 1
        guard attempts <= Self.attemptLimit,
            unverified[peer] != nil || unverified.count < Self.unverifiedLimit
        else {
            unverified[peer] = nil
            return
        }
        let pause = Self.firstPause * (1 << UInt64(attempts - 1))
        unverified[peer] = Unverified(lastHeard: lastHeard, attempts: attempts, due: now + pause)
    }

    /// The peer told.
    mutating func settle(_ peer: Identity) { unverified[peer] = nil }

    /// When an unverified peer, which may be asked again now, was last heard before that; `nil`: it may not.
    func lastHeardIfDue(_ peer: Identity, at now: Instant) -> Instant? {
        unverified[peer].flatMap { $0.due <= now ? $0.lastHeard : nil }
    }

    var bounds: [Bound] {
        [
            Bound("unverified peers", unverified.count, of: Self.unverifiedLimit),
            Bound("samples", open.count, of: Self.limit),
        ]
    }
}
