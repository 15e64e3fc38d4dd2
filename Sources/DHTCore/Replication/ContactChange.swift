/// A contact that came or went, as one node saw it.
struct ContactChange: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// Unknown before: it has nothing yet.
        case came
        /// Given up before, and now there again: it lacks what was offered from that second on.
        case returned(since: UInt32)
        /// Never given up, but it started anew and has nothing any more.
        case emptied
        /// Bad, gone or admitted no more.
        case went
    }

    let contact: Contact
    let kind: Kind
    /// When we saw it.
    let at: Instant
    /// When the contact was last known to do its part.
    let lastHeard: Instant

    /// The second from on which the contact lacks what was offered.
    var owedSince: UInt32 { if case .returned(let since) = kind { since } else { 0 } }

    /// Whether the contact, which came, lacks what was last offered in this second.
    func isMissing(_ offeredAt: UInt32) -> Bool { offeredAt >= owedSince }

    /// Seconds of the monotonic clock, never 0: as records remember when they were offered.
    static func second(of instant: Instant) -> UInt32 { UInt32(clamping: max(instant.seconds, 1)) }
}

extension Instant {
    /// Whole seconds since the clock's origin.
    var seconds: UInt64 { nanoseconds / 1_000_000_000 }
}

extension KademliaNode {
    /// A contact entered the table.
    mutating func onContactCame(_ contact: Contact, at now: Now) {
        let start = replication.startedAt ?? now.instant
        // Records that we had before our start are no news to those who were there; the patrol sees to the
        // rest.
        let isInfant = membership.seeds.knowsOthers && now.instant.since(start) < Replication.infancy
        // Records put here since, before we met anybody, are news.
        let since = ContactChange.second(of: min(membership.joining.startedAt ?? start, start))
        var kind = isInfant ? ContactChange.Kind.returned(since: since) : .came
        // A contact that said goodbye and is back has the records it was given, unless it lost them, and
        // lacks those that came since.
        if kind == .came,
            let known = replication.losses.everything.history(of: contact.identity, at: now.instant),
            !believesLoss(of: contact.identity, at: now.instant)
        {
            kind = .returned(since: ContactChange.second(of: known.last))
            replication.sampling.postpone(contact.identity, lastHeard: known.last, at: now.instant)
        }
        record(ContactChange(contact: contact, kind: kind, at: now.instant, lastHeard: now.instant))
    }

    /// A contact that had been given up answers.
    mutating func onContactReturned(_ contact: Contact, lastHeard: Instant, at now: Now) {
        // One that comes and goes has missed what it had no time to get before, as well.
        let since = min(
            ContactChange.second(of: lastHeard),
            replication.changes.missingSince(contact.identity) ?? .max
        )
        let kind = ContactChange.Kind.returned(since: since)
        record(ContactChange(contact: contact, kind: kind, at: now.instant, lastHeard: now.instant))
    }

    /// A contact that waited for a place in the table has one now: another was there.
    mutating func onContactPromoted(_ contact: Contact, at now: Instant) {
        record(ContactChange(contact: contact, kind: .came, at: now, lastHeard: now))
    }

    mutating func onContactLost(_ contact: Contact, lastHeard: Instant, at now: Instant) {
        record(ContactChange(contact: contact, kind: .went, at: now, lastHeard: lastHeard))
    }

    private mutating func record(_ change: ContactChange) {
        if replication.departure.isUnderWay {
            // Newcomers are for the others to see to.
            if change.kind == .went { replication.departure.contactWent() }
            return
        }
        guard catalog.count > 0 else { return }
        switch replication.changes.record(change) {
        case .recorded(isFirst: true): replication.timers[.contactChanges] = Instant(nanoseconds: 0)
        case .recorded(isFirst: false), .superseded: break
        case .overlooked: replication.counters.overlooked += 1
        }
    }

    /// A peer showed that its process is another one than before, or that it has had its key for a day: does
    /// it still have its records? Asked for a record or two, it tells.
    package mutating func restarted(_ contact: Contact, in turn: inout KademliaTurn) {
        guard let entry = table.entry(for: contact.identity, id: contact.id) else { return }
        sample(contact, lastHeard: entry.lastAnswered, in: &turn)
    }

    /// A peer answers of which it is in doubt whether it still has its records: it is asked once more.
    mutating func sampleAgain(_ contact: Contact, in turn: inout KademliaTurn) {
        guard let lastHeard = replication.sampling.lastHeardIfDue(contact.identity, at: turn.now.instant)
        else {
            return
        }
        sample(contact, lastHeard: lastHeard, in: &turn)
    }

    private mutating func sample(_ contact: Contact, lastHeard: Instant, in turn: inout KademliaTurn) {
        let (identity, id) = (contact.identity, contact.id)
        guard !replication.sampling.isSampled(identity) else { return }
        guard replication.sampling.hasRoom else {
            return replication.sampling.postpone(identity, lastHeard: lastHeard, at: turn.now.instant)
        }
        let candidates = catalog.nearest(to: id, count: RestartSampling.sampleSize * 16).filter { located in
            located.entry.isLive(at: turn.now.unixMilliseconds)
                && isResponsible(contact: id, for: located.location)
        }
        guard !candidates.isEmpty else { return }
        // Records offered since the contact was last heard may be missing there anyhow.
        let second = ContactChange.second(of: lastHeard)
        let samples = candidates.filter { $0.entry.offeredAt < second }.prefix(RestartSampling.sampleSize)
        guard !samples.isEmpty else {
            // Nothing tells which records the contact has; it may lack all of them.
            return onContactEmptied(contact, lastHeard: lastHeard, at: turn.now)
        }
        replication.sampling.begin(identity, records: samples.count)
        for sample in samples {
            let request = Request.findValue(location: sample.location, author: sample.id.author, offset: 0)
            call(contact, request, .sample(lastHeard: lastHeard), in: &turn)
        }
    }

    /// A peer that started anew was asked for a record it ought to have. `nil`: it did not answer.
    mutating func sampled(_ contact: Contact, lastHeard: Instant, _ response: Response?, at now: Now) {
        guard replication.sampling.answered(contact.identity) else { return }
        guard let response else {
            return replication.sampling.postpone(contact.identity, lastHeard: lastHeard, at: now.instant)
        }
        replication.sampling.settle(contact.identity)
        guard case .values(let records, _, _) = response else { return }
        guard records.isEmpty else { return onContactReturned(contact, lastHeard: lastHeard, at: now) }
        replication.sampling.end(contact.identity)
        onContactEmptied(contact, lastHeard: lastHeard, at: now)
    }

    /// A peer has none of its records any more. A peer of which that is not believed for now is asked again
    /// later.
    private mutating func onContactEmptied(_ contact: Contact, lastHeard: Instant, at now: Now) {
        guard believesLoss(of: contact.identity, at: now.instant) else {
            return replication.sampling.postpone(contact.identity, lastHeard: lastHeard, at: now.instant)
        }
        record(ContactChange(contact: contact, kind: .emptied, at: now.instant, lastHeard: lastHeard))
    }

    /// Whether a contact with this id is, or would be, among the closest to a place.
    func isResponsible(contact: NodeID, for location: NodeID) -> Bool {
        let families = table.entry(for: contact)?.contact.families ?? .all
        return divisions.contains { family in
            guard family.map(families.contains) ?? true else { return false }
            return table.isAmongClosest(contact, to: location, count: settings.replicas, having: family)
        }
    }
}
