// What a node does when the network of its own machine changes, and while it seems to be cut off.

extension KademliaNode {
    /// Links, addresses or routes of this machine changed: whoever is not good is asked at once, and not when
    /// a pause of minutes is over. `hasMoved`: our addresses did, so all contacts are asked, and learn from
    /// where we ask.
    package mutating func networkChanged(
        hasMoved: Bool,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        membership.verifications.hurry()
        for entry in table.contacts where hasMoved || entry.reachability.grade != .good {
            // An answer with a challenge is then followed by a request that shows it.
            if hasMoved { table.told(entry.contact.identity, id: entry.contact.id, at: .distantPast) }
            probe(entry.contact, at: now, into: &actions)
        }
        membership.seeds.hurry(at: now.instant)
        membership.saved.hurry()
        membership.nextUpkeep = now.instant
        upkeep(at: now, into: &actions)
    }

    /// Who counts on nobody asks one contact after the other: the first that answers shows that the others
    /// may be there as well.
    mutating func probeIfIsolated(at now: Now, into actions: inout [KademliaAction]) {
        let contacts = table.contacts
        guard !contacts.isEmpty, !contacts.contains(where: { $0.reachability.grade == .good }) else {
            return membership.isolation.end()
        }
        let (index, next) = membership.isolation.probe(of: contacts.count, at: now.instant)
        if let index { probe(contacts[index].contact, at: now, into: &actions) }
        wake(at: next)
    }

    /// Asks a contact whether it is there, whatever the system said of its address lately.
    mutating func probe(_ contact: Contact, at now: Now, into actions: inout [KademliaAction]) {
        let contact = contact.reached(by: families) ?? contact
        table.probed(contact.identity, id: contact.id, at: now.instant)
        actions.append(.retry(contact.endpoint))
        call(contact, .ping(isLeaving: false), .upkeep, into: &actions)
    }
}

extension Instant {
    /// Before anything that happened.
    fileprivate static let distantPast = Instant(nanoseconds: 0)
}
