// How a node joins, and what it does from time to time to keep others found.

extension KademliaNode {
    // MARK: Joining

    mutating func beginJoin(in turn: inout KademliaTurn) {
        guard membership.joining.begin() else { return }
        beginSearch(.join, target: id, in: &turn)
    }

    /// Looks up our own place once more.
    private mutating func rejoin(_ rejoin: Joining.Rejoin, in turn: inout KademliaTurn) {
        if rejoin.isFirst {
            // So many contacts have already told us of those around us.
            guard table.count < Membership.smallCrowd else { return joined(in: &turn) }
            lookAround(in: &turn)
        }
        // Any of those closest to us knows who else came to it, so at first a few will do.
        let width = rejoin.isLast ? settings.replicas : settings.parallelism
        beginSearch(.join, target: id, width: width, in: &turn)
    }

    mutating func joined(in turn: inout KademliaTurn) {
        if let due = membership.joining.ended(at: turn.now.instant) {
            membership.timers.set(.rejoin, noLaterThan: due)
        }
        beginWaiting(in: &turn)
    }

    // MARK: Upkeep

    mutating func upkeep(in turn: inout KademliaTurn) {
        guard membership.timers.isDue(at: turn.now.instant) else { return }
        membership.timers.clear()
        membership.timers[.look] = turn.now.instant + Interval.seconds(30)
        consultMemory(in: &turn)
        if let due = membership.joining.takeRejoin(at: turn.now.instant) {
            rejoin(due, in: &turn)
        } else if let next = membership.joining.nextRejoin {
            membership.timers.set(.rejoin, noLaterThan: next)
        }
        followHints(in: &turn)
        for contact in table.contactsDue(at: turn.now.instant) {
            if table.entry(for: contact.id)?.reachability.grade == .bad,
                !membership.absence.take(at: turn.now.instant)
            {
                table.postponed(contact.identity, id: contact.id, until: membership.absence.next)
                membership.timers.set(.contacts, noLaterThan: membership.absence.next)
                continue
            }
            table.probed(contact.identity, id: contact.id, at: turn.now.instant)
            call(contact, signOfLife(of: contact, at: turn.now.instant), .upkeep, in: &turn)
        }
        membership.timers.set(.contacts, noLaterThan: table.nextCheck)
        probeIfIsolated(in: &turn)
        // After the contacts, of which there are fewer: who is listed may be thousands.
        attemptSeeds(in: &turn)
        if membership.joining.state == .done { refresh(in: &turn) }
        watchNeighbours(in: &turn)
        if membership.joining.hasWaiting,
            let end = membership.joining.patienceEnd(settings.joinPatience)
        {
            membership.timers.set(.waitingOperations, noLaterThan: max(end, turn.now.instant))
        }
        // Never a busy loop, whatever falls due.
        membership.timers.postpone(to: turn.now.instant + Interval.milliseconds(20))
    }

    /// The request to a contact that was quiet for long: any answer is a sign of life, and FIND_NODE, which
    /// tells of others in its part of the key space, costs no datagram more. Whether a contact is back is
    /// asked by PING.
    private mutating func signOfLife(of contact: Contact, at now: Instant) -> Request {
        guard table.entry(for: contact.id)?.reachability.grade == .good else {
            return .ping(isLeaving: false)
        }
        let bucket = table.bucket(of: contact.id)
        table.refreshed(bucket, at: now)
        return .findNode(target: randomTarget(in: bucket))
    }

    /// Looks through the parts of the key space of which nobody told for long.
    private mutating func refresh(in turn: inout KademliaTurn) {
        switch membership.joining.takeFirstRefresh(at: turn.now.instant) {
        case .done: break
        case .later(let instant): return membership.timers.set(.refresh, noLaterThan: instant)
        case .due:
            // In a crowd whoever is still missing is named by others soon.
            let isCrowd = table.count >= Membership.smallCrowd
            let enough = isCrowd ? settings.replicas / 2 : settings.replicas
            for bucket in table.bucketsKnown(count: settings.replicas, enough: enough) {
                table.refreshed(bucket, at: turn.now.instant)
            }
        }
        for bucket in table.bucketsDue(at: turn.now.instant, interval: settings.refreshInterval) {
            table.refreshed(bucket, at: turn.now.instant)
            beginSearch(.refresh, target: randomTarget(in: bucket), in: &turn)
        }
        let next = table.nextDeadline(refreshInterval: settings.refreshInterval)
        membership.timers.set(.refresh, noLaterThan: next)
    }

    /// Asks the seeds that are due.
    private mutating func attemptSeeds(in turn: inout KademliaTurn) {
        let table = table
        let due = membership.seeds.take(at: turn.now.instant, paying: &membership.absence, own: identity) {
            seed in
            let grade = table.entry(for: seed.identity, id: seed.id)?.reachability.grade
            return grade == nil || grade == .bad
        }
        turn.actions += due.map { .resolve(seed: $0) }
        membership.timers.set(.seeds, noLaterThan: membership.seeds.nextAttempt)
    }

    private mutating func randomTarget(in bucket: Int) -> NodeID {
        var words = PassingWords(generator: generator)
        defer { generator = words.generator }
        return table.randomTarget(in: bucket, using: &words)
    }

    /// Asks who is at a few places. Of those closest to a place answers name eight: where few are known, that
    /// finds whomever nobody named so far.
    private mutating func lookAround(in turn: inout KademliaTurn) {
        for _ in 0..<Membership.placesLookedAt {
            let place = anyPlace()
            guard let nearest = table.closest(to: place, count: 1).first else { return }
            call(nearest, .findNode(target: place), .upkeep, in: &turn)
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
