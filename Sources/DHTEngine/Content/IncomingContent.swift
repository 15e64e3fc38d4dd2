import DHTCore
import DHTEnvelope

// Content of others: asked of us, and brought here because a record that refers to it is to be kept.

extension ContentTransfers {
    /// A member offers a record whose content is not here: returns the answer.
    mutating func offered(
        _ record: Record,
        _ reference: ContentReference,
        by sender: Contact,
        _ turn: inout ContentTurn
    ) -> Response {
        let offer = Offer(sender: sender.identity, record: record.digest)
        if let known = refusals.removeValue(forKey: offer), known.until > turn.now.instant {
            return .refused(known.refusal)
        }
        guard !liars.contains(sender.identity, of: reference.digest, at: turn.now.instant) else {
            return .refused(.unavailable)
        }
        if incoming[reference] == nil {
            let owner = ContentInventory.Owner.member(author: record.author, sender: sender.identity)
            let refusal: Response.Refusal? =
                if !hasIncomingRoom(for: sender.identity) {
                    .unavailable
                } else if !makeRoom(for: reference, of: owner, &turn) {
                    .quota
                } else {
                    nil
                }
            if let refusal {
                // As long as we bring other content for the sender it need only wait: room comes with the end
                // of that.
                return incomingCount(of: sender.identity) > 0
                    ? .wanted(held: 0) : .refused(refusal)
            }
            beginIncoming(reference, of: record, for: owner, by: sender.identity, &turn)
        }
        incoming[reference]?.fetch.add(sender, isOffer: true)
        pursueIncoming(reference, &turn)
        return .wanted(held: inventory[reference.digest]?.heldBytes ?? 0)
    }

    // MARK: Bringing

    private func hasIncomingRoom(for sender: Identity) -> Bool {
        incoming.count < Self.incomingLimit
            && incomingCount(of: sender) < Self.incomingBySender
    }

    /// Whether there is room for content: other content that is worth less goes.
    mutating func makeRoom(
        for reference: ContentReference,
        of owner: ContentInventory.Owner,
        _ turn: inout ContentTurn
    ) -> Bool {
        if inventory.hasRoom(for: reference, of: owner) { return true }
        // Content on its way to its replicas is not left lying, however long that takes.
        touchUploads(at: turn.now.instant)
        let replaced = inventory.looseClaims.filter { claim in
            let standing = turn.catalog.entry(at: claim.location, by: claim.author)?.revision
            let signed = claim.author == turn.identity ? turn.revisions[claim.location]?.last : nil
            return [standing, signed].contains { $0.map { $0 > claim.revision } == true }
        }
        let forgotten = inventory.makeRoom(
            for: reference,
            of: owner,
            replaced: Set(replaced),
            at: turn.now.instant
        )
        guard let forgotten else { return false }
        if !forgotten.isEmpty {
            let removal = ticket(for: .removal)
            turn.perform(.apply(removal, forgotten.map { .removeContent($0) }))
        }
        return true
    }

    private mutating func beginIncoming(
        _ reference: ContentReference,
        of record: Record,
        for owner: ContentInventory.Owner,
        by sender: Identity,
        _ turn: inout ContentTurn
    ) {
        let pieces = inventory[reference.digest]?.pieces ?? []
        inventory.expect(reference, for: owner, at: turn.now.instant)
        inventory.claim(reference.digest, for: record)
        incoming[reference] = .init(
            fetch: ContentFetch(reference, pieces: pieces),
            location: record.location,
            sender: sender,
            record: record.digest,
            begun: turn.now.instant,
            grown: turn.now.instant
        )
        watchTransfers(&turn)
    }

    /// Sees to it that content comes here without which we cannot keep a record that we came to see.
    private mutating func bring(
        _ reference: ContentReference,
        of record: Record,
        for held: (Ticket, [RecordChange]),
        _ turn: inout ContentTurn
    ) {
        if incoming[reference] == nil {
            let owner = ContentInventory.Owner.member(author: record.author, sender: turn.identity)
            guard hasIncomingRoom(for: turn.identity), makeRoom(for: reference, of: owner, &turn)
            else {
                return release(held, .failed(.unavailable), &turn)
            }
            beginIncoming(reference, of: record, for: owner, by: turn.identity, &turn)
        }
        incoming[reference]?.held.append(held)
        for contact in closest(to: record.location, having: reference, &turn) {
            incoming[reference]?.fetch.add(contact)
        }
        pursueIncoming(reference, &turn)
    }

    /// The contacts that ought to have the content and may be asked for it.
    func closest(
        to location: NodeID,
        having reference: ContentReference,
        _ turn: inout ContentTurn
    ) -> [Contact] {
        let closest = turn.table.closest(to: location, count: Kademlia.replicas)
        return truthful(closest, of: reference.digest, at: turn.now.instant)
    }

    /// Asks on, or ends the transfer.
    mutating func pursueIncoming(
        _ reference: ContentReference,
        _ turn: inout ContentTurn
    ) {
        guard var state = incoming.removeValue(forKey: reference) else { return }
        if state.fetch.isComplete, state.unwritten == 0 {
            expectNoMore(of: reference, &turn)
            endMending(of: reference, &turn)
            for held in state.held { release(held, nil, &turn) }
            return
        }
        if state.fetch.isStuck {
            guard !state.isWidened else {
                return abandon(state, .unavailable, isUndelivered: true, &turn)
            }
            state.isWidened = true
            for contact in closest(to: state.location, having: reference, &turn) {
                state.fetch.add(contact)
            }
        }
        let limit = Self.partLimit - state.unwritten
        let chunkRequests = state.fetch.nextRequests(limit: limit, at: turn.now.instant)
        let isOver = state.fetch.isStuck
        incoming[reference] = consume state
        for chunkRequest in chunkRequests { ask(chunkRequest, for: .incoming(reference), &turn) }
        // There was nobody to be asked besides.
        if isOver { pursueIncoming(reference, &turn) }
    }

    /// Content that was to be kept cannot be had (`isUndelivered`), or not be written.
    mutating func abandon(
        _ state: Incoming,
        _ refusal: Response.Refusal,
        isUndelivered: Bool,
        _ turn: inout ContentTurn
    ) {
        let reference = state.fetch.reference
        let isMending = state.sender == turn.identity && state.held.isEmpty
        if !isMending { counters.abandoned += 1 }
        if isUndelivered, state.sender != turn.identity {
            turn.report(.undeliveredContent, of: state.sender)
        }
        endChunkCalls(of: .incoming(reference), &turn)
        expectNoMore(of: reference, &turn)
        endMending(of: reference, &turn)
        guard !isMending else { return }
        if refusals.count >= Self.refusalCapacity { refusals = [:] }
        let offer = Offer(sender: state.sender, record: state.record)
        refusals[offer] = (refusal, turn.now.instant + Self.refusalMemory)
        for held in state.held { release(held, .failed(refusal), &turn) }
    }

    /// One of those for whom content was to come here needs it no more, or has it: the room promised is for
    /// others, unless somebody else brings the content too.
    mutating func expectNoMore(of reference: ContentReference, _ turn: inout ContentTurn) {
        let isImported = imports.values.contains { $0.put.value == reference.encoded }
        guard incoming[reference] == nil, !isImported,
            inventory.expectNoMore(reference.digest)
        else { return }
        turn.perform(.apply(ticket(for: .removal), [.removeContent(reference.digest)]))
    }

    // MARK: Records that wait

    /// Changes that waited for content are made, or have failed.
    private mutating func release(
        _ held: (ticket: Ticket, changes: [RecordChange]),
        _ failure: KademliaNode.StoreOutcome?,
        _ turn: inout ContentTurn
    ) {
        // A record that was kept in its place meanwhile is in the store already, and stays there.
        if failure == nil, isStanding(held.changes, turn.catalog) {
            recordReferences(in: held.changes, &turn)
            turn.perform(.apply(held.ticket, held.changes))
            return
        }
        turn.take(.applied(held.ticket, failure ?? .failed(.unavailable)))
    }

    /// Whether the records that are to be stored are still those that are to be kept.
    private func isStanding(_ changes: [RecordChange], _ catalog: Catalog) -> Bool {
        changes.allSatisfy { change in
            guard case .put(let record) = change else { return true }
            return catalog.entry(at: record.location, by: record.author)?.digest == record.digest
        }
    }

    /// Makes changes, once the content is there that their records refer to.
    mutating func apply(
        _ ticket: Ticket,
        _ changes: [RecordChange],
        _ turn: inout ContentTurn
    ) {
        for case .put(let record) in changes {
            guard let reference = record.reference, !inventory.isComplete(reference) else {
                continue
            }
            return bring(reference, of: record, for: (ticket, changes), &turn)
        }
        recordReferences(in: changes, &turn)
        turn.perform(.apply(ticket, changes))
    }

    private mutating func recordReferences(in changes: [RecordChange], _ turn: inout ContentTurn) {
        for case .put(let record) in changes {
            guard let reference = record.reference else { continue }
            inventory.setReferred(reference.digest, by: record.location, at: turn.now.instant)
            mending.start(at: turn.now.instant)
        }
        if inventory.unseen >= Self.surveyBytes { timers[.survey] = turn.now.instant }
    }
}
