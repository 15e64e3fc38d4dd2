// Republishing: the backstop behind all that follows the membership. (Kademlia, section 2.5.)

/// When a record is republished.
struct RepublishSchedule: Sendable {
    /// A record that lacks copies is republished after this long, and up to half as much again.
    static let underReplicatedPause = Interval.minutes(2)
    /// Records found in the store at start are republished within this long.
    static let restoredWindow = Interval.minutes(15)
    /// Records live too short for more than this.
    static let shortestInterval = Interval.minutes(5)
    /// Records that expire within this time are not republished.
    static let leastRest = Interval.seconds(60)

    /// At most, between two times.
    let longestInterval: Interval
    /// Of each node its own, so that replicas republish at different times.
    let salt: UInt64
    let startedAt: Instant

    /// When the record is to be republished if nobody offers it before; `nil`: never.
    func due(_ entry: Catalog.Entry) -> Instant? {
        let offered = Instant(nanoseconds: UInt64(entry.offeredAt) *| 1_000_000_000)
        switch entry.replicationState {
        case .surplus: return nil
        case .underReplicated, .inOneFamily:
            return offered + Self.underReplicatedPause + share(of: Self.underReplicatedPause / 2, entry)
        case .replicated where entry.offeredAt == 0:
            return startedAt + Replication.infancy + share(of: Self.restoredWindow, entry)
        case .replicated, .allReachable:
            let lifetime = Interval.milliseconds(entry.expiry -| entry.revision.unixMilliseconds)
            let interval = min(max(lifetime / 2, Self.shortestInterval), longestInterval)
            // From three quarters on: the first of the replicas does it, for all.
            return offered + interval * 3 / 4 + share(of: interval / 2, entry)
        }
    }

    /// A part of the span that is always the same for one record at one node since it was last offered.
    private func share(of span: Interval, _ entry: Catalog.Entry) -> Interval {
        var word = entry.digest.word ^ salt ^ UInt64(entry.offeredAt) << 32
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        return span / 1000 * (word % 1000)
    }
}

extension KademliaNode {
    /// Whether the record is to be republished now.
    func isDue(_ entry: Catalog.Entry, at now: Now) -> Bool {
        guard entry.expiry > now.unixMilliseconds +| RepublishSchedule.leastRest.milliseconds else {
            return false
        }
        let schedule = RepublishSchedule(
            longestInterval: settings.republishInterval,
            salt: id.word,
            startedAt: replication.startedAt ?? now.instant
        )
        return schedule.due(entry).map { $0 <= now.instant } ?? false
    }

    /// Puts somebody's record to the closest nodes again, as its author did.
    mutating func republish(
        _ record: Record,
        _ condition: Request.Condition? = nil,
        in turn: inout KademliaTurn
    ) {
        let name = OperationID.maintenance(freshName())
        let put = PutOperation(
            record: record,
            condition: condition,
            own: id,
            identity: identity,
            width: settings.replicas,
            audiences: audiences,
            ownFamilies: families
        )
        puts.begin(put, as: name)
        let known = nearest(to: record.location, for: audiences)
        targetsFound(name, known, in: &turn)
    }

    mutating func republished(_ put: PutOperation, in turn: inout KademliaTurn) {
        let (record, outcome) = (put.record, put.outcome)
        replication.counters.republished += 1
        let successors = outcome.successors(of: record, unixMilliseconds: turn.now.unixMilliseconds)
        for newer in successors { adoptNewer(newer, in: &turn) }
        // A newer record where a put was to be completed is of a put that nobody was heard to take. As few
        // may have that one: it is to be completed in the place of the other.
        let newest = successors.max { $1.supersedes($0) }
        if let newest, replication.incomplete.contains(newest.id) {
            addIncomplete(newest, nil, at: turn.now)
        }
        recordCopies(of: put, at: turn.now)
        given(settings.replicas, in: &turn)
    }

    /// Notes what the replicas of a record said, of which we may have a copy ourselves. If too few took it
    /// and we have none, nobody but us knows: then it is kept in mind here, and republished.
    mutating func recordCopies(of put: PutOperation, at now: Now) {
        let (record, outcome) = (put.record, put.outcome)
        for replica in outcome.replicas where replica.identity != identity {
            if replica.verdict == .stored {
                replication.queue.backoff.took(replica.identity)
            } else if replica.verdict.mayChange {
                replication.queue.backoff.failed(replica.identity, at: now.instant)
            }
        }
        guard outcome.successors(of: record, unixMilliseconds: now.unixMilliseconds).isEmpty else { return }
        let id = record.id
        let isOurs = outcome.replicas.contains { $0.identity == identity }
        let isFull = put.isFull && !isRefusedByClosest(outcome, record.location)
        let isEnough = isFull || outcome.isComplete && hasReachedAll(outcome, record.location)
        let replicationState: Catalog.ReplicationState =
            if !isEnough { .underReplicated } else if !isOurs { .surplus } else if isFull { .replicated } else
            { .allReachable }
        catalog.record(
            replicationState,
            of: record.digest,
            at: id,
            second: ContactChange.second(of: now.instant)
        )
        let isHere = catalog.entry(at: id.location, by: id.author)?.digest == record.digest
        // Those out of our reach have others who see to their copies, once they have any.
        if (isEnough || isHere) && put.passing.unreached.isEmpty {
            replication.incomplete.remove(at: id)
        } else {
            addIncomplete(record, put.condition == .anything ? .anything : nil, at: now)
        }
    }

    /// Whether one of those where the record belongs would not have it now. Somebody farther took it instead,
    /// and nobody will miss that copy when it goes.
    private func isRefusedByClosest(_ outcome: PutOutcome, _ location: NodeID) -> Bool {
        let closest = divisions.flatMap {
            table.closest(to: location, count: settings.replicas - 1, having: $0).map(\.identity)
        }
        return outcome.replicas.contains { replica in
            switch replica.verdict {
            case .refused(.quota), .refused(.unavailable): closest.contains(replica.identity)
            default: false
            }
        }
    }

    /// Whether everybody was asked whom we count on by now: some may have come back meanwhile.
    private func hasReachedAll(_ outcome: PutOutcome, _ location: NodeID) -> Bool {
        divisions.allSatisfy { family in
            table.closest(to: location, count: settings.replicas, having: family).allSatisfy { contact in
                outcome.replicas.contains { $0.identity == contact.identity }
            }
        }
    }

    private mutating func addIncomplete(_ record: Record, _ condition: Request.Condition?, at now: Now) {
        let due = replication.incomplete.add(record, condition, at: now.instant)
        if let due { replication.timers.set(.incompletePuts, noLaterThan: due) }
    }

    /// Republishes what others have too few copies of and we have none of.
    mutating func completePuts(in turn: inout KademliaTurn) {
        let mayBegin = replication.queue.inFlight < settings.repairParallelism
        let (put, next) = replication.incomplete.takeDue(at: turn.now, mayBegin: mayBegin)
        if let next { replication.timers.set(.incompletePuts, noLaterThan: next) }
        guard let put else { return }
        replication.queue.begin(stores: settings.replicas)
        republish(put.record, put.condition, in: &turn)
        replication.timers.set(.incompletePuts, noLaterThan: turn.now.instant + Replication.slicePause)
    }
}
