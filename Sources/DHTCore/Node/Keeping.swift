// Records on their way to the store. A record is acknowledged when the store has it, and not before, to
// everybody who asked meanwhile.

extension KademliaNode {
    /// Offers the catalog a record, and returns its judgement, which is committed. When all room is taken,
    /// records go that are farther away and not for us to keep. `reached`: the families by which the sender
    /// reaches others; `nil`: unknown.
    mutating func offer(
        _ record: Record,
        condition: Request.Condition?,
        from sender: Identity? = nil,
        reaching reached: Endpoint.Families? = nil,
        at now: Now
    ) -> Catalog.Judgement {
        let offer = judgement(of: record, condition, from: sender, at: now)
        catalog.commit(record, offer)
        if offer.decision == .keep || offer.decision == .same {
            let place = record.id
            let second = ContactChange.second(of: now.instant)
            // A node that is farther than K others was asked in the stead of one that could not be reached.
            let isFar = offer.decision == .keep && !isResponsible(contact: id, for: record.location)
            // A sender of one family alone gives the record to nodes that have this family.
            let isInOneFamily = offer.decision == .keep && isMixed && reached.map { $0 != .all } ?? false
            let isForAll = isMixed && reached == .all
            let replicationState: Catalog.ReplicationState?
            switch catalog.entry(at: place.location, by: place.author)?.replicationState {
            // That another peer gave us the record does not tell that the peer which lacked it took it.
            case .underReplicated: replicationState = nil
            case .inOneFamily where !isForAll: replicationState = nil
            case .allReachable: replicationState = .allReachable
            case .inOneFamily, .replicated, .surplus, nil:
                replicationState =
                    if isFar { .underReplicated } else if isInOneFamily { .inOneFamily } else { .replicated }
            }
            if let replicationState {
                catalog.record(replicationState, of: record.digest, at: place, second: second)
            }
        }
        return offer
    }

    /// The judgement of a record, were it offered now.
    package func judgement(
        of record: Record,
        _ condition: Request.Condition?,
        from sender: Identity? = nil,
        at now: Now
    ) -> Catalog.Judgement {
        catalog.decide(
            on: record,
            condition: condition,
            unixMilliseconds: now.unixMilliseconds,
            from: sender,
            eviction: eviction
        )
    }

    private var eviction: Catalog.Eviction {
        let (own, replicas, table, divisions) = (id, settings.replicas, self.table, self.divisions)
        return Catalog.Eviction(own: own) { location in
            divisions.contains { table.isAmongClosest(own, to: location, count: replicas, having: $0) }
        }
    }

    /// Sends a record that the catalog took on to the store, which first drops what had to go for it.
    mutating func keep(
        _ record: Record,
        displacing displaced: Catalog.Entry?,
        _ evicted: [Catalog.Located],
        for client: WriteWaiter?,
        in turn: inout KademliaTurn
    ) {
        let changes = evicted.map { RecordChange.remove(location: $0.location, author: $0.entry.author) }
        let ticket = freshTicket()
        storeRequests.beginWrite(record, displacing: displaced, evicted, for: client, as: ticket)
        turn.actions.append(.apply(ticket, changes + [.put(record)]))
    }

    /// The store could not keep the record: the entry it displaced stands again, also for records that
    /// displaced this one since and may fail as well.
    mutating func takeBack(_ record: Record, _ displaced: Catalog.Entry?, _ evicted: [Catalog.Located]) {
        catalog.revert(record, to: displaced, evicted: evicted)
        storeRequests.withdraw(record, standing: displaced)
    }

    /// Tells a waiter how the store fared.
    mutating func tell(
        _ client: WriteWaiter,
        _ outcome: StoreOutcome,
        _ record: Record,
        in turn: inout KademliaTurn
    ) {
        if case .operation(let name) = client {
            guard puts.isUnderWay(PutAttempt(operation: name, record: record.digest)) else { return }
        }
        switch (client, outcome) {
        case (.inbound(let inbound), .done):
            turn.actions.append(.reply(inbound, .stored(receipt(for: record, at: turn.now))))
        case (.inbound(let inbound), .failed(let refusal)):
            turn.actions.append(.reply(inbound, .refused(refusal)))
        case (.operation(let operation), .done):
            recordOwnHider(of: record, for: operation, at: turn.now)
            puts[operation]?.ownStoreEnded(.stored)
            finishIfDone(operation, in: &turn)
        case (.operation(let operation), .failed(let refusal)):
            puts[operation]?.ownStoreEnded(.refused(refusal))
            finishIfDone(operation, in: &turn)
        }
    }
}

extension KademliaNode {
    /// Has the store remove records that the catalog does not name any more.
    mutating func sweep(_ removals: [RecordChange], in turn: inout KademliaTurn) {
        let ticket = freshTicket()
        storeRequests.beginSweep(as: ticket)
        turn.actions.append(.apply(ticket, removals))
    }

    /// The store may hold more than it may by now: the bounds were set lower, or it was filled by a tool.
    mutating func trim(in turn: inout KademliaTurn) {
        var rest = catalog.trim(own: id, unixMilliseconds: turn.now.unixMilliseconds)[...]
        while !rest.isEmpty {
            let removals = rest.prefix(RepairQueue.capacity).map {
                RecordChange.remove(location: $0.location, author: $0.entry.author)
            }
            sweep(removals, in: &turn)
            rest = rest.dropFirst(removals.count)
        }
    }
}

extension KademliaNode {
    /// Replaces the set of authors who may not write here any more, out of all authors of the records kept.
    /// Takes a look at each author, and at no record.
    package mutating func mute(where mayNotWrite: (Identity) -> Bool) {
        catalog.muted.replace(with: catalog.authors.filter(mayNotWrite))
        guard !catalog.muted.isEmpty else { return }
        replication.incomplete.removeAll { catalog.muted.contains($0) }
    }
}
