/// What keeps copies where they belong: what happened among the contacts and has not been made up for, the
/// walk through the catalog that does so, and records on their way.
///
/// `docs/protocol.md`, section 8.
package struct Replication: Sendable {
    /// Changes are taken together for this long, and as much again by chance.
    static let settling = Interval.seconds(2)
    /// How much later, and as much again by chance, the second of the two givers acts.
    static let secondTurn = Interval.seconds(30)
    /// What happened this long before a giver was last heard it may have had no time to act upon, or no luck.
    static let leeway = Interval.seconds(30)
    /// For so long what happened is remembered, for those who take another's place.
    static let memory = Interval.minutes(60)
    /// Changes of each kind remembered; further ones are left to republishing.
    static let changeLimit = 1024
    /// Records that wait to be given, at most.
    static let offerLimit = 512
    /// Between two slices of a walk: each is one run of the catalog.
    static let slicePause = Interval.milliseconds(20)
    /// Between two walks in search of what has expired or is to be republished.
    static let patrolInterval = Interval.seconds(30)
    /// For so long after we started it is us who came, not those we meet.
    static let infancy = Interval.minutes(2)
    /// Records a peer that started anew is asked for, to see whether it still has what it had.
    static let sampleSize = 2

    /// A walk through the catalog from its beginning to its end.
    struct Walk: Sendable {
        enum Purpose: Sendable {
            case patrol
            case rule(RepairRule)
            /// We leave: to those who move up, then to all others.
            case leaving(isLast: Bool)
        }

        let purpose: Purpose
        /// The last place visited.
        var place: Catalog.Place?
    }

    /// A peer that started anew, was asked what it has, and did not tell.
    struct Doubt: Hashable, Sendable {
        /// The first pause between two questions; each one is twice as long as the one before.
        static let firstPause = Interval.seconds(30)
        /// Who never tells is believed to have what it had.
        static let attemptLimit = 5

        let lastHeard: Instant
        let attempts: Int
        /// When it may be asked again.
        let due: Instant
    }

    /// A record that is to be given away.
    struct Offer: Hashable, Sendable {
        let place: Catalog.Place
        let digest: Digest
        /// `nil`: republish it.
        let targets: [Contact]?
    }

    var startedAt: Instant?
    /// Changes nobody has acted upon.
    var unhandled: [ContactChange] = []
    /// When they are to be acted upon; `nil` until that was decided.
    var unhandledDue: Instant?
    /// Changes upon which the second giver has not acted.
    var awaitingSecondTurn: [ContactChange] = []
    var secondTurnDue = Instant(nanoseconds: 0)
    /// Changes of the last hour, the oldest first.
    var recent: [ContactChange] = []
    /// From which second on those who came lack what was offered, until a walk made up for it.
    var missingSince: [Identity: UInt32] = [:]
    var walk: Walk?
    /// Walks that changes of the membership made necessary.
    private(set) var walks: UInt64 = 0
    var nextPatrol = Instant(nanoseconds: 0)
    /// In the order in which they are sent.
    var offers: [Offer] = []
    /// Puts that are to be completed, the oldest first.
    var incomplete: [IncompletePut] = []
    /// STOREs under way, or about to be.
    var inFlight = 0
    /// Of these, copies by the peer that is to take them.
    private(set) var giving: [Identity: Int] = [:]
    /// When the next STORE may go out, if they went out evenly.
    var nextStore = Instant(nanoseconds: 0)
    var wakeAt = Instant(nanoseconds: .max)
    /// Peers that started anew, and the records they were not yet heard on.
    var sampling: [Identity: Int] = [:]
    /// Such as did not tell.
    private(set) var unverified: [Identity: Doubt] = [:]
    var repairBackoff = RepairBackoff()
    var losses = Losses()
    package internal(set) var counters = ReplicationCounters()

    mutating func wake(at instant: Instant) { wakeAt = min(wakeAt, instant) }

    /// It is not known whether the peer still has what it had when it was last heard.
    mutating func doubt(_ peer: Identity, lastHeard: Instant, at now: Instant) {
        // Of two questions at once both may fail.
        if let doubt = unverified[peer], doubt.due > now { return }
        let attempts = (unverified[peer]?.attempts ?? 0) + 1
        guard attempts <= Doubt.attemptLimit, unverified[peer] != nil || unverified.count < Self.changeLimit
        else {
            unverified[peer] = nil
            return
        }
        let pause = Doubt.firstPause * (1 << UInt64(attempts - 1))
        unverified[peer] = Doubt(lastHeard: lastHeard, attempts: attempts, due: now + pause)
    }

    mutating func settleDoubt(about peer: Identity) { unverified[peer] = nil }

    // MARK: Shares

    /// One peer is given so much of what may be under way at once, lest one that is never done hold up all.
    static let peerShare = 4

    /// The next offer of which somebody may be given his copy now, to those who may; the others' copies wait.
    func nextOffer(share: Int) -> (index: Int, now: Offer, later: Offer?)? {
        for (index, offer) in offers.enumerated() {
            guard let targets = offer.targets else { return (index, offer, nil) }
            let free = targets.filter { giving[$0.identity, default: 0] < share }
            if free.count == targets.count { return (index, offer, nil) }
            if free.isEmpty { continue }
            let held = targets.filter { giving[$0.identity, default: 0] >= share }
            return (index, offer.to(free), offer.to(held))
        }
        return nil
    }

    mutating func beginGiving(to targets: [Contact]) {
        for target in targets { giving[target.identity, default: 0] += 1 }
    }

    mutating func endGiving(to targets: [Contact]) {
        for target in targets {
            let left = giving[target.identity, default: 1] - 1
            giving[target.identity] = left > 0 ? left : nil
        }
    }
}

extension Replication.Offer {
    fileprivate func to(_ targets: [Contact]) -> Self {
        .init(place: place, digest: digest, targets: targets)
    }
}

/// What was done to keep copies where they belong.
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
    mutating func begin(_ rule: RepairRule) {
        walks += 1
        walk = .init(purpose: .rule(rule))
    }
}

// MARK: Walks

extension KademliaNode {
    /// Goes on with what is to be done for the copies.
    mutating func replicate(at now: Now, into actions: inout [KademliaAction]) {
        replication.wakeAt = Instant(nanoseconds: .max)
        if replication.startedAt == nil {
            replication.startedAt = now.instant
            trim(at: now, into: &actions)
        }
        if replication.walk == nil { beginWalk(at: now) }
        takeSlices(at: now, into: &actions)
        if handover.operation == nil { completePuts(at: now, into: &actions) }
        sendOffers(at: now, into: &actions)
        if replication.walk != nil, replication.offers.count < Replication.offerLimit {
            replication.wake(at: now.instant + Replication.slicePause)
        }
    }

    private mutating func beginWalk(at now: Now) {
        guard handover.operation == nil, catalog.count > 0 else { return }
        if !replication.unhandled.isEmpty {
            let due = replication.unhandledDue ?? now.instant + jittered(Replication.settling)
            replication.unhandledDue = due
            if due <= now.instant { return beginRepair(.nearest, at: now) }
            replication.wake(at: due)
        }
        if !replication.awaitingSecondTurn.isEmpty {
            if replication.secondTurnDue <= now.instant { return beginRepair(.farthest, at: now) }
            replication.wake(at: replication.secondTurnDue)
        }
        guard replication.nextPatrol <= now.instant else { return }
        replication.nextPatrol = now.instant + Replication.patrolInterval
        catalog.muted.beginPatrol(at: now.instant)
        replication.walk = .init(purpose: .patrol)
    }

    /// Between once and twice the span.
    private mutating func jittered(_ span: Interval) -> Interval {
        span + Interval(nanoseconds: UInt64.random(in: 0...span.nanoseconds, using: &generator))
    }

    private mutating func beginRepair(_ turn: RepairRule.RepairTurn, at now: Now) {
        let changes: [ContactChange]
        switch turn {
        case .nearest:
            changes = replication.unhandled
            replication.unhandled = []
            replication.unhandledDue = nil
            replication.recent.removeAll { now.instant.since($0.at) > Replication.memory }
            replication.recent.append(contentsOf: changes)
            replication.recent.removeFirst(max(replication.recent.count - Replication.changeLimit, 0))
            if replication.awaitingSecondTurn.isEmpty {
                replication.secondTurnDue = now.instant + jittered(Replication.secondTurn)
            }
            replication.awaitingSecondTurn.append(contentsOf: changes)
            replication.awaitingSecondTurn.removeFirst(
                max(replication.awaitingSecondTurn.count - Replication.changeLimit, 0)
            )
        case .farthest:
            changes = replication.awaitingSecondTurn
            replication.awaitingSecondTurn = []
        }
        let rule = RepairRule(
            own: id,
            replicas: settings.replicas,
            turn: turn,
            changes: changes,
            recent: replication.recent
        )
        replication.begin(rule)
    }

    /// Visits what follows in the catalog: little at a time, and nothing while enough waits to be sent.
    mutating func takeSlices(at now: Now, into actions: inout [KademliaAction]) {
        guard let purpose = replication.walk?.purpose else { return }
        let slices = if case .patrol = purpose { 4 } else { 1 }
        var swept: [RecordChange] = []
        for _ in 0..<slices {
            for located in catalog.slice(after: replication.walk?.place) {
                guard replication.offers.count < Replication.offerLimit else { break }
                replication.walk?.place = located.place
                if located.entry.expiry > now.unixMilliseconds,
                    !catalog.muted.isForfeit(located.entry.author, at: now.instant)
                {
                    visit(located, purpose, at: now)
                } else {
                    catalog.remove(at: located.location, by: located.entry.author)
                    swept.append(.remove(location: located.location, author: located.entry.author))
                }
            }
            if catalog.slice(after: replication.walk?.place).isEmpty {
                replication.walk = nil
                if case .rule(let rule) = purpose { settle(rule) }
                break
            }
        }
        if !swept.isEmpty { actions.append(.apply(ticket(for: .sweep), swept)) }
    }

    /// All was done for those who came, or came back, and are still there.
    private mutating func settle(_ rule: RepairRule) {
        for change in rule.changes where rule.turn == .nearest && change.kind != .went {
            let contact = change.contact
            if table.entry(for: contact.identity, id: contact.id)?.reachability.grade == .bad { continue }
            replication.missingSince[contact.identity] = nil
        }
    }

    private mutating func visit(_ located: Catalog.Located, _ purpose: Replication.Walk.Purpose, at now: Now)
    {
        let place = located.place
        if catalog.muted.contains(place.author) {
            guard case .patrol = purpose else { return }
            catalog.muted.meet(place)
            guard located.entry.replicationState != .replicated || located.entry.offeredAt > 0 else { return }
            // Should its author be let write again, it is put to all who are to have it.
            return catalog.note(.replicated, of: located.entry.digest, at: place, second: 0)
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
        case .leaving(let isLast): targets = nextReplicas(of: located.location, isLast: isLast)
        }
        if !targets.isEmpty {
            replication.offers.append(.init(place: place, digest: located.entry.digest, targets: targets))
        } else if handover.operation == nil, isDue(located.entry, at: now),
            !located.entry.replicationState.isUnderReplicated || !isHeldUp(located.location, at: now)
        {
            replication.offers.append(.init(place: place, digest: located.entry.digest, targets: nil))
        }
    }
}
