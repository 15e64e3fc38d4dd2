// How a node joins, and what it does from time to time to keep others found.

extension KademliaNode {
    // MARK: Joining

    mutating func beginJoin(at now: Now, into actions: inout [KademliaAction]) {
        guard membership.joining.begin() else { return }
        beginSearch(.join, target: id, at: now, into: &actions)
    }

    /// Looks up our own place once more.
    private mutating func rejoin(
        _ rejoin: Joining.Rejoin,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        if rejoin.isFirst {
            // Who knows so many was told of those around it by them.
            guard table.count < Membership.smallCrowd else { return joined(at: now, into: &actions) }
            lookAround(into: &actions)
        }
        // Any of those closest to us knows who else came to it, so at first a few will do.
        let width = rejoin.isLast ? settings.replicas : settings.parallelism
        beginSearch(.join, target: id, width: width, at: now, into: &actions)
    }

    mutating func joined(at now: Now, into actions: inout [KademliaAction]) {
        if let due = membership.joining.ended(at: now.instant) { wake(at: due) }
        beginWaiting(at: now, into: &actions)
    }

    // MARK: Upkeep

    /// Calls ``upkeep(at:into:)`` no later than `instant`.
    mutating func wake(at instant: Instant) {
        membership.nextUpkeep = min(membership.nextUpkeep, instant)
    }

    mutating func upkeep(at now: Now, into actions: inout [KademliaAction]) {
        guard now.instant >= membership.nextUpkeep else { return }
        // Default deadline; the steps below move it earlier.
        membership.nextUpkeep = now.instant + Interval.seconds(30)
        consultMemory(at: now, into: &actions)
        if let due = membership.joining.takeRejoin(at: now.instant) {
            rejoin(due, at: now, into: &actions)
        } else if let next = membership.joining.nextRejoin {
            wake(at: next)
        }
        followHints(at: now, into: &actions)
        for contact in table.contactsDue(at: now.instant) {
            if table.entry(for: contact.id)?.reachability.grade == .bad,
                !membership.absence.take(at: now.instant)
            {
                table.postponed(contact.identity, id: contact.id, until: membership.absence.next)
                wake(at: membership.absence.next)
                continue
            }
            table.probed(contact.identity, id: contact.id, at: now.instant)
            call(contact, signOfLife(of: contact, at: now.instant), .upkeep, into: &actions)
        }
        wake(at: table.nextCheck)
        probeIfIsolated(at: now, into: &actions)
        // After the contacts, of which there are fewer: who is listed may be thousands.
        attemptSeeds(at: now, into: &actions)
        if membership.joining.state == .done { refresh(at: now, into: &actions) }
        if membership.joining.hasWaiting,
            let end = membership.joining.patienceEnd(settings.joinPatience)
        {
            wake(at: max(end, now.instant))
        }
        // Never a busy loop, whatever falls due.
        membership.nextUpkeep = max(membership.nextUpkeep, now.instant + Interval.milliseconds(20))
    }

    /// What to ask a contact that was quiet for long: any answer is a sign of life, and one that tells of
    /// others in its part of the key space costs no datagram more. Whether somebody is back is asked as
    /// shortly as can be.
    private mutating func signOfLife(of contact: Contact, at now: Instant) -> Request {
        guard table.entry(for: contact.id)?.reachability.grade == .good else {
            return .ping(isLeaving: false)
        }
        let bucket = table.bucket(of: contact.id)
        table.refreshed(bucket, at: now)
        return .findNode(target: randomTarget(in: bucket))
    }

    /// Looks through the parts of the key space of which nobody told for long.
    private mutating func refresh(at now: Now, into actions: inout [KademliaAction]) {
        switch membership.joining.takeFirstRefresh(at: now.instant) {
        case .done: break
        case .later(let instant): return wake(at: instant)
        case .due:
            // In a crowd whoever is still missing is named by others soon.
            let isCrowd = table.count >= Membership.smallCrowd
            let enough = isCrowd ? settings.replicas / 2 : settings.replicas
            for bucket in table.bucketsKnown(count: settings.replicas, enough: enough) {
                table.refreshed(bucket, at: now.instant)
            }
        }
        for bucket in table.bucketsDue(at: now.instant, interval: settings.refreshInterval) {
            table.refreshed(bucket, at: now.instant)
            beginSearch(.refresh, target: randomTarget(in: bucket), at: now, into: &actions)
        }
        wake(at: table.nextDeadline(refreshInterval: settings.refreshInterval))
    }

    /// Asks the seeds that are due.
    private mutating func attemptSeeds(at now: Now, into actions: inout [KademliaAction]) {
        let table = table
        let due = membership.seeds.take(at: now.instant, paying: &membership.absence, own: identity) { seed in
            let grade = table.entry(for: seed.identity, id: seed.id)?.reachability.grade
            return grade == nil || grade == .bad
        }
        actions += due.map { .resolve(seed: $0) }
        wake(at: membership.seeds.nextAttempt)
    }

    private mutating func randomTarget(in bucket: Int) -> NodeID {
        var words = PassingWords(generator: generator)
        defer { generator = words.generator }
        return table.randomTarget(in: bucket, using: &words)
    }

    /// Asks who is at a few places. Of those closest to a place answers name eight: where few are known, that
    /// finds whomever nobody named so far.
    private mutating func lookAround(into actions: inout [KademliaAction]) {
        for _ in 0..<Membership.placesLookedAt {
            let place = anyPlace()
            guard let nearest = table.closest(to: place, count: 1).first else { return }
            call(nearest, .findNode(target: place), .upkeep, into: &actions)
        }
    }

    private mutating func anyPlace() -> NodeID {
        NodeID(
            high: generator.next(),
            middle: generator.next(),
            low: UInt32(truncatingIfNeeded: generator.next())
        )
    }

    /// Of a few places of the key space the one we know least about.
    mutating func obscurePlace() -> NodeID {
        let places = (0..<Membership.obscurePlaces).map { _ in anyPlace() }
        return places.max { remoteness(of: $0) < remoteness(of: $1) } ?? id
    }

    /// How far the nearest we know is from a place, ourselves included.
    private func remoteness(of place: NodeID) -> Distance {
        let own = id.distance(to: place)
        return table.closest(to: place, count: 1).first.map { min($0.id.distance(to: place), own) } ?? own
    }
}

/// Opens an existential generator for functions that are generic over generators.
private struct PassingWords: RandomNumberGenerator {
    var generator: any RandomNumberGenerator & Sendable
    mutating func next() -> UInt64 { generator.next() }
}
