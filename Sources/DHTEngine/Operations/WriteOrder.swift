import DHTCore

/// The order in which this process began to write under each key, for as long as any of that lasts, and the
/// last revisions of ours under each.
///
/// A write has its revision from the moment it begins, however long its content takes; so of two writes under
/// one key the one begun later stands in the end, whichever is done first, aborted ones included. To be
/// signed anew, above what it finds, is for the last one alone: what an earlier one finds may be that one.
struct WriteOrder: Sendable {
    /// The place of one write.
    struct Turn: Hashable, Sendable {
        let location: NodeID
        /// The revision it is signed with, unless a newer one is found that no later write of this process
        /// wrote.
        let revision: Revision
        /// The revisions of ours that were known before.
        let previous: OwnRevisions?
        fileprivate let number: UInt64
    }

    private struct Line: Sendable {
        /// The number of the write begun last.
        var last: UInt64
        /// Writes under way.
        var open = 0
    }

    /// Revisions remembered so that a clock set back does not make a write older than the one before.
    static let revisionCapacity = 65_536

    /// Revisions of ours, by location: a new one must be above the last, whatever the clock says.
    private(set) var revisions: [NodeID: OwnRevisions] = [:]
    private var turns: [OperationID: Turn] = [:]
    private var lines: [NodeID: Line] = [:]
    private var nextNumber: UInt64 = 0

    /// Writes under way.
    var count: Int { turns.count }

    subscript(write: OperationID) -> Turn? { turns[write] }

    /// Fixes the revision of a write. `catalogued`: the one of ours in the catalog. Milliseconds since 1970.
    mutating func begin(
        _ write: OperationID,
        at location: NodeID,
        catalogued: Revision?,
        unixMilliseconds now: UInt64
    ) -> Turn {
        let previous = revisions[location]
        let revision = next(at: location, above: [catalogued], goesBack: false, now)
        if revisions.count >= Self.revisionCapacity {
            // Revisions the clock has passed protect nothing, and those it will not reach soon hardly
            // anything.
            revisions = revisions.filter { $0.value.last.unixMilliseconds >= now }
            if revisions.count >= Self.revisionCapacity { revisions = [:] }
        }
        issue(revision, at: location)
        nextNumber += 1
        let turn = Turn(location: location, revision: revision, previous: previous, number: nextNumber)
        turns[write] = turn
        lines[location, default: Line(last: 0)].last = nextNumber
        lines[location]?.open += 1
        return turn
    }

    /// Whether no write was begun later under the same key.
    func isLast(_ write: OperationID) -> Bool {
        guard let turn = turns[write] else { return false }
        return lines[turn.location]?.last == turn.number
    }

    /// The write is over; returns its place.
    @discardableResult
    mutating func end(_ write: OperationID) -> Turn? {
        guard let turn = turns.removeValue(forKey: write), let line = lines[turn.location] else { return nil }
        lines[turn.location] = line.open > 1 ? Line(last: line.last, open: line.open - 1) : nil
        return turn
    }

    /// A write ends before anything was signed for it.
    mutating func endUnsigned(_ write: OperationID) {
        guard let turn = end(write), revisions[turn.location]?.last == turn.revision else { return }
        revisions[turn.location] = turn.previous
    }

    // MARK: Revisions

    /// Whether no later record of ours was signed for the same location, as far as that is remembered.
    func isNewest(_ record: Record) -> Bool {
        revisions[record.location].map { $0.last == record.revision } ?? true
    }

    /// The next revision above all we know of ours at a location. `goesBack`: revisions far ahead of the
    /// clock count for nothing.
    private func next(at location: NodeID, above: [Revision?], goesBack: Bool, _ now: UInt64) -> Revision {
        let own = goesBack ? revisions[location]?.highest(notFarAheadOf: now) : revisions[location]?.last
        let known = above.compactMap(\.self).filter { !(goesBack && $0.isFarAhead(of: now)) }
        return Revision(unixMilliseconds: now, above: (known + [own].compactMap(\.self)).max())
    }

    /// The last write under a key is signed anew: its revision is above these as well. `goesBack`: revisions
    /// far ahead of the clock count for nothing. Milliseconds since 1970.
    mutating func raise(
        _ location: NodeID,
        above: [Revision?],
        goesBack: Bool,
        unixMilliseconds now: UInt64
    ) -> Revision {
        let revision = next(at: location, above: above, goesBack: goesBack, now)
        issue(revision, at: location)
        return revision
    }

    private mutating func issue(_ revision: Revision, at location: NodeID) {
        if revisions[location]?.issue(revision) == nil { revisions[location] = OwnRevisions(revision) }
    }

    /// Nobody took the record: the revisions before it are the last again. `false`: a later write has a
    /// higher one.
    mutating func takeBack(_ record: Record, to previous: OwnRevisions?) -> Bool {
        guard revisions[record.location]?.last == record.revision else { return false }
        revisions[record.location] = previous
        return true
    }

    /// The last revisions of ours, from the process before this one: the highest, if there are too many.
    mutating func remember(_ revisions: [NodeID: OwnRevisions]) {
        guard revisions.count > Self.revisionCapacity else {
            self.revisions = revisions
            return
        }
        let latest = revisions.sorted { ($1.value.last, $0.key) < ($0.value.last, $1.key) }
        let kept = latest.prefix(Self.revisionCapacity).map { ($0.key, $0.value) }
        self.revisions = Dictionary(uniqueKeysWithValues: kept)
    }

    /// One such revision.
    mutating func remember(_ revision: Revision, at location: NodeID) {
        if revisions[location].map({ $0.last < revision }) ?? true { issue(revision, at: location) }
    }
}
