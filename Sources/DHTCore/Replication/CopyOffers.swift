// Copies on their way to those who ought to have them.

extension KademliaNode {
    /// Reads and sends as much of what waits as may be under way.
    mutating func sendOffers(at now: Now, into actions: inout [KademliaAction]) {
        let isLeaving = handover.operation != nil
        let limit = isLeaving ? Handover.parallelism : settings.repairParallelism
        let gap = Interval(nanoseconds: 1_000_000_000 / max(settings.repairRate, 1))
        let share = max(limit / Replication.peerShare, 1)
        while replication.inFlight < limit, let (index, offer, later) = replication.nextOffer(share: share) {
            let weight = offer.targets?.count ?? settings.replicas
            if !isLeaving {
                let burst = gap * UInt64(settings.repairParallelism)
                guard replication.nextStore <= now.instant + burst else {
                    replication.wake(at: now.instant + replication.nextStore.since(now.instant + burst))
                    return
                }
                replication.nextStore = max(replication.nextStore, now.instant) + gap * UInt64(weight)
            }
            replication.offers.remove(at: index)
            if let later { replication.offers.insert(later, at: index) }
            guard let entry = catalog.entry(at: offer.place.location, by: offer.place.author),
                entry.digest == offer.digest, !catalog.muted.contains(entry.author),
                offer.targets != nil || !entry.replicationState.isUnderReplicated
                    || !isHeldUp(offer.place.location, at: now)
            else { continue }
            replication.inFlight += weight
            replication.beginGiving(to: offer.targets ?? [])
            let place = offer.place
            load(for: .replicate(offer), at: place.location, by: [place.author], at: now, into: &actions)
        }
    }

    /// Whether any of the K closest is backing off: a republish would fail there.
    func isHeldUp(_ location: NodeID, at now: Now) -> Bool {
        guard replication.repairBackoff.count > 0 else { return false }
        return divisions.contains { family in
            table.closest(to: location, count: settings.replicas, having: family).contains {
                replication.repairBackoff.isBackingOff($0.identity, at: now.instant)
            }
        }
    }

    /// A record that is to be given was read; `nil`: the store could not, and may later.
    mutating func give(
        _ offer: Replication.Offer,
        _ records: [Record]?,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        if records == nil {
            let second = ContactChange.second(of: now.instant)
            catalog.note(.underReplicated, of: offer.digest, at: offer.place, second: second)
        }
        let record = records?.first { $0.digest == offer.digest && $0.isLive(at: now.unixMilliseconds) }
        guard let record else {
            let targets = offer.targets ?? []
            return given(
                offer.targets == nil ? settings.replicas : targets.count,
                to: targets,
                at: now,
                into: &actions
            )
        }
        guard let targets = offer.targets else {
            return republish(record, at: now, into: &actions)
        }
        for target in targets {
            // It may have moved since, or gone.
            let entry = table.entry(for: target.identity, id: target.id)
            guard let entry, entry.reachability.grade != .bad else {
                given(1, to: [target], at: now, into: &actions)
                continue
            }
            if handover.operation == nil,
                replication.repairBackoff.isBackingOff(target.identity, at: now.instant)
            {
                let second = ContactChange.second(of: now.instant)
                catalog.note(.underReplicated, of: offer.digest, at: offer.place, second: second)
                given(1, to: [target], at: now, into: &actions)
                continue
            }
            call(
                entry.contact,
                .store(record, condition: nil),
                .copy(offer.place, offer.digest),
                into: &actions
            )
        }
    }

    /// So many STOREs are over, or will not be made; `targets`: of copies, whose they were to be.
    mutating func given(
        _ count: Int,
        to targets: [Contact] = [],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        replication.inFlight -= count
        replication.endGiving(to: targets)
        if handover.operation != nil {
            continueLeaving(at: now, into: &actions)
        } else {
            sendOffers(at: now, into: &actions)
            if replication.walk != nil { replication.wake(at: now.instant + Replication.slicePause) }
        }
    }

    /// A peer said what it makes of a copy; `nil`: it did not answer.
    mutating func copyAnswered(
        _ place: Catalog.Place,
        _ digest: Digest,
        by contact: Contact,
        _ response: Response?,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        switch response {
        case .stored:
            replication.repairBackoff.took(contact.identity)
            if handover.operation == nil {
                replication.counters.repaired += 1
            } else {
                replication.counters.handedOver += 1
            }
        case .conflict(let newer?): adoptNewer(newer, at: now, into: &actions)
        case .conflict(nil), .refused(.denied), .refused(.expired): break
        case .refused, .retry, .pong, .nodes, .values, .wanted, .chunk, .absent, nil:
            replication.counters.failed += 1
            replication.repairBackoff.failed(contact.identity, at: now.instant)
            catalog.note(
                .underReplicated,
                of: digest,
                at: place,
                second: ContactChange.second(of: now.instant)
            )
        }
    }

    /// Takes on a newer record that another replica has in the place of ours. Whoever else has the old one
    /// lacks it as well.
    mutating func adoptNewer(_ record: Record, at now: Now, into actions: inout [KademliaAction]) {
        guard catalog.entry(at: record.location, by: record.author) != nil else { return }
        adopt(record, .underReplicated, at: now, into: &actions)
    }

    /// Takes on a record that we came to see.
    mutating func adopt(
        _ record: Record,
        _ replicationState: Catalog.ReplicationState,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let offer = offer(record, condition: nil, at: now)
        guard offer.decision == .keep else { return }
        let place = Catalog.Place(location: record.location, author: record.author)
        catalog.note(
            replicationState,
            of: record.digest,
            at: place,
            second: ContactChange.second(of: now.instant)
        )
        keep(record, displacing: offer.displaced, offer.evicted, for: nil, into: &actions)
    }

    /// Records that are known to lack copies: they wait to be given, or were not taken.
    package var underReplicated: Int {
        replication.offers.count + catalog.underReplicated + replication.incomplete.count
    }
}
