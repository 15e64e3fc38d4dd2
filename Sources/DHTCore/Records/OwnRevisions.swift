/// The revisions that an author gave out under one key, as far as they bear on the next one.
///
/// The next revision is above the last, and where the clock is right that is all. Where the last is far ahead
/// of the clock the author goes back behind it, but not behind what it wrote before: so the revisions below
/// the last are remembered as well. `docs/protocol.md`, section 8.
package struct OwnRevisions: Hashable, Sendable {
    /// Revisions remembered below the last. Of more than these the one goes that is nearest to the next above
    /// it: a clock that makes one of the two far ahead and the other not is the least likely.
    package static let earlierCapacity = 7

    /// The revision given out last, and the highest.
    package private(set) var last: Revision
    /// Those given out before it, ascending.
    package private(set) var earlier: [Revision] = []

    package init(_ revision: Revision) { last = revision }

    /// `earlier`: in any order; what is not below `last` is left out.
    package init(last: Revision, earlier: [Revision]) {
        self.last = last
        for revision in Set(earlier).sorted() where revision < last { append(revision) }
    }

    /// The highest that is not far ahead of a clock; `nil` if all are. Milliseconds since 1970.
    package func highest(notFarAheadOf now: UInt64) -> Revision? {
        last.isFarAhead(of: now) ? earlier.last { !$0.isFarAhead(of: now) } : last
    }

    /// A revision was given out. Those above it were far ahead of the clock, and count no more.
    package mutating func issue(_ revision: Revision) {
        let previous = last
        last = revision
        earlier.removeAll { $0 >= revision }
        if previous < revision { append(previous) }
    }

    private mutating func append(_ revision: Revision) {
        earlier.append(revision)
        guard earlier.count > Self.earlierCapacity else { return }
        let above = earlier.dropFirst() + [last]
        let distances = zip(earlier, above).map { $1.rawValue - $0.rawValue }
        let nearest = distances.indices.min { (distances[$0], $0) < (distances[$1], $1) }
        if let nearest { earlier.remove(at: nearest) }
    }
}
