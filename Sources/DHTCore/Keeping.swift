// Records on their way to the store. A record is acknowledged when the store has it, and not before, to
// everybody who asked meanwhile.

extension KademliaNode {
    /// Somebody who waits until the store has a record.
    enum KeepingClient: Hashable, Sendable {
        case inquiry(InquiryID)
        case operation(OperationID)
    }

    /// Sends a record that the catalog took on to the store.
    mutating func keep(
        _ record: Record,
        displacing displaced: Catalog.Entry?,
        for client: KeepingClient,
        into actions: inout [KademliaAction]
    ) {
        undurable[record.digest, default: []].append(client)
        actions.append(.apply(ticket(for: .keep(record, displaced: displaced)), [.put(record)]))
    }

    /// Whether the catalog has the record and the store does not yet; then the client waits for it too.
    mutating func awaitsStore(_ record: Record, for client: KeepingClient) -> Bool {
        guard undurable[record.digest] != nil else { return false }
        undurable[record.digest]?.append(client)
        return true
    }

    /// The store could not keep the record: what it displaced stands again, also for those that displaced it
    /// since and may fail as well.
    mutating func takeBack(_ record: Record, _ displaced: Catalog.Entry?) {
        catalog.revert(record, to: displaced)
        for (ticket, errand) in errands {
            guard case .keep(let later, let failed?) = errand, failed.digest == record.digest,
                later.location == record.location
            else { continue }
            errands[ticket] = .keep(later, displaced: displaced)
        }
    }

    /// Tells who waited how the store fared.
    mutating func tell(
        _ client: KeepingClient,
        _ outcome: StoreOutcome,
        _ record: Record,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        switch (client, outcome) {
        case (.inquiry(let inquiry), .done):
            actions.append(.reply(inquiry, .stored(receipt(for: record, at: now))))
        case (.inquiry(let inquiry), .failed(let refusal)):
            actions.append(.reply(inquiry, .refused(refusal)))
        case (.operation(let operation), .done):
            puts[operation]?.ownStoreEnded(.stored)
            finishIfDone(operation, into: &actions)
        case (.operation(let operation), .failed(let refusal)):
            puts[operation]?.ownStoreEnded(.refused(refusal))
            finishIfDone(operation, into: &actions)
        }
    }
}
