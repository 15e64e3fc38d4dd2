// Leaving: which contacts are given which records, and when goodbye is said.

extension KademliaNode {
    /// Gives each record to those who take our place and then, as long as time is, to all others who may lack
    /// it; then says goodbye to everybody.
    mutating func beginLeaving(as name: OperationID, in turn: inout KademliaTurn) {
        guard replication.departure.begin(name) else {
            turn.actions.append(.finished(name, .left))
            return
        }
        // Records that we were about to give are among those we hand over.
        replication.changes.abandon()
        replication.queue.removeAll()
        replication.walk = table.count == 0 ? nil : .init(purpose: .leaving(isLast: false))
        continueLeaving(in: &turn)
    }

    /// The replicas of a record once we are gone: the contact that moves up in our place, or (`isLast`) those
    /// that are replicas beside us and may lack the record all the same.
    func nextReplicas(of location: NodeID, isLast: Bool) -> [Contact] {
        union(of: divisions) { family in
            let closest = table.closest(to: location, count: settings.replicas, having: family)
            if closest.count < settings.replicas { return isLast ? [] : closest }
            return isLast ? closest.dropLast() : closest.suffix(1)
        }
    }

    mutating func continueLeaving(in turn: inout KademliaTurn) {
        while let walk = replication.walk, replication.queue.count < Departure.parallelism {
            takeSlices(in: &turn)
            if replication.walk == nil, case .leaving(isLast: false) = walk.purpose {
                replication.walk = .init(purpose: .leaving(isLast: true))
            }
        }
        sendRepairs(in: &turn)
        guard replication.walk == nil, replication.queue.isIdle else { return }
        if replication.departure.saysGoodbye() {
            for entry in table.contacts where entry.reachability.grade != .bad {
                replication.departure.expectAnswer()
                call(entry.contact, .ping(isLeaving: true), .goodbye, in: &turn)
            }
        }
        guard let operation = replication.departure.end() else { return }
        turn.actions.append(.finished(operation, .left))
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
