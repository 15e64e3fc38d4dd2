// The probes of a node when the network of its own machine changes, and while it seems to be cut off.

extension KademliaNode {
    /// Links, addresses or routes of this machine changed: each contact that is not good is asked at once,
    /// and not when a pause of minutes is over. `hasMoved`: our addresses did, so all contacts are asked, and
    /// learn from where we ask.
    package mutating func networkChanged(hasMoved: Bool, in turn: inout KademliaTurn) {
        membership.verifications.hurry()
        for entry in table.contacts where hasMoved || entry.reachability.grade != .good {
            // An answer with a challenge is then followed by a request that shows it.
            if hasMoved { table.told(entry.contact.identity, id: entry.contact.id, at: .distantPast) }
            probe(entry.contact, in: &turn)
        }
        membership.seeds.hurry(at: turn.now.instant)
        membership.saved.hurry()
        membership.timers[.look] = turn.now.instant
        upkeep(in: &turn)
    }

    /// A node that counts on nobody asks one contact after the other: the first that answers shows that the
    /// others may be there as well.
    mutating func probeIfIsolated(in turn: inout KademliaTurn) {
        guard table.count > 0, !table.holds(.good) else { return membership.isolation.end() }
        let contacts = table.contacts
        let (index, next) = membership.isolation.probe(of: contacts.count, at: turn.now.instant)
        if let index { probe(contacts[index].contact, in: &turn) }
        membership.timers.set(.isolation, noLaterThan: next)
    }

    /// Asks a contact whether it is there, whatever the system said of its address lately.
    mutating func probe(_ contact: Contact, in turn: inout KademliaTurn) {
        let contact = contact.reached(by: families) ?? contact
        table.probed(contact.identity, id: contact.id, at: turn.now.instant)
        turn.actions.append(.retry(contact.endpoint))
        call(contact, .ping(isLeaving: false), .upkeep, in: &turn)
    }
}

extension Instant {
    /// Before anything that happened.
    fileprivate static let distantPast = Instant(nanoseconds: 0)
}
