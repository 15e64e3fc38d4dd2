// Leaving: which contacts are given which records, and when goodbye is said.

extension KademliaNode {
    /// Gives each record to those who take our place and then, as long as time is, to all others who may lack
    /// it; then says goodbye to everybody. Meanwhile nobody is looked for, nor asked whether he is there.
    mutating func beginLeaving(as name: OperationID, in turn: inout KademliaTurn) {
        guard replication.departure.begin(name, owes: replication.owes) else {
            turn.actions.append(.finished(name, .left))
            return
        }
        // Records that we were about to give are among those we hand over.
        replication.changes.abandon()
        replication.queue.removeAll()
        replication.walk = table.count == 0 ? nil : .init(purpose: .leaving(isLast: false))
        continueLeaving(in: &turn)
    }

    /// The replicas of a record once we are gone, of those that may lack it: the contact that moves up in our
    /// place, or (`isLast`) those that are replicas beside us.
    func nextReplicas(of located: Catalog.Located, isLast: Bool) -> [Contact] {
        let departure = replication.departure
        // Of what was found in the store at start nobody knows who else has it.
        let isKnown = located.entry.replicationState == .replicated && located.entry.offeredAt > 0
        let mayLack = isKnown && !departure.owes ? departure.gone : settings.replicas
        return union(of: divisions) { family in
            let closest = table.closest(to: located.location, count: settings.replicas, having: family)
            if closest.count < settings.replicas { return isLast ? [] : closest.suffix(mayLack + 1) }
            guard isLast else { return closest.suffix(1) }
            // The contact that was given the record may not be the last any more.
            return departure.gone > 0 ? closest.suffix(mayLack + 1) : closest.suffix(mayLack + 1).dropLast()
        }
    }

    mutating func continueLeaving(in turn: inout KademliaTurn) {
        while let walk = replication.walk, replication.queue.count < Departure.parallelism {
            guard case .leaving(let isLast) = walk.purpose else { break }
            // Those who have gone by then tell who may lack what.
            if isLast, walk.last == nil, !replication.queue.isIdle { break }
            takeSlices(in: &turn)
            if replication.walk == nil, !isLast {
                replication.walk = .init(purpose: .leaving(isLast: true))
            }
        }
        sendRepairs(in: &turn)
        guard replication.walk == nil, replication.queue.isIdle else { return }
        if replication.departure.saysGoodbye(at: turn.now.instant) {
            for entry in table.contacts where entry.reachability.grade != .bad {
                replication.departure.expectAnswer()
                call(entry.contact, .ping(isLeaving: true), .goodbye, in: &turn)
            }
        }
        if let operation = replication.departure.end(at: turn.now.instant) {
            turn.actions.append(.finished(operation, .left))
        } else if let deadline = replication.departure.deadline {
            replication.timers.set(.goodbyes, noLaterThan: deadline)
        }
    }

    /// A contact leaves as we do: it need not be told that we do, and nothing is handed to it. No answer of
    /// its own is waited for, since it may be gone the next moment.
    mutating func takeLeave(of contact: Contact, in turn: inout KademliaTurn) {
        for name in calls.names(to: contact.identity) {
            if let call = calls.end(name) { endedUnanswered(call, in: &turn) }
        }
    }

    mutating func saidGoodbye(in turn: inout KademliaTurn) {
        replication.departure.answered()
        continueLeaving(in: &turn)
    }
}
