import DHTCore
import DHTCrypto

/// The order in which this process began to write under each key, for as long as any of that lasts.
///
/// A write has its revision from the moment it begins, however long its content takes; so of two writes under
/// one key the one begun later stands in the end, whichever is done first, aborted ones included. To be
/// signed anew, above what it finds, is for the last one alone: what an earlier one finds may be that one.
package struct WriteOrder: Sendable {
    /// The place of one write.
    struct Turn: Hashable, Sendable {
        let location: NodeID
        /// What it is signed with, unless something newer is found that no later write of this process wrote.
        let revision: Revision
        /// The last one of ours that was known before.
        let previous: Revision?
        fileprivate let number: UInt64
    }

    private struct Line: Sendable {
        /// The number of the write begun last.
        var last: UInt64
        /// Writes under way.
        var open = 0
    }

    private var turns: [OperationID: Turn] = [:]
    private var lines: [NodeID: Line] = [:]
    private var nextNumber: UInt64 = 0

    /// Writes under way.
    package var count: Int { turns.count }

    subscript(write: OperationID) -> Turn? { turns[write] }

    mutating func begin(
        _ write: OperationID,
        at location: NodeID,
        with revision: Revision,
        after previous: Revision?
    ) -> Turn {
        nextNumber += 1
        let turn = Turn(location: location, revision: revision, previous: previous, number: nextNumber)
        turns[write] = turn
        lines[location, default: Line(last: 0)].last = nextNumber
        lines[location]?.open += 1
        return turn
    }

    /// Whether none was begun later under the same key.
    func isLast(_ write: OperationID) -> Bool {
        guard let turn = turns[write] else { return false }
        return lines[turn.location]?.last == turn.number
    }

    mutating func end(_ write: OperationID) -> Turn? {
        guard let turn = turns.removeValue(forKey: write), let line = lines[turn.location] else { return nil }
        lines[turn.location] = line.open > 1 ? Line(last: line.last, open: line.open - 1) : nil
        return turn
    }
}

extension GatedEngine where Keeper: ~Copyable {
    /// Writes whose turn may be taken before it is known what they write.
    static var reservationLimit: Int { 1024 }

    var writeLimit: Int { operations.count + transfers.imports.count + Self.reservationLimit }

    /// A user is about to put something under a key, and what that is has still to come: its turn is now. It
    /// ends with the put of that name, or when that is cancelled.
    package mutating func reserveWrite(_ id: OperationID, of key: [UInt8], at now: Now) {
        guard order[id] == nil, order.count < writeLimit else { return }
        beginWrite(id, at: sha1(key), now)
    }

    /// Fixes the revision of a write.
    @discardableResult
    mutating func beginWrite(_ id: OperationID, at location: NodeID, _ now: Now) -> WriteOrder.Turn {
        let previous = revisions[location]
        let revision = nextRevision(at: location, above: nil, goesBack: false, now)
        if revisions.count >= Self.revisionCapacity {
            // Those the clock has passed protect nothing, and those it will not reach soon hardly anything.
            revisions = revisions.filter { $0.value.unixMilliseconds >= now.unixMilliseconds }
            if revisions.count >= Self.revisionCapacity { revisions = [:] }
        }
        revisions[location] = revision
        return order.begin(id, at: location, with: revision, after: previous)
    }

    /// A write ends before anything was signed for it.
    mutating func endUnsigned(_ id: OperationID) {
        guard let turn = order.end(id), revisions[turn.location] == turn.revision else { return }
        revisions[turn.location] = turn.previous
    }

    /// What is above all we know of ours at a location. `goesBack`: what is far ahead of the clock counts for
    /// nothing.
    func nextRevision(at location: NodeID, above: Revision?, goesBack: Bool, _ now: Now) -> Revision {
        let known = [above, revisions[location], core.catalog.entry(at: location, by: identity)?.revision]
            .compactMap(\.self)
            .filter { !(goesBack && $0.isFarAhead(of: now.unixMilliseconds)) }
        return Revision(unixMilliseconds: now.unixMilliseconds, above: known.max())
    }
}
