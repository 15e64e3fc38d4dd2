// Contacts that the process before this one knew, as a store remembers them.

extension KademliaNode {
    /// Contacts of the process before this one. Each is asked whether it is there, as whoever is named by
    /// others is. Before ``setSeeds(_:at:into:)``.
    package mutating func remember(_ contacts: [Contact]) {
        membership.remembered = Array(contacts.prefix(Membership.rememberedLimit))
    }

    /// Asks the contacts saved by the previous process, unless somebody answered already.
    mutating func consultMemory(at now: Now, into actions: inout [KademliaAction]) {
        guard !membership.remembered.isEmpty else { return }
        guard !table.contacts.contains(where: { $0.reachability.grade == .good }) else {
            membership.remembered = []
            return
        }
        if let due = membership.nextReminder, due > now.instant { return wake(at: due) }
        let pause = min(
            Membership.hintInterval * (1 << min(membership.reminders, 8)),
            Membership.longestReminder
        )
        membership.reminders += 1
        let due = now.instant + pause
        membership.nextReminder = due
        wake(at: due)
        noteHints(membership.remembered, namedBy: nil, at: now, into: &actions)
    }
}
