/// Peers that started anew, and whether they still have what they had: each is asked for a record or two.
///
/// The node tells ``begin(_:records:)`` how many records it asks a peer for, and each answer with
/// ``answered(_:)``. A peer that does not tell is doubted (``doubt(_:lastHeard:at:)``) and asked again when
/// it is next heard and ``doubtDue(about:at:)`` says so.
struct RestartSampling: Sendable {
    /// Records a peer is asked for.
    static let sampleSize = 2
    /// Peers that are asked at once.
    static let limit = Verifications.limit
    /// Peers in doubt.
    static let doubtLimit = 1024
    /// The first pause between two questions; each one is twice as long as the one before.
    static let firstPause = Interval.seconds(30)
    /// A peer that never tells is believed to have its records.
    static let attemptLimit = 5

    private struct Doubt {
        let lastHeard: Instant
        let attempts: Int
        /// When the peer may be asked again.
        let due: Instant
    }

    /// How many records are still to be heard of.
    private var open: [Identity: Int] = [:]
    private var doubts: [Identity: Doubt] = [:]

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
    mutating func doubt(_ peer: Identity, lastHeard: Instant, at now: Instant) {
        // Of two questions at once both may fail.
        if let doubt = doubts[peer], doubt.due > now { return }
        let attempts = (doubts[peer]?.attempts ?? 0) + 1
        guard attempts <= Self.attemptLimit, doubts[peer] != nil || doubts.count < Self.doubtLimit else {
            doubts[peer] = nil
            return
        }
        let pause = Self.firstPause * (1 << UInt64(attempts - 1))
        doubts[peer] = Doubt(lastHeard: lastHeard, attempts: attempts, due: now + pause)
    }

    mutating func settleDoubt(about peer: Identity) { doubts[peer] = nil }

    /// When a peer in doubt, which may be asked again now, was last heard before that; `nil`: it may not.
    func doubtDue(about peer: Identity, at now: Instant) -> Instant? {
        doubts[peer].flatMap { $0.due <= now ? $0.lastHeard : nil }
    }

    var bounds: [Bound] {
        [
            Bound("doubts", doubts.count, of: Self.doubtLimit),
            Bound("samples", open.count, of: Self.limit),
        ]
    }
}
