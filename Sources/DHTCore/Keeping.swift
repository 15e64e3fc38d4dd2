// Records on their way to the store. A record is acknowledged when the store has it, and not before, to
// everybody who asked meanwhile.

extension KademliaNode {
    /// Somebody who waits until the store has a record.
    enum KeepingClient: Hashable, Sendable {
        case inquiry(InquiryID)
        case operation(OperationID)
    }

    /// What the catalog makes of a record that is offered to us. When all room is taken, what is farther away
    /// and not for us to keep goes.
    mutating func offer(
        _ record: Record,
        condition: Request.Condition?,
        from sender: Identity? = nil,
        at now: Now
    ) -> (decision: Catalog.Decision, displaced: Catalog.Entry?, evicted: [Catalog.Located]) {
        let offer = catalog.offer(
            record,
            condition: condition,
            unixMilliseconds: now.unixMilliseconds,
            from: sender,
            eviction: eviction
        )
        if offer.decision == .keep || offer.decision == .same {
            let place = Catalog.Place(location: record.location, author: record.author)
            let second = Turnover.second(of: now.instant)
            // Who is farther than K others was asked in the stead of one that could not be reached.
            let isFar = offer.decision == .keep && !isResponsible(contact: id, for: record.location)
            // That we know of one who lacks it is not undone by others who do not.
            switch catalog.entry(at: place.location, by: place.author)?.standing {
            case .lacking: break
            case .scarce: catalog.note(.scarce, of: record.digest, at: place, second: second)
            case .settled, .spare, nil:
                catalog.note(isFar ? .lacking : .settled, of: record.digest, at: place, second: second)
            }
        }
        return offer
    }

    /// What would become of a record if it were offered now. Nothing is copied for it.
    package func judgement(
        of record: Record,
        _ condition: Request.Condition?,
        from sender: Identity? = nil,
        at now: Now
    ) -> Catalog.Decision {
        catalog.decision(
            on: record,
            condition: condition,
            unixMilliseconds: now.unixMilliseconds,
            from: sender,
            eviction: eviction
        )
    }

    private var eviction: Catalog.Eviction {
        let (own, replicas, table) = (id, settings.replicas, table)
        return Catalog.Eviction(own: own) { location in
            let distance = own.distance(to: location)
            let closest = table.closest(to: location, count: replicas)
            return closest.count { $0.id.distance(to: location) < distance } < replicas
        }
    }

    /// Sends a record that the catalog took on to the store, which first drops what had to go for it.
    mutating func keep(
        _ record: Record,
        displacing displaced: Catalog.Entry?,
        _ evicted: [Catalog.Located],
        for client: KeepingClient?,
        into actions: inout [KademliaAction]
    ) {
        undurable[record.digest, default: []] += client.map { [$0] } ?? []
        let changes = evicted.map { RecordChange.remove(location: $0.location, author: $0.entry.author) }
        let ticket = ticket(for: .keep(record, displaced: displaced, evicted: evicted))
        actions.append(.apply(ticket, changes + [.put(record)]))
    }

    /// Whether the catalog has the record and the store does not yet; then the client waits for it too.
    mutating func awaitsStore(_ record: Record, for client: KeepingClient) -> Bool {
        guard undurable[record.digest] != nil else { return false }
        undurable[record.digest]?.append(client)
        return true
    }

    /// The store could not keep the record: what it displaced stands again, also for those that displaced it
    /// since and may fail as well.
    mutating func takeBack(_ record: Record, _ displaced: Catalog.Entry?, _ evicted: [Catalog.Located]) {
        catalog.revert(record, to: displaced, evicted: evicted)
        for (ticket, errand) in errands {
            guard case .keep(let later, let failed?, let others) = errand, failed.digest == record.digest,
                later.location == record.location
            else { continue }
            errands[ticket] = .keep(later, displaced: displaced, evicted: others)
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
        if case .operation(let name) = client {
            guard isUnderWay(PutAttempt(operation: name, record: record.digest)) else { return }
        }
        switch (client, outcome) {
        case (.inquiry(let inquiry), .done):
            actions.append(.reply(inquiry, .stored(receipt(for: record, at: now))))
        case (.inquiry(let inquiry), .failed(let refusal)):
            actions.append(.reply(inquiry, .refused(refusal)))
        case (.operation(let operation), .done):
            noteOwnHider(of: record, for: operation, at: now)
            puts[operation]?.ownStoreEnded(.stored)
            finishIfDone(operation, at: now, into: &actions)
        case (.operation(let operation), .failed(let refusal)):
            puts[operation]?.ownStoreEnded(.refused(refusal))
            finishIfDone(operation, at: now, into: &actions)
        }
    }
}
