import DHTCore
import DHTEnvelope

// Content of others: asked of us, and brought here because a record that refers to it is to be kept.

extension GatedEngine where Keeper: ~Copyable {
    /// Answers a request that is about content, or begins what it takes; `false` if it is none.
    mutating func answersAsContent(
        _ id: RequestID,
        _ inbound: Gate.InboundRequest,
        from sender: Contact,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Bool {
        switch inbound.request {
        case .findChunk(let content, let part, let chunk):
            guard inbound.isLive else {
                reply(id, .retry, at: now, into: &actions)
                return true
            }
            transfers.wants.asked(for: content, by: sender.identity, at: now.instant)
            let recipient = Transfers.Recipient.inbound(id, chunk: Int(chunk))
            serve(PartName(content: content, part: part), to: recipient, at: now, into: &actions)
            return true
        case .store(let record, let condition):
            guard inbound.isLive, let reference = record.reference else { return false }
            if transfers.inventory.isComplete(reference) { return false }
            // What is not to be kept need not be brought.
            switch core.judgement(of: record, condition, from: sender.identity, at: now) {
            case .keep, .same: break
            case .conflict, .refuse: return false
            }
            let answer = offered(record, reference, by: sender, at: now, into: &actions)
            reply(id, answer, at: now, into: &actions)
            return true
        case .ping, .findNode, .findValue, .passOn: return false
        }
    }

    /// A member offers a record whose content is not here: what it is told.
    private mutating func offered(
        _ record: Record,
        _ reference: ContentReference,
        by sender: Contact,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Response {
        let offer = Transfers.Offer(sender: sender.identity, record: record.digest)
        if let known = transfers.refusals.removeValue(forKey: offer), known.until > now.instant {
            return .refused(known.refusal)
        }
        guard !transfers.liars.contains(sender.identity, of: reference.digest, at: now.instant) else {
            return .refused(.unavailable)
        }
        if transfers.incoming[reference] == nil {
            let owner = ContentInventory.Owner.member(author: record.author, sender: sender.identity)
            let refusal: Response.Refusal? =
                if !hasIncomingRoom(for: sender.identity) {
                    .unavailable
                } else if !makeRoom(for: reference, of: owner, at: now, into: &actions) {
                    .quota
                } else {
                    nil
                }
            if let refusal {
                // As long as we bring it something else it need only wait: room comes with the end of that.
                return transfers.incomingCount(of: sender.identity) > 0
                    ? .wanted(held: 0) : .refused(refusal)
            }
            beginIncoming(reference, of: record, for: owner, by: sender.identity, at: now)
        }
        transfers.incoming[reference]?.fetch.add(sender, isOffer: true)
        pursueIncoming(reference, at: now, into: &actions)
        return .wanted(held: transfers.inventory[reference.digest]?.heldBytes ?? 0)
    }

    // MARK: Bringing

    private func hasIncomingRoom(for sender: Identity) -> Bool {
        transfers.incoming.count < Transfers.incomingLimit
            && transfers.incomingCount(of: sender) < Transfers.incomingBySender
    }

    /// Whether there is room for content: what is worth less goes.
    mutating func makeRoom(
        for reference: ContentReference,
        of owner: ContentInventory.Owner,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Bool {
        if transfers.inventory.hasRoom(for: reference, of: owner) { return true }
        // What is on its way to its replicas is not left lying, however long that takes.
        transfers.touchUploads(at: now.instant)
        let replaced = transfers.inventory.looseClaims.filter { claim in
            let standing = core.catalog.entry(at: claim.location, by: claim.author)?.revision
            let signed = claim.author == identity ? desk.order.revisions[claim.location] : nil
            return [standing, signed].contains { $0.map { $0 > claim.revision } == true }
        }
        let forgotten = transfers.inventory.makeRoom(
            for: reference,
            of: owner,
            replaced: Set(replaced),
            at: now.instant
        )
        guard let forgotten else { return false }
        if !forgotten.isEmpty {
            let removal = transfers.ticket(for: .removal)
            actions.append(.apply(removal, forgotten.map { .removeContent($0) }))
        }
        return true
    }

    private mutating func beginIncoming(
        _ reference: ContentReference,
        of record: Record,
        for owner: ContentInventory.Owner,
        by sender: Identity,
        at now: Now
    ) {
        let pieces = transfers.inventory[reference.digest]?.pieces ?? []
        transfers.inventory.expect(reference, for: owner, at: now.instant)
        transfers.inventory.claim(reference.digest, for: record)
        transfers.incoming[reference] = .init(
            fetch: ContentFetch(reference, pieces: pieces),
            location: record.location,
            sender: sender,
            record: record.digest,
            begun: now.instant,
            grown: now.instant
        )
        watchTransfers(at: now)
    }

    /// Sees to it that content comes here without which we cannot keep what we came to see.
    private mutating func bring(
        _ reference: ContentReference,
        of record: Record,
        for held: (Ticket, [RecordChange]),
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        if transfers.incoming[reference] == nil {
            let owner = ContentInventory.Owner.member(author: record.author, sender: identity)
            guard hasIncomingRoom(for: identity), makeRoom(for: reference, of: owner, at: now, into: &actions)
            else {
                return release(held, .failed(.unavailable), at: now, into: &actions)
            }
            beginIncoming(reference, of: record, for: owner, by: identity, at: now)
        }
        transfers.incoming[reference]?.held.append(held)
        for contact in closest(to: record.location, having: reference, at: now) {
            transfers.incoming[reference]?.fetch.add(contact)
        }
        pursueIncoming(reference, at: now, into: &actions)
    }

    /// Those who ought to have the content and may be asked for it.
    func closest(
        to location: NodeID,
        having reference: ContentReference,
        at now: Now
    ) -> [Contact] {
        let closest = core.table.closest(to: location, count: Kademlia.replicas)
        return transfers.truthful(closest, of: reference.digest, at: now.instant)
    }

    /// Asks on, or ends it.
    mutating func pursueIncoming(
        _ reference: ContentReference,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard var state = transfers.incoming.removeValue(forKey: reference) else { return }
        if state.fetch.isComplete, state.unwritten == 0 {
            expectNoMore(of: reference, into: &actions)
            endMending(of: reference, at: now)
            for held in state.held { release(held, nil, at: now, into: &actions) }
            return
        }
        if state.fetch.isStuck {
            guard !state.isWidened else {
                return abandon(state, .unavailable, isUndelivered: true, at: now, into: &actions)
            }
            state.isWidened = true
            for contact in closest(to: state.location, having: reference, at: now) {
                state.fetch.add(contact)
            }
        }
        let limit = Transfers.partLimit - state.unwritten
        let wishes = state.fetch.nextWishes(limit: limit, at: now.instant)
        let isOver = state.fetch.isStuck
        transfers.incoming[reference] = consume state
        for wish in wishes { ask(wish, for: .incoming(reference), at: now, into: &actions) }
        // There was nobody to be asked besides.
        if isOver { pursueIncoming(reference, at: now, into: &actions) }
    }

    /// Content that was to be kept cannot be had (`isUndelivered`), or not be written.
    mutating func abandon(
        _ state: Transfers.Incoming,
        _ refusal: Response.Refusal,
        isUndelivered: Bool,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let reference = state.fetch.reference
        let isMending = state.sender == identity && state.held.isEmpty
        if !isMending { counters.contentAbandoned += 1 }
        if isUndelivered, state.sender != identity {
            core.note(.undeliveredContent, of: state.sender, at: now.instant)
        }
        endChunkCalls(of: .incoming(reference))
        expectNoMore(of: reference, into: &actions)
        endMending(of: reference, at: now)
        guard !isMending else { return }
        if transfers.refusals.count >= Transfers.refusalCapacity { transfers.refusals = [:] }
        let offer = Transfers.Offer(sender: state.sender, record: state.record)
        transfers.refusals[offer] = (refusal, now.instant + Transfers.refusalMemory)
        for held in state.held { release(held, .failed(refusal), at: now, into: &actions) }
    }

    /// One of those for whom content was to come here needs it no more, or has it: what was promised is for
    /// others, unless somebody else brings it too.
    mutating func expectNoMore(of reference: ContentReference, into actions: inout [EngineAction]) {
        let isImported = transfers.imports.values.contains { $0.put.value == reference.encoded }
        guard transfers.incoming[reference] == nil, !isImported,
            transfers.inventory.expectNoMore(reference.digest)
        else { return }
        actions.append(.apply(transfers.ticket(for: .removal), [.removeContent(reference.digest)]))
    }

    // MARK: Records that wait

    /// Changes that waited for content are made, or have failed.
    private mutating func release(
        _ held: (ticket: Ticket, changes: [RecordChange]),
        _ failure: KademliaNode.StoreOutcome?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        // What was kept in the place of it meanwhile is in the store already, and stays there.
        if failure == nil, isStanding(held.changes) {
            noteReferences(in: held.changes, at: now)
            actions.append(.apply(held.ticket, held.changes))
            return
        }
        var wishes: [KademliaAction] = []
        core.applied(held.ticket, failure ?? .failed(.unavailable), at: now, into: &wishes)
        perform(wishes, at: now, into: &actions)
    }

    /// Whether the records that are to be stored are still what is to be kept.
    private func isStanding(_ changes: [RecordChange]) -> Bool {
        changes.allSatisfy { change in
            guard case .put(let record) = change else { return true }
            return core.catalog.entry(at: record.location, by: record.author)?.digest == record.digest
        }
    }

    /// Makes changes, once the content is there that their records refer to.
    mutating func apply(
        _ ticket: Ticket,
        _ changes: [RecordChange],
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        for case .put(let record) in changes {
            guard let reference = record.reference, !transfers.inventory.isComplete(reference) else {
                continue
            }
            return bring(reference, of: record, for: (ticket, changes), at: now, into: &actions)
        }
        noteReferences(in: changes, at: now)
        actions.append(.apply(ticket, changes))
    }

    private mutating func noteReferences(in changes: [RecordChange], at now: Now) {
        for case .put(let record) in changes {
            guard let reference = record.reference else { continue }
            transfers.inventory.setReferred(reference.digest, by: record.location, at: now.instant)
            transfers.mending.start(at: now.instant)
        }
        if transfers.inventory.unseen >= Transfers.surveyBytes { transfers.nextSurvey = now.instant }
    }
}
