import DHTCore

/// Peers that say they want the content of records we offered them before they take those, and whether they
/// fetch it.
///
/// A peer that wants and does not fetch would be waited for without end. So it is believed for a moment, and
/// then only while it asks us for chunks, or has more than before, since others may bring it the same; and
/// not beyond a deadline that nothing it says moves.
struct Wants: Sendable {
    /// How long a peer is believed in any case.
    static let grace = Interval.seconds(5)
    /// Between two signs of life. One for all that the peer wants: it may bring one after the other.
    static let patience = Interval.seconds(10)
    /// The same while the peer was given more than it says it has: a disk takes its time.
    static let writingPatience = Interval.seconds(30)

    private struct Want: Sendable {
        let since: Instant
        /// Bytes the peer had at first.
        let base: UInt32
        /// The most bytes the peer said it has.
        var held: UInt32
        /// Chunks the peer asked us for.
        var asked: UInt64 = 0
        /// When the peer first asked for a chunk, or had more than before.
        var begun: Instant?
        var calls: Set<CallID> = []

        var isWriting: Bool { asked * UInt64(ContentLayout.chunkLength) > UInt64(held - base) }
    }

    private struct Peer: Sendable {
        var wants: [Digest: Want] = [:]
        var lastSign: Instant?
    }

    /// Only those of whom calls are under way.
    private var peers: [Identity: Peer] = [:]

    var count: Int { peers.values.reduce(0) { $0 + $1.wants.count } }

    /// The peer says that it wants the content of a record, and has so much of it. Whether that is believed.
    mutating func claimed(
        _ reference: ContentReference,
        held: UInt32,
        by peer: Identity,
        for call: CallID,
        at now: Instant
    ) -> Bool {
        guard held < reference.length else { return false }
        var state = peers[peer] ?? Peer()
        var want = state.wants[reference.digest] ?? Want(since: now, base: held, held: held)
        want.calls.insert(call)
        if held > want.held {
            want.held = held
            want.begun = want.begun ?? now
            state.lastSign = now
        }
        state.wants[reference.digest] = want
        peers[peer] = state
        if let begun = want.begun {
            guard now.since(begun) < ContentTransfers.allowance(for: reference.length) else { return false }
        }
        if now.since(want.since) < Self.grace { return true }
        let patience = want.isWriting ? Self.writingPatience : Self.patience
        return state.lastSign.map { now.since($0) < patience } ?? false
    }

    /// The peer asks us for a chunk.
    mutating func asked(for content: Digest, by peer: Identity, at now: Instant) {
        guard var want = peers[peer]?.wants[content] else { return }
        want.asked += 1
        want.begun = want.begun ?? now
        peers[peer]?.wants[content] = want
        peers[peer]?.lastSign = now
    }

    /// A call is over.
    mutating func ended(_ call: CallID, to peer: Identity, about content: Digest) {
        guard let left = peers[peer]?.wants[content]?.calls.subtracting([call]) else { return }
        peers[peer]?.wants[content]?.calls = left
        if left.isEmpty { peers[peer]?.wants[content] = nil }
        if peers[peer]?.wants.isEmpty == true { peers[peer] = nil }
    }
}
