// Contacts that the process before this one knew, as a store remembers them.

extension KademliaNode {
    /// Contacts of the process before this one. Each is asked whether it is there, as whoever is named by
    /// others is. Before ``setSeeds(_:at:into:)``.
    package mutating func remember(_ contacts: [Contact]) { membership.saved = SavedContacts(contacts) }

    /// Asks the contacts saved by the previous process, unless somebody answered already.
    mutating func consultMemory(at now: Now, into actions: inout [KademliaAction]) {
        guard !membership.saved.isEmpty else { return }
        guard !table.contacts.contains(where: { $0.reachability.grade == .good }) else {
            membership.saved = SavedContacts()
            return
        }
        let (contacts, next) = membership.saved.take(at: now.instant)
        wake(at: next)
        if !contacts.isEmpty { noteHints(contacts, namedBy: nil, at: now, into: &actions) }
    }
}
