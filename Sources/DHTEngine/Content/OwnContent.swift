import DHTCore
import DHTEnvelope

// Content of users: long values they put, which go to our own store first, and long values they read.

extension GatedEngine where Keeper: ~Copyable {
    /// Content that is being brought or sent for users.
    package var transferStates: [TransferState] { transfers.states }

    // MARK: Putting

    /// Puts the content into our own store, from which the replicas bring it, and then goes on.
    mutating func importContent(
        of put: Operation.Put,
        as id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let content = put.content else { return }
        let reference = content.reference
        var put = put
        put.content = nil
        let known = transfers.inventory[reference.digest]
        guard makeRoom(for: reference, of: .users, at: now, into: &actions) else {
            transfers.imports[id] = .init(put: put, unwritten: 1)
            return imported(id, reference, .quota, at: now, into: &actions)
        }
        var missing = (0..<reference.pieceCount).reversed().filter { known?.pieces.contains($0) != true }
        // As many at once as the store can be busy with: their bytes are there a second time.
        let first = missing.suffix(Transfers.partLimit).reversed()
        missing.removeLast(first.count)
        transfers.imports[id] = .init(
            put: put,
            content: content,
            unasked: missing,
            unwritten: missing.count + first.count + 1
        )
        transfers.inventory.expect(reference, for: .users, at: now.instant)
        transfers.inventory.touch(reference.digest, at: now.instant)
        _ = transfers.begin(reference, for: .users, at: now.instant)
        // Also if it is there: the store minds no second time, and whatever was asked before is done then.
        let ticket = transfers.ticket(for: .imported(id, reference, index: nil))
        actions.append(.apply(ticket, [.beginContent(reference, outline: content.outline)]))
        for index in first { importPiece(index, of: content, as: id, into: &actions) }
    }

    private mutating func importPiece(
        _ index: Int,
        of content: Content,
        as id: OperationID,
        into actions: inout [EngineAction]
    ) {
        let ticket = transfers.ticket(for: .imported(id, content.reference, index: index))
        let piece = content.piece(index)
        actions.append(.apply(ticket, [.putPiece(piece, index: index, of: content.reference.digest)]))
    }

    mutating func imported(
        _ id: OperationID,
        _ reference: ContentReference,
        _ refusal: Response.Refusal?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard var state = transfers.imports[id] else { return }
        state.unwritten -= 1
        state.refusal = state.refusal ?? refusal
        if state.refusal != nil {
            state.unwritten -= state.unasked.count
            state.unasked = []
        }
        if let index = state.unasked.popLast(), let content = state.content {
            importPiece(index, of: content, as: id, into: &actions)
        }
        transfers.imports[id] = state
        guard state.unwritten == 0 else { return }
        transfers.imports[id] = nil
        expectNoMore(of: reference, into: &actions)
        if let refusal = state.refusal {
            desk.giveUp(id, state.put, at: now)
            actions.append(.finished(id, .unstorable(refusal)))
            return
        }
        proceed(with: state.put, as: id, at: now, into: &actions)
    }

    // MARK: Reading

    /// Brings the content of a record that a user read: as a whole, or through an outlet, as it is taken.
    /// Then peers are asked for the first pieces at once, our own store for none before its user is ready.
    mutating func fetch(
        _ record: Record,
        from contacts: [Contact],
        through outlet: ReadingOutlet? = nil,
        as id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let reference = record.reference else {
            actions.append(.finished(id, .fetched(Array(record.value))))
            return
        }
        guard outlet != nil || transfers.activeReadings < Transfers.readingLimit else {
            transfers.waiting.append(.new(id, record, contacts))
            return
        }
        watchTransfers(at: now)
        var reading = transfers.newReading(of: record, reference, from: contacts, through: outlet)
        if !reading.isLocal { addSources(contacts, to: &reading, isOffer: true, at: now) }
        let isLocal = reading.isLocal
        transfers.readings[id] = consume reading
        switch (isLocal, outlet == nil) {
        case (true, true): readOwnPart(of: id, at: now, into: &actions)
        case (true, false): break
        case (false, true): pursueReading(id, at: now, into: &actions)
        case (false, false): pursueStream(id, at: now, into: &actions)
        }
    }

    /// Reads the next part from our own store.
    mutating func readOwnPart(
        of id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let reference = transfers.readings[id]?.fetch.reference else { return }
        if transfers.readings[id]?.outlet != nil, !wantsOwnPart(id, at: now, into: &actions) { return }
        guard let part = transfers.readings[id]?.fetch.takePart() else {
            return pursueReading(id, at: now, into: &actions)
        }
        serve(
            PartName(content: reference.digest, part: part),
            to: .reading(id),
            at: now,
            into: &actions
        )
    }

    /// A part was read from our own store, or is not there.
    mutating func partRead(
        _ bytes: [UInt8]?,
        _ part: ContentPart,
        of id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard var reading = transfers.readings.removeValue(forKey: id) else { return }
        let gain = bytes.flatMap { reading.fetch.supply($0, for: part) }
        if gain == nil {
            // What we have is damaged: others have it too.
            if bytes == nil { reading.fetch.giveBack(part) }
            transfers.inventory.lost(part, of: reading.fetch.reference.digest)
            reading.isLocal = false
            addSources(reading.contacts, to: &reading, isOffer: true, at: now)
        }
        transfers.readings[id] = consume reading
        guard let gain else { return pursueReading(id, at: now, into: &actions) }
        take(gain, for: id)
        readOwnPart(of: id, at: now, into: &actions)
    }

    mutating func take(_ gain: ContentFetch.CompletedPart, for id: OperationID) {
        guard case .piece(let bytes, let index) = gain else { return }
        guard transfers.readings[id]?.outlet == nil else {
            transfers.readings[id]?.outlet?.supply(bytes, at: index)
            return
        }
        let start = index * ContentLayout.pieceLength
        transfers.readings[id]?.bytes.replaceSubrange(start..<start + bytes.count, with: bytes)
    }

    /// Asks on, or ends it.
    mutating func pursueReading(_ id: OperationID, at now: Now, into actions: inout [EngineAction]) {
        guard transfers.readings[id]?.outlet == nil else { return pursueStream(id, at: now, into: &actions) }
        guard var reading = transfers.readings.removeValue(forKey: id) else { return }
        if reading.fetch.isComplete {
            return endReading(id, reading.bytes, at: now, into: &actions)
        }
        if reading.fetch.isStuck {
            guard !reading.isWidened else {
                stall(reading, id)
                return endReading(id, nil, at: now, into: &actions)
            }
            widen(&reading, at: now)
        }
        let wishes = reading.fetch.nextWishes(limit: Transfers.partLimit, at: now.instant)
        let isOver = reading.fetch.isStuck
        transfers.readings[id] = consume reading
        for wish in wishes { ask(wish, for: .reading(id), at: now, into: &actions) }
        // There was nobody to be asked besides.
        if isOver { pursueReading(id, at: now, into: &actions) }
    }

    /// The reading ends without its content; whoever wants that again need not begin anew. What is under way
    /// for it nobody waits for, and it must not count when it goes on.
    mutating func stall(_ reading: consuming Transfers.Reading, _ id: OperationID) {
        endChunkCalls(of: .reading(id))
        reading.fetch.halt()
        transfers.stalled = reading
    }

    /// All who ought to have the content may be asked for it.
    mutating func widen(_ reading: inout Transfers.Reading, at now: Now) {
        reading.isWidened = true
        let closest = core.table.closest(to: reading.record.location, count: Kademlia.replicas * 2)
        addSources(closest, to: &reading, isOffer: false, at: now)
    }

    mutating func endReading(
        _ id: OperationID,
        _ bytes: [UInt8]?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        actions.append(.finished(id, .fetched(bytes)))
        beginWaitingReading(at: now, into: &actions)
    }

    /// Those who may have the content may be asked for it.
    func addSources(
        _ contacts: [Contact],
        to reading: inout Transfers.Reading,
        isOffer: Bool,
        at now: Now
    ) {
        let digest = reading.fetch.reference.digest
        for contact in transfers.truthful(contacts, of: digest, at: now.instant) {
            reading.fetch.add(contact, isOffer: isOffer)
        }
    }

    /// A reading is over, or asks for nothing: the next one begins, or goes on.
    mutating func beginWaitingReading(at now: Now, into actions: inout [EngineAction]) {
        while !transfers.waiting.isEmpty, transfers.activeReadings < Transfers.readingLimit {
            switch transfers.waiting.removeFirst() {
            case .new(let next, let record, let contacts):
                fetch(record, from: contacts, as: next, at: now, into: &actions)
            case .begun(let next):
                transfers.readings[next]?.outlet?.isParked = false
                pursueStream(next, at: now, into: &actions)
            }
        }
    }
}
