// Contacts that the process before this one knew, as a store remembers them.

extension KademliaNode {
    /// Contacts of the process before this one. Each is asked whether it is there, as whoever is named by
    /// others is. Before ``setSeeds(_:in:)``.
    package mutating func remember(_ contacts: [Contact]) { membership.saved = SavedContacts(contacts) }

    /// Asks the contacts saved by the previous process, unless somebody answered already.
    mutating func consultMemory(in turn: inout KademliaTurn) {
        guard !membership.saved.isEmpty else { return }
        guard !table.contacts.contains(where: { $0.reachability.grade == .good }) else {
            membership.saved = SavedContacts()
            return
        }
        let (contacts, next) = membership.saved.take(at: turn.now.instant)
        membership.timers.set(.savedContacts, noLaterThan: next)
        if !contacts.isEmpty { onHints(contacts, namedBy: nil, in: &turn) }
    }
}
