import DHTCore

/// A record of ours on its way to its replicas, and what was signed before it for the same put.
///
/// A new revision is above all of ours that are known. One of them may be of a time when the clock was ahead:
/// nobody whose clock is right takes a revision above that. Then the value is signed anew by the present
/// clock: replicas let the author go back behind a revision that is ahead of their own clocks.
/// `docs/protocol.md`, section 8.
struct Signing: Sendable {
    /// How often a value is signed for one put.
    static let limit = 4

    let record: Record
    /// How often the value was signed, this time counted.
    var attempts = 1
    /// The revisions of ours that were known before the put.
    var previous: OwnRevisions?
    /// Whether the value was signed anew with a lower revision.
    var hasGoneBack = false

    /// The course to take when all replicas have spoken.
    enum Course: Hashable, Sendable {
        /// Sign anew, above this one: written by a process before us with a faster clock.
        case above(Revision)
        /// Sign anew, by the clock.
        case back
        /// There is nothing to be gained by another revision.
        case end
    }

    /// `isLast`: this process began no other write of the key later. Else the record that stands there may be
    /// of that write, and is not to be passed over.
    func course(after outcome: PutOutcome, isLast: Bool, unixMilliseconds now: UInt64) -> Course {
        guard attempts < Self.limit, isLast else { return .end }
        let author = record.author
        let others = outcome.replicas.filter { $0.identity != author }
        let stored = others.count { $0.verdict == .stored }
        if record.revision.isFarAhead(of: now), !hasGoneBack {
            // If it is our clock that is behind, most of the others take it. Where nobody else speaks only
            // our own store does.
            let refused = others.count { $0.verdict.isClock }
            let own = outcome.replicas.contains { $0.identity == author && $0.verdict.isClock }
            if stored + refused == 0 ? own : refused > stored { return .back }
        }
        let newer = outcome.revisions(standingAgainst: record)
        let far = newer.filter { $0.isFarAhead(of: now) }
        let near = newer.filter { !$0.isFarAhead(of: now) }
        // A replica that lets a record stand which is far ahead of our clock has a clock that is ahead as
        // well, unless it is ours that is behind. It takes a record above that; then the others get one that
        // they can take, and nobody is left with an older value.
        if let highest = far.max(), !hasGoneBack { return .above(highest) }
        if let highest = near.max() { return .above(highest) }
        return .end
    }

    /// Whether the record is nowhere, for certain: a replica that did not answer may have it.
    static func isNowhere(_ outcome: PutOutcome) -> Bool {
        !outcome.replicas.contains { $0.verdict == .stored || $0.verdict == .timeout }
    }
}

extension PutOutcome.Verdict {
    fileprivate var isClock: Bool { if case .refused(.clock) = self { true } else { false } }
}
