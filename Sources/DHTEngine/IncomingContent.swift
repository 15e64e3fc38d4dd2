import DHTCore
import DHTEnvelope

// Content of others: asked of us, and brought here because a record that refers to it is to be kept.

extension GatedEngine where Keeper: ~Copyable {
    /// Answers a request that is about content, or begins what it takes; `false` if it is none.
    mutating func answersAsContent(
        _ id: InquiryID,
        _ inquiry: Gate.Inquiry,
        from sender: Contact,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Bool {
        switch inquiry.request {
        case .findChunk(let content, let part, let chunk):
            guard inquiry.isLive else {
                reply(id, .retry, at: now, into: &actions)
                return true
            }
            let recipient = Transfers.Recipient.inquiry(id, chunk: Int(chunk))
            serve(PartName(content: content, part: part), to: recipient, at: now, into: &actions)
            return true
        case .store(let record, let condition):
            guard inquiry.isLive, let reference = record.reference else { return false }
            transfers.shelf.touch(reference.digest, at: now.instant)
            if transfers.shelf.isComplete(reference) { return false }
            // What is not to be kept need not be brought.
            switch core.judgement(of: record, condition, at: now) {
            case .keep, .same: break
            case .conflict, .refuse: return false
            }
            if let known = transfers.refusals.removeValue(forKey: reference), known.until > now.instant {
                reply(id, .refused(known.refusal), at: now, into: &actions)
                return true
            }
            guard transfers.shelf[reference.digest] != nil || transfers.shelf.hasRoom(for: reference.length)
            else {
                reply(id, .refused(.quota), at: now, into: &actions)
                return true
            }
            bring(reference, to: record.location, from: [sender], at: now, into: &actions)
            let held = transfers.shelf[reference.digest]?.heldBytes ?? 0
            reply(id, .wanted(held: held), at: now, into: &actions)
            return true
        case .ping, .findNode, .findValue: return false
        }
    }

    // MARK: Serving

    /// Gives somebody a part, or one chunk of it, now or when it was read.
    mutating func serve(
        _ name: PartName,
        to recipient: Transfers.Recipient,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        transfers.shelf.touch(name.content, at: now.instant)
        guard let holding = transfers.shelf[name.content], holding.has(name.part) else {
            return deliver(nil, as: name, to: recipient, at: now, into: &actions)
        }
        if let bytes = transfers.cache.bytes(of: name) {
            return deliver(bytes, as: name, to: recipient, at: now, into: &actions)
        }
        transfers.loads[name, default: []].append(recipient)
        guard transfers.loads[name]?.count == 1 else { return }
        actions.append(.loadPart(transfers.ticket(for: .part(name)), of: name.content, name.part))
    }

    mutating func deliver(
        _ bytes: [UInt8]?,
        as name: PartName,
        to recipient: Transfers.Recipient,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        switch recipient {
        case .inquiry(let id, let chunk):
            let range = transfers.shelf[name.content]?.reference.range(of: chunk, in: name.part)
            guard let bytes, let range, range.upperBound <= bytes.count else {
                return reply(id, .absent, at: now, into: &actions)
            }
            counters.chunksServed += 1
            reply(id, .chunk(Array(bytes[range])), at: now, into: &actions)
        case .reading(let operation):
            partRead(bytes, name.part, of: operation, at: now, into: &actions)
        }
    }

    // MARK: Bringing

    /// Sees to it that the content comes here, from these and later from all who ought to have it.
    mutating func bring(
        _ reference: ContentReference,
        to location: NodeID,
        from contacts: [Contact],
        held: (Ticket, [RecordChange])? = nil,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        if transfers.incoming[reference] == nil {
            guard transfers.incoming.count < Transfers.incomingLimit else {
                if let held { release(held, .failed(.unavailable), at: now, into: &actions) }
                return
            }
            let pieces = transfers.shelf[reference.digest]?.pieces ?? []
            let fetch = ContentFetch(reference, pieces: pieces)
            transfers.incoming[reference] = .init(fetch: fetch, location: location)
        }
        for contact in contacts { transfers.incoming[reference]?.fetch.add(contact) }
        if let held { transfers.incoming[reference]?.held.append(held) }
        pursueIncoming(reference, at: now, into: &actions)
    }

    /// Asks on, or ends it.
    mutating func pursueIncoming(
        _ reference: ContentReference,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard var state = transfers.incoming.removeValue(forKey: reference) else { return }
        if state.fetch.isComplete, state.unwritten == 0 {
            transfers.shelf.touch(reference.digest, at: now.instant)
            for held in state.held { release(held, nil, at: now, into: &actions) }
            return
        }
        if state.fetch.isStuck {
            guard !state.isWidened else {
                return abandon(state, .unavailable, at: now, into: &actions)
            }
            state.isWidened = true
            for contact in core.table.closest(to: state.location, count: Kademlia.replicas) {
                state.fetch.add(contact)
            }
        }
        let wishes = state.fetch.nextWishes(limit: Transfers.partLimit - state.unwritten)
        let isOver = state.fetch.isStuck
        transfers.incoming[reference] = consume state
        for wish in wishes { ask(wish, for: .incoming(reference), at: now, into: &actions) }
        // There was nobody to be asked besides.
        if isOver { pursueIncoming(reference, at: now, into: &actions) }
    }

    /// Content that was to be kept cannot be had, or not be written.
    mutating func abandon(
        _ state: Transfers.Incoming,
        _ refusal: Response.Refusal,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let reference = state.fetch.reference
        if transfers.refusals.count >= Transfers.refusalCapacity { transfers.refusals = [:] }
        transfers.refusals[reference] = (refusal, now.instant + Transfers.refusalMemory)
        for held in state.held { release(held, .failed(refusal), at: now, into: &actions) }
    }

    /// Changes that waited for content are made, or have failed.
    private mutating func release(
        _ held: (ticket: Ticket, changes: [RecordChange]),
        _ failure: KademliaNode.StoreOutcome?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let failure else {
            noteReferences(in: held.changes, at: now)
            actions.append(.apply(held.ticket, held.changes))
            return
        }
        var wishes: [KademliaAction] = []
        core.applied(held.ticket, failure, at: now, into: &wishes)
        perform(wishes, at: now, into: &actions)
    }

    /// Makes changes, once the content is there that their records refer to.
    mutating func apply(
        _ ticket: Ticket,
        _ changes: [RecordChange],
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        for case .put(let record) in changes {
            guard let reference = record.reference, !transfers.shelf.isComplete(reference) else { continue }
            let contacts = core.table.closest(to: record.location, count: Kademlia.replicas)
            let held = (ticket, changes)
            return bring(reference, to: record.location, from: contacts, held: held, at: now, into: &actions)
        }
        noteReferences(in: changes, at: now)
        actions.append(.apply(ticket, changes))
    }

    private mutating func noteReferences(in changes: [RecordChange], at now: Now) {
        for case .put(let record) in changes {
            guard let reference = record.reference else { continue }
            transfers.shelf.setReferred(reference.digest)
            transfers.shelf.touch(reference.digest, at: now.instant)
        }
    }

    // MARK: Chunks

    mutating func ask(
        _ wish: ContentFetch.Wish,
        for client: Transfers.Client,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let reference: ContentReference
        switch client {
        case .incoming(let incoming): reference = incoming
        case .reading(let operation):
            guard let reading = transfers.readings[operation] else { return }
            reference = reading.fetch.reference
        }
        let request = Request.findChunk(
            content: reference.digest,
            part: wish.part,
            chunk: UInt8(wish.chunk)
        )
        let call = transfers.call(for: wish, of: client)
        start(call, wish.contact, request, isConfigured: false, at: now, into: &actions)
    }

    mutating func chunkAnswered(
        _ call: OutgoingCall,
        _ response: Response,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let (client, wish) = transfers.calls.removeValue(forKey: call.id) else { return }
        if case .chunk = response { counters.chunksFetched += 1 }
        change(client, at: now, into: &actions) { fetch in
            switch response {
            case .chunk(let bytes):
                return fetch.answered(wish, bytes, isClear: call.transmissions == 1)
            case .absent: fetch.lacks(wish)
            default: fetch.failed(wish)
            }
            return nil
        }
    }

    mutating func chunkFailed(_ call: CallID, at now: Now, into actions: inout [EngineAction]) {
        guard let (client, wish) = transfers.calls.removeValue(forKey: call) else { return }
        change(client, at: now, into: &actions) { fetch in
            fetch.failed(wish)
            return nil
        }
    }

    /// Lets something happen to what a client brings, takes in what it gained, and goes on.
    private mutating func change(
        _ client: Transfers.Client,
        at now: Now,
        into actions: inout [EngineAction],
        _ body: (inout ContentFetch) -> ContentFetch.Gain?
    ) {
        switch client {
        case .incoming(let reference):
            // Taken out while it changes, so that nothing of it is copied.
            guard var state = transfers.incoming.removeValue(forKey: reference) else { return }
            let gain = body(&state.fetch)
            transfers.incoming[reference] = consume state
            if let gain { keep(gain, of: reference, at: now, into: &actions) }
            pursueIncoming(reference, at: now, into: &actions)
        case .reading(let operation):
            guard var reading = transfers.readings.removeValue(forKey: operation) else { return }
            let gain = body(&reading.fetch)
            transfers.readings[operation] = consume reading
            if let gain { take(gain, for: operation) }
            pursueReading(operation, at: now, into: &actions)
        }
    }

    /// A part of what is to be kept came: to the store with it.
    private mutating func keep(
        _ gain: ContentFetch.Gain,
        of reference: ContentReference,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        transfers.incoming[reference]?.unwritten += 1
        switch gain {
        case .outline(let bytes):
            let isNew = transfers.shelf[reference.digest] == nil
            transfers.begin(reference, at: now.instant)
            guard isNew else {
                transfers.incoming[reference]?.unwritten -= 1
                return
            }
            let ticket = transfers.ticket(for: .outline(reference))
            actions.append(.apply(ticket, [.beginContent(reference, outline: bytes)]))
        case .piece(let bytes, let index):
            let ticket = transfers.ticket(for: .piece(reference, index: index))
            actions.append(.apply(ticket, [.putPiece(bytes, index: index, of: reference.digest)]))
        }
    }
}
