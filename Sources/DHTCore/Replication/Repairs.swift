// Copies on their way to the nodes that ought to have them.

extension KademliaNode {
    /// Reads and sends as many of the records that wait as may be under way.
    mutating func sendRepairs(in turn: inout KademliaTurn) {
        let isLeaving = replication.departure.isUnderWay
        let limits = RepairQueue.Limits(
            parallelism: isLeaving ? Departure.parallelism : settings.repairParallelism,
            rate: isLeaving ? nil : settings.repairRate,
            replicas: settings.replicas
        )
        while true {
            switch replication.queue.take(limits, at: turn.now.instant) {
            case .nothing: return
            case .wait(let until): return replication.timers.set(.queue, noLaterThan: until)
            case .repair(let repair, let weight):
                guard isWanted(repair, at: turn.now) else { continue }
                replication.queue.begin(repair, weight: weight)
                let (location, author) = (repair.id.location, repair.id.author)
                load(for: .replicate(repair), at: location, by: [author], in: &turn)
            }
        }
    }

    /// Whether the record is still there, and there is reason to give it.
    private func isWanted(_ repair: RepairQueue.Repair, at now: Now) -> Bool {
        guard let entry = catalog.entry(at: repair.id.location, by: repair.id.author),
            entry.digest == repair.digest, !catalog.muted.contains(entry.author)
        else { return false }
        return repair.targets != nil || !entry.replicationState.isUnderReplicated
            || !isHeldUp(repair.id.location, at: now)
    }

    /// Whether any of the K closest is backing off: a republish would fail there.
    func isHeldUp(_ location: NodeID, at now: Now) -> Bool {
        guard replication.queue.backoff.count > 0 else { return false }
        return divisions.contains { family in
            table.closest(to: location, count: settings.replicas, having: family).contains {
                replication.queue.backoff.isBackingOff($0.identity, at: now.instant)
            }
        }
    }

    /// A record that is to be given was read; `nil`: the store could not, and may later.
    mutating func give(_ repair: RepairQueue.Repair, _ records: [Record]?, in turn: inout KademliaTurn) {
        if records == nil {
            let second = ContactChange.second(of: turn.now.instant)
            catalog.record(.underReplicated, of: repair.digest, at: repair.id, second: second)
        }
        let record = records?.first { $0.digest == repair.digest && $0.isLive(at: turn.now.unixMilliseconds) }
        guard let record else {
            let targets = repair.targets ?? []
            return given(repair.targets == nil ? settings.replicas : targets.count, to: targets, in: &turn)
        }
        guard let targets = repair.targets else {
            return republish(record, in: &turn)
        }
        for target in targets {
            // The target may have moved since, or gone.
            let entry = table.entry(for: target.identity, id: target.id)
            guard let entry, entry.reachability.grade != .bad else {
                given(1, to: [target], in: &turn)
                continue
            }
            if !replication.departure.isUnderWay,
                replication.queue.backoff.isBackingOff(target.identity, at: turn.now.instant)
            {
                let second = ContactChange.second(of: turn.now.instant)
                catalog.record(.underReplicated, of: repair.digest, at: repair.id, second: second)
                given(1, to: [target], in: &turn)
                continue
            }
            call(entry.contact, .store(record, condition: nil), .copy(repair.id, repair.digest), in: &turn)
        }
    }

    /// So many STOREs are over, or will not be made; `targets`: of copies, whose they were to be.
    mutating func given(_ count: Int, to targets: [Contact] = [], in turn: inout KademliaTurn) {
        replication.queue.end(count, to: targets)
        if replication.departure.isUnderWay {
            continueLeaving(in: &turn)
        } else {
            sendRepairs(in: &turn)
            if replication.walk != nil {
                replication.timers.set(.walk, noLaterThan: turn.now.instant + Replication.slicePause)
            }
        }
    }

    /// A peer answered the STORE of a copy; `nil`: it did not answer.
    mutating func copyAnswered(
        _ id: RecordID,
        _ digest: Digest,
        by contact: Contact,
        _ response: Response?,
        in turn: inout KademliaTurn
    ) {
        switch response {
        case .stored:
            replication.queue.backoff.took(contact.identity)
            if replication.departure.isUnderWay {
                replication.counters.handedOver += 1
            } else {
                replication.counters.repaired += 1
            }
        case .conflict(let newer?): adoptNewer(newer, in: &turn)
        case .conflict(nil), .refused(.denied), .refused(.expired): break
        case .refused, .retry, .pong, .nodes, .values, .wanted, .chunk, .roster, .welcome, .absent, nil:
            replication.counters.failed += 1
            replication.queue.backoff.failed(contact.identity, at: turn.now.instant)
            catalog.record(
                .underReplicated,
                of: digest,
                at: id,
                second: ContactChange.second(of: turn.now.instant)
            )
        }
    }

    /// Takes on a newer record that another replica has in the place of ours. Other nodes that have the old
    /// record lack the newer one as well.
    mutating func adoptNewer(_ record: Record, in turn: inout KademliaTurn) {
        guard catalog.entry(at: record.location, by: record.author) != nil else { return }
        adopt(record, .underReplicated, in: &turn)
    }

    /// Takes on a record that we came to see.
    mutating func adopt(
        _ record: Record,
        _ replicationState: Catalog.ReplicationState,
        in turn: inout KademliaTurn
    ) {
        let offer = offer(record, condition: nil, at: turn.now)
        guard offer.decision == .keep else { return }
        catalog.record(
            replicationState,
            of: record.digest,
            at: record.id,
            second: ContactChange.second(of: turn.now.instant)
        )
        keep(record, displacing: offer.displaced, offer.evicted, for: nil, in: &turn)
    }

    /// Records that are known to lack copies: they wait to be given, or were not taken.
    package var underReplicated: Int {
        replication.queue.count + catalog.underReplicated + replication.incomplete.count
    }
}
