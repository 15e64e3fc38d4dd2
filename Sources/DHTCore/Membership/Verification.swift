// Contacts others named, and peers that wrote to us: are they there?

extension KademliaNode {
    /// Contacts others named. Those who would find room, and known ones that fell silent, are asked whether
    /// they are there.
    mutating func noteHints(
        _ contacts: [Contact],
        namedBy namer: Identity? = nil,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        for contact in reachable(contacts, namedBy: namer, at: now.instant) where contact.identity != identity
        {
            if let entry = table.entry(for: contact.identity, id: contact.id) {
                if entry.reachability.grade == .good {
                    // It may have an address of the other family that we do not know.
                    let spare = contact.keeping { entry.contact.endpoint(of: $0.family) == nil }
                    if let spare { membership.hints.insert(spare, at: now.instant) }
                    continue
                }
                // One that we count on no more may be back where it was.
                guard !entry.contact.isAt(contact.endpoint) || entry.reachability.grade == .bad else {
                    continue
                }
            } else if !table.hasRoom(for: contact.id) {
                continue
            }
            membership.hints.insert(contact.alone, at: now.instant)
        }
        followHints(at: now, into: &actions)
    }

    mutating func followHints(at now: Now, into actions: inout [KademliaAction]) {
        while membership.verifying.count < Membership.verificationLimit,
            let contact = membership.hints.popFirst(at: now.instant)
        {
            let entry = table.entry(for: contact.identity, id: contact.id)
            if let entry, entry.contact.isAt(contact.endpoint), entry.reachability.grade != .bad {
                continue
            }
            verify(contact, isInbound: false, at: now, into: &actions)
        }
        if let due = membership.hints.nextDue { wake(at: due) }
    }

    /// Asks by PING whether somebody is there. `isInbound`: a live request of its came.
    mutating func verify(
        _ contact: Contact,
        isInbound: Bool,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard !membership.verifying.contains(contact), !membership.departed.holds(contact, at: now.instant)
        else { return }
        // Whose live request came receives there: it is no stranger's word, and bounds itself.
        if !isInbound {
            guard !membership.arriving.holds(contact, at: now.instant),
                !membership.followed.holds(contact, at: now.instant),
                membership.followed.note(contact, at: now.instant)
            else { return }
        }
        membership.verifying.insert(contact)
        actions.append(.retry(contact.endpoint))
        call(contact, .ping(isLeaving: false), .verification(isInbound: isInbound), into: &actions)
    }
}
