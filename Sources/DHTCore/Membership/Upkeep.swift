// How a node joins, and what it does from time to time to keep others found.

extension KademliaNode {
    // MARK: Joining

    mutating func beginJoin(at now: Now, into actions: inout [KademliaAction]) {
        guard membership.join == .none else { return }
        membership.join = .underWay
        beginSearch(.join, target: id, at: now, into: &actions)
    }

    /// Looks up our own place once more.
    private mutating func rejoin(at now: Now, into actions: inout [KademliaAction]) {
        membership.nextRejoin = nil
        membership.hasMet = false
        if membership.rejoins == 1 {
            // Who knows so many was told of those around it by them.
            guard table.count < Membership.smallCrowd else { return joined(at: now, into: &actions) }
            lookAround(into: &actions)
        }
        // Any of those closest to us knows who else came to it, so at first a few will do.
        let isLast = membership.rejoins == Membership.rejoinDelays.count
        let width = isLast ? settings.replicas : settings.parallelism
        beginSearch(.join, target: id, width: width, at: now, into: &actions)
    }

    mutating func joined(at now: Now, into actions: inout [KademliaAction]) {
        if membership.join != .done {
            membership.join = .done
            membership.firstRefresh = now.instant + Membership.refreshDelay
        }
        let last = Membership.rejoinDelays.count - 1
        if membership.rejoins <= last {
            // A lookup that met nobody new is not repeated soon.
            if membership.rejoins > 0, !membership.hasMet { membership.rejoins = last }
            let due = now.instant + Membership.rejoinDelays[membership.rejoins]
            membership.nextRejoin = due
            membership.rejoins += 1
            wake(at: due)
        }
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
        if let due = membership.nextRejoin {
            if due <= now.instant { rejoin(at: now, into: &actions) } else { wake(at: due) }
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
        if membership.join == .done { refresh(at: now, into: &actions) }
        if let startedAt = membership.startedAt, !waiting.isEmpty {
            wake(at: max(startedAt + settings.joinPatience, now.instant))
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
        if let first = membership.firstRefresh {
            guard first <= now.instant else { return wake(at: first) }
            membership.firstRefresh = nil
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

    /// Asks the seeds that are due: in the first round, all as fast as is decent, later those whose turn came
    /// longest ago, as long as there is something left for the absent.
    private mutating func attemptSeeds(at now: Now, into actions: inout [KademliaAction]) {
        guard membership.nextSeed <= now.instant else { return wake(at: membership.nextSeed) }
        var next = Instant(nanoseconds: .max)
        let share = membership.seedsAsked..<membership.seeds.count
        for index in share.prefix(Absence.roundShare) where isWanted(index, at: now.instant) {
            attempt(index, into: &actions)
        }
        membership.seedsAsked = min(share.lowerBound + Absence.roundShare, share.upperBound)
        if membership.seedsAsked < share.upperBound { next = now.instant + Absence.roundPause }
        while membership.absence.isFree(at: now.instant) {
            guard let first = membership.longestWaiting else { break }
            let due = membership.seeds[first].nextAttempt
            guard due <= now.instant else {
                next = min(next, due)
                break
            }
            guard isWanted(first, at: now.instant), membership.absence.take(at: now.instant) else { continue }
            attempt(first, into: &actions)
        }
        if !membership.absence.isFree(at: now.instant) { next = min(next, membership.absence.next) }
        membership.nextSeed = next
        wake(at: next)
    }

    /// Whether the seed is to be asked; if not, when to look again is noted.
    private mutating func isWanted(_ index: Int, at now: Instant) -> Bool {
        let seed = membership.seeds[index]
        let grade = table.entry(for: seed.identity, id: seed.id)?.reachability.grade
        if seed.identity != identity, grade == nil || grade == .bad { return true }
        membership.seeds[index].nextAttempt =
            seed.identity == identity ? Instant(nanoseconds: .max) : now + Membership.longestSeedBackoff
        return false
    }

    private mutating func attempt(_ index: Int, into actions: inout [KademliaAction]) {
        membership.seeds[index].isInFlight = true
        actions.append(.resolve(seed: index))
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
