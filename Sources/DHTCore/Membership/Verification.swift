// Contacts others named, and peers that wrote to us: are they there?

extension KademliaNode {
    /// Contacts others named. Those who would find room, and known ones that fell silent, are asked whether
    /// they are there.
    mutating func onHints(
        _ contacts: [Contact],
        namedBy namer: Identity? = nil,
        in turn: inout KademliaTurn
    ) {
        for contact in reachable(contacts, namedBy: namer, at: turn.now.instant)
        where contact.identity != identity {
            if let entry = table.entry(for: contact.identity, id: contact.id) {
                if entry.reachability.grade == .good {
                    // The contact may have an address of the other family that we do not know.
                    let spare = contact.keeping { entry.contact.endpoint(of: $0.family) == nil }
                    if let spare { membership.verifications.hint(spare, at: turn.now.instant) }
                    continue
                }
                // One that we count on no more may be back where it was.
                guard !entry.contact.isAt(contact.endpoint) || entry.reachability.grade == .bad else {
                    continue
                }
            } else if !table.hasRoom(for: contact.id) {
                continue
            }
            membership.verifications.hint(contact.alone, at: turn.now.instant)
        }
        followHints(in: &turn)
    }

    mutating func followHints(in turn: inout KademliaTurn) {
        while let contact = membership.verifications.nextHint(at: turn.now.instant) {
            let entry = table.entry(for: contact.identity, id: contact.id)
            if let entry, entry.contact.isAt(contact.endpoint), entry.reachability.grade != .bad {
                continue
            }
            verify(contact, .named, in: &turn)
        }
        if let due = membership.verifications.hints.nextDue {
            membership.timers.set(.hints, noLaterThan: due)
        }
    }

    /// Asks by PING whether somebody is there.
    mutating func verify(_ contact: Contact, _ source: Verifications.Source, in turn: inout KademliaTurn) {
        let isBegun = membership.verifications.begin(
            contact,
            source,
            isAlone: !table.holds(.good),
            at: turn.now.instant
        )
        guard isBegun else { return }
        turn.actions.append(.retry(contact.endpoint))
        call(contact, .ping(isLeaving: false), .verification, in: &turn)
    }
}
