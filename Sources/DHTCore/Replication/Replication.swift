/// The work that keeps copies where they belong: contact changes that have not been made up for, the walk
/// through the catalog that does so, and records on their way.
///
/// `docs/protocol.md`, section 8.
package struct Replication: Sendable {
    /// A giver may have had no time, or no luck, to act upon changes that happened this long before it was
    /// last heard.
    static let leeway = Interval.seconds(30)
    /// Between two slices of a walk: each is one run of the catalog.
    static let slicePause = Interval.milliseconds(20)
    /// Between two walks in search of what has expired or is to be republished.
    static let patrolInterval = Interval.seconds(30)
    /// For so long after we started it is us who came, not those we meet.
    static let infancy = Interval.minutes(2)

    /// The kinds of work that ``KademliaNode/replicate(in:)`` is due for. All of them are looked at,
    /// whichever is due.
    enum Timer: Int, CaseIterable, Sendable { case contactChanges, walk, queue, incompletePuts, goodbyes }

    /// A walk through the catalog from its beginning to its end.
    struct Walk: Sendable {
        enum Purpose: Sendable {
            case patrol
            case rule(RepairRule)
            /// We leave: to those who move up, then to all others.
            case leaving(isLast: Bool)
        }

        let purpose: Purpose
        /// The last record visited.
        var last: RecordID?
    }

    var startedAt: Instant?
    var changes = ContactChanges()
    var walk: Walk?
    /// Walks that changes of the membership made necessary.
    private(set) var walks: UInt64 = 0
    var nextPatrol = Instant(nanoseconds: 0)
    var queue = RepairQueue()
    var incomplete = IncompletePuts()
    var timers = TimerTable<Timer>()
    var sampling = RestartSampling()
    var losses = Losses()
    var departure = Departure()
    package internal(set) var counters = ReplicationCounters()
}

/// Counters of the work that keeps copies where they belong.
package struct ReplicationCounters: Hashable, Sendable {
    /// Records given to contacts that came, came back or moved up, and taken by them.
    package internal(set) var repaired: UInt64 = 0
    /// Records republished.
    package internal(set) var republished: UInt64 = 0
    /// Records handed over because we left, and taken.
    package internal(set) var handedOver: UInt64 = 0
    /// STOREs of these three kinds that were not taken.
    package internal(set) var failed: UInt64 = 0
    /// Changes among contacts that were too many to act upon.
    package internal(set) var overlooked: UInt64 = 0

    package init() {}
}

extension Replication {
    /// There are contacts to whom records are to be given.
    var owes: Bool {
        if case .rule = walk?.purpose { return true }
        return !changes.isEmpty || !queue.isIdle
    }

    mutating func begin(_ rule: RepairRule) {
        walks += 1
        walk = .init(purpose: .rule(rule))
    }
}

// MARK: Walks

extension KademliaNode {
    /// Goes on with the work for the copies.
    mutating func replicate(in turn: inout KademliaTurn) {
        replication.timers.clear()
        if replication.startedAt == nil {
            replication.startedAt = turn.now.instant
            trim(in: &turn)
        }
        if replication.departure.isUnderWay { return continueLeaving(in: &turn) }
        if replication.walk == nil { beginWalk(at: turn.now) }
        takeSlices(in: &turn)
        completePuts(in: &turn)
        sendRepairs(in: &turn)
        if replication.walk != nil, !replication.queue.isFull {
            replication.timers.set(.walk, noLaterThan: turn.now.instant + Replication.slicePause)
        }
    }

    private mutating func beginWalk(at now: Now) {
        guard catalog.count > 0 else { return }
        let due = replication.changes.beginTurn(at: now.instant, using: &generator)
        if due?.turn != .nearest, let next = replication.changes.nextTurn {
            replication.timers.set(.contactChanges, noLaterThan: next)
        }
        if let due {
            let rule = RepairRule(
                own: id,
                replicas: settings.replicas,
                turn: due.turn,
                changes: due.changes,
                recent: due.recent
            )
            return replication.begin(rule)
        }
        guard replication.nextPatrol <= now.instant else { return }
        replication.nextPatrol = now.instant + Replication.patrolInterval
        catalog.muted.beginPatrol(at: now.instant)
        replication.walk = .init(purpose: .patrol)
    }

    /// Visits the next entries of the catalog: few at a time, and none while enough waits to be sent.
    mutating func takeSlices(in turn: inout KademliaTurn) {
        guard let purpose = replication.walk?.purpose else { return }
        let slices = if case .patrol = purpose { 4 } else { 1 }
        var swept: [RecordChange] = []
        for _ in 0..<slices {
            for located in catalog.slice(after: replication.walk?.last) {
                guard !replication.queue.isFull else { break }
                replication.walk?.last = located.id
                if located.entry.expiry > turn.now.unixMilliseconds,
                    !catalog.muted.isForfeit(located.entry.author, at: turn.now.instant)
                {
                    visit(located, purpose, at: turn.now)
                } else {
                    catalog.remove(at: located.location, by: located.entry.author)
                    swept.append(.remove(location: located.location, author: located.entry.author))
                }
            }
            if catalog.slice(after: replication.walk?.last).isEmpty {
                replication.walk = nil
                if case .rule(let rule) = purpose { settle(rule) }
                break
            }
        }
        if !swept.isEmpty { sweep(swept, in: &turn) }
    }

    /// All was done for the contacts that came, or came back, and are still there.
    private mutating func settle(_ rule: RepairRule) {
        for change in rule.changes where rule.turn == .nearest && change.kind != .went {
            let contact = change.contact
            if table.entry(for: contact.identity, id: contact.id)?.reachability.grade == .bad { continue }
            replication.changes.madeUp(for: contact.identity)
        }
    }

    private mutating func visit(_ located: Catalog.Located, _ purpose: Replication.Walk.Purpose, at now: Now)
    {
        let recordID = located.id
        if catalog.muted.contains(recordID.author) {
            guard case .patrol = purpose else { return }
            catalog.muted.meet(recordID)
            guard located.entry.replicationState != .replicated || located.entry.offeredAt > 0 else { return }
            // Should its author be let write again, the record is put to all who are to have it.
            return catalog.record(.replicated, of: located.entry.digest, at: recordID, second: 0)
        }
        // Nobody would take it, and whoever refuses is spared for a while.
        guard !located.entry.revision.isFarAhead(of: now.unixMilliseconds) else { return }
        var targets: [Contact] = []
        switch purpose {
        case .patrol: break
        case .rule(let rule):
            targets = union(of: divisions) { family in
                rule.among(family).successors(
                    of: located.location,
                    offeredAt: located.entry.offeredAt,
                    isAllReachable: located.entry.replicationState == .allReachable,
                    among: table.closest(to: located.location, count: rule.width, having: family)
                )
            }
        case .leaving(let isLast): targets = nextReplicas(of: located, isLast: isLast)
        }
        if !targets.isEmpty {
            replication.queue.append(.init(id: recordID, digest: located.entry.digest, targets: targets))
        } else if !replication.departure.isUnderWay, isDue(located.entry, at: now),
            !located.entry.replicationState.isUnderReplicated || !isHeldUp(located.location, at: now)
        {
            replication.queue.append(.init(id: recordID, digest: located.entry.digest, targets: nil))
        }
    }
}
