import DHTCore

/// Holders of each record: who had it on a disk of its own, and could be asked for it, from when to when.
///
/// Of a write that cannot be read in the end it tells whether more was lost at once than can be made up for.
struct CopyLedger {
    /// Within this long a copy that vanished is made up for: its keeper is missed, and another one has it.
    static let repairInterval = Interval.minutes(20)

    private enum Event {
        /// The node keeps this revision, and runs.
        case kept(Revision)
        /// It keeps it no more: expired, or for want of room.
        case dropped
        /// It keeps it no more, or does not run.
        case vanished
    }

    /// Of each place, in the order of time.
    private var events: [RecordID: [(at: Instant, node: Int, event: Event)]] = [:]

    mutating func kept(_ record: Record, at node: Int, _ now: Instant) {
        let place = record.id
        events[place, default: []].append((now, node, .kept(record.revision)))
    }

    mutating func dropped(location: NodeID, author: Identity, at node: Int, _ now: Instant) {
        events[RecordID(location: location, author: author), default: []].append((now, node, .dropped))
    }

    mutating func vanished(_ record: Record, at node: Int, _ now: Instant) {
        let place = record.id
        events[place, default: []].append((now, node, .vanished))
    }

    /// Nodes that run and have this record or a newer one of its author.
    func holders(of record: Record) -> [Int] {
        var holders: Set<Int> = []
        for event in events[record.id] ?? [] {
            Self.follow(event.event, of: event.node, record.revision, &holders)
        }
        return holders.sorted()
    }

    /// Whether the node ever had this record, or a newer one of its author, on its disk.
    func hasKept(_ record: Record, at node: Int) -> Bool {
        (events[record.id] ?? []).contains { event in
            guard event.node == node, case .kept(let revision) = event.event else { return false }
            return revision >= record.revision
        }
    }

    private static func follow(_ event: Event, of node: Int, _ revision: Revision, _ holders: inout Set<Int>)
    {
        switch event {
        case .kept(let kept) where kept >= revision: holders.insert(node)
        case .kept, .dropped, .vanished: holders.remove(node)
        }
    }

    /// Whether at some time since it was acknowledged as many holders vanished within one repair interval as
    /// a record has copies, or as many as there ever were before. That fewer were left is no excuse.
    func isExcused(_ record: Record, acknowledgedAt: Instant, replicas: Int = Kademlia.replicas) -> Bool {
        let log = events[record.id] ?? []
        var holders: Set<Int> = []
        /// How many there were, from each moment on.
        var counts: [(at: Instant, count: Int)] = []
        var vanished: [(at: Instant, node: Int)] = []
        for (at, node, event) in log {
            if case .vanished = event, holders.contains(node), at >= acknowledgedAt {
                vanished.append((at, node))
            }
            Self.follow(event, of: node, record.revision, &holders)
            counts.append((at, holders.count))
        }
        func count(at moment: Instant) -> Int { counts.last { $0.at <= moment }?.count ?? 0 }
        guard count(at: acknowledgedAt) > 0 else { return true }
        func most(until moment: Instant) -> Int {
            let since = counts.filter { $0.at > acknowledgedAt && $0.at <= moment }.map(\.count).max() ?? 0
            return max(since, count(at: acknowledgedAt))
        }
        return vanished.indices.contains { last in
            let end = vanished[last].at
            let span = Interval(nanoseconds: min(Self.repairInterval.nanoseconds, end.nanoseconds))
            let start = max(Instant(nanoseconds: end.nanoseconds - span.nanoseconds), acknowledgedAt)
            let gone = Set(vanished[...last].filter { $0.at >= start }.map(\.node))
            return gone.count >= min(replicas, most(until: start))
        }
    }
}

extension World {
    /// The node's records can be asked for from now on, or no longer.
    func recordCopies(of node: SimulatedNode, isThere: Bool) {
        guard node.adversary == nil else { return }
        node.disk.store.forEach { record in
            if isThere {
                copyLedger.kept(record, at: node.index, clock)
            } else {
                copyLedger.vanished(record, at: node.index, clock)
            }
        }
    }

    /// The disk did as it was told.
    func recordCopies(of node: SimulatedNode, _ changes: [RecordChange]) {
        guard node.adversary == nil, !node.isRevoked else { return }
        for change in changes {
            switch change {
            case .put(let record):
                copyLedger.kept(record, at: node.index, clock)
                trace.tell(clock) { "n\(node.index) keeps \(record.text)" }
            case .beginContent, .putPiece, .removeContent: break
            case .remove(let location, let author):
                copyLedger.dropped(location: location, author: author, at: node.index, clock)
            }
        }
    }
}
