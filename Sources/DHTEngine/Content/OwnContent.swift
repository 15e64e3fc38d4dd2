import DHTCore
import DHTEnvelope

// Content of users: long values they put, which go to our own store first, and long values they read.

extension ContentTransfers {
    // MARK: Putting

    /// Puts the content into our own store, from which the replicas bring it, and then goes on.
    mutating func importContent(
        of put: Operation.Put,
        as id: OperationID,
        _ turn: inout ContentTurn
    ) {
        guard let content = put.content else { return }
        let reference = content.reference
        var put = put
        put.content = nil
        let known = inventory[reference.digest]
        guard makeRoom(for: reference, of: .users, &turn) else {
            imports[id] = .init(put: put, unwritten: 1)
            return imported(id, reference, .quota, &turn)
        }
        var missing = (0..<reference.pieceCount).reversed().filter { known?.pieces.contains($0) != true }
        // As many at once as the store can be busy with: their bytes are in memory.
        let first = missing.suffix(Self.partLimit).reversed()
        missing.removeLast(first.count)
        imports[id] = .init(
            put: put,
            content: content,
            unasked: missing,
            unwritten: missing.count + first.count + 1
        )
        inventory.expect(reference, for: .users, at: turn.now.instant)
        inventory.touch(reference.digest, at: turn.now.instant)
        _ = begin(reference, for: .users, at: turn.now.instant)
        // Also if the outline is there: the store minds no second time, and all that was asked before is done
        // then.
        let ticket = ticket(for: .imported(id, reference, index: nil))
        turn.perform(.apply(ticket, [.beginContent(reference, outline: content.outline)]))
        for index in first { importPiece(index, of: content, as: id, &turn) }
    }

    private mutating func importPiece(
        _ index: Int,
        of content: Content,
        as id: OperationID,
        _ turn: inout ContentTurn
    ) {
        let ticket = ticket(for: .imported(id, content.reference, index: index))
        turn.perform(.importPiece(ticket, of: content, index: index))
    }

    mutating func imported(
        _ id: OperationID,
        _ reference: ContentReference,
        _ refusal: Response.Refusal?,
        _ turn: inout ContentTurn
    ) {
        guard var state = imports[id] else { return }
        state.unwritten -= 1
        state.refusal = state.refusal ?? refusal
        if state.refusal != nil {
            state.unwritten -= state.unasked.count
            state.unasked = []
        }
        if let index = state.unasked.popLast(), let content = state.content {
            importPiece(index, of: content, as: id, &turn)
        }
        imports[id] = state
        guard state.unwritten == 0 else { return }
        imports[id] = nil
        expectNoMore(of: reference, &turn)
        if let refusal = state.refusal { return turn.take(.givenUp(id, state.put, refusal)) }
        turn.take(.imported(id, state.put))
    }

    // MARK: Reading

    /// Brings the content of a record that a user read: as a whole, or through an outlet, as it is taken.
    /// Then peers are asked for the first pieces at once, our own store for none before its user is ready.
    mutating func fetch(
        _ record: Record,
        from contacts: [Contact],
        through outlet: ReadingOutlet? = nil,
        as id: OperationID,
        _ turn: inout ContentTurn
    ) {
        guard let reference = record.reference else {
            turn.perform(.finished(id, .fetched(Array(record.value))))
            return
        }
        guard outlet != nil || activeReadings < Self.readingLimit else {
            waiting.append(.new(id, record, contacts))
            return
        }
        watchTransfers(&turn)
        var reading = newReading(of: record, reference, from: contacts, through: outlet)
        if !reading.isLocal { addSources(contacts, to: &reading, isOffer: true, &turn) }
        let isLocal = reading.isLocal
        readings[id] = consume reading
        switch (isLocal, outlet == nil) {
        case (true, true): readOwnPart(of: id, &turn)
        case (true, false): break
        case (false, true): pursueReading(id, &turn)
        case (false, false): pursueStream(id, &turn)
        }
    }

    /// A reading that begins; as a whole, it goes on where one of the same content got stuck.
    private mutating func newReading(
        of record: Record,
        _ reference: ContentReference,
        from contacts: [Contact],
        through outlet: ReadingOutlet?
    ) -> Reading {
        if outlet == nil, var reading = stalled, reading.fetch.reference == reference {
            stalled = nil
            reading.isWidened = false
            // A part that could not be read here then may be readable now.
            reading.isLocal = inventory.isComplete(reference)
            return reading
        }
        return Reading(
            record: record,
            contacts: contacts,
            fetch: ContentFetch(reference),
            bytes: [UInt8](repeating: 0, count: outlet == nil ? Int(reference.length) : 0),
            outlet: outlet,
            isLocal: inventory.isComplete(reference)
        )
    }

    /// Reads the next part from our own store.
    mutating func readOwnPart(
        of id: OperationID,
        _ turn: inout ContentTurn
    ) {
        guard let reference = readings[id]?.fetch.reference else { return }
        if readings[id]?.outlet != nil, !wantsOwnPart(id, &turn) { return }
        guard let part = readings[id]?.fetch.takePart() else {
            return pursueReading(id, &turn)
        }
        serve(
            PartName(content: reference.digest, part: part),
            to: .reading(id),
            &turn
        )
    }

    /// A part was read from our own store, or is not there.
    mutating func partRead(
        _ bytes: [UInt8]?,
        _ part: ContentPart,
        of id: OperationID,
        _ turn: inout ContentTurn
    ) {
        guard var reading = readings.removeValue(forKey: id) else { return }
        let completed = bytes.flatMap { reading.fetch.supply($0, for: part) }
        if completed == nil {
            // Our copy is damaged, or cannot be read right now: others have the content too.
            if bytes == nil { reading.fetch.giveBack(part) }
            reading.isLocal = false
            addSources(reading.contacts, to: &reading, isOffer: true, &turn)
        }
        readings[id] = consume reading
        guard let completed else { return pursueReading(id, &turn) }
        take(completed, for: id)
        readOwnPart(of: id, &turn)
    }

    mutating func take(_ completed: ContentFetch.CompletedPart, for id: OperationID) {
        guard case .piece(let bytes, let index) = completed else { return }
        guard readings[id]?.outlet == nil else {
            readings[id]?.outlet?.supply(bytes, at: index)
            return
        }
        let start = index * ContentLayout.pieceLength
        readings[id]?.bytes.replaceSubrange(start..<start + bytes.count, with: bytes)
    }

    /// Asks on, or ends the reading.
    mutating func pursueReading(_ id: OperationID, _ turn: inout ContentTurn) {
        guard readings[id]?.outlet == nil else { return pursueStream(id, &turn) }
        guard var reading = readings.removeValue(forKey: id) else { return }
        if reading.fetch.isComplete {
            return endReading(id, reading.bytes, &turn)
        }
        if reading.fetch.isStuck, reading.isWidened {
            stall(reading, id, &turn)
            return endReading(id, nil, &turn)
        }
        if reading.fetch.isDelayed, !reading.isWidened { widen(&reading, &turn) }
        let chunkRequests = reading.fetch.nextRequests(limit: Self.partLimit, at: turn.now.instant)
        let isOver = reading.fetch.isStuck
        readings[id] = consume reading
        for chunkRequest in chunkRequests { ask(chunkRequest, for: .reading(id), &turn) }
        // There was nobody to be asked besides.
        if isOver { pursueReading(id, &turn) }
    }

    /// The reading ends without its content; the next one that wants it need not begin anew. Nobody waits for
    /// the requests under way, and they must not count when the reading goes on.
    mutating func stall(_ reading: consuming Reading, _ id: OperationID, _ turn: inout ContentTurn) {
        endChunkCalls(of: .reading(id), &turn)
        reading.fetch.halt()
        stalled = reading
    }

    /// All who ought to have the content may be asked for it.
    mutating func widen(_ reading: inout Reading, _ turn: inout ContentTurn) {
        reading.isWidened = true
        let closest = turn.table.closest(to: reading.record.location, count: Kademlia.replicas * 2)
        addSources(closest, to: &reading, isOffer: false, &turn)
    }

    mutating func endReading(
        _ id: OperationID,
        _ bytes: [UInt8]?,
        _ turn: inout ContentTurn
    ) {
        turn.perform(.finished(id, .fetched(bytes)))
        beginWaitingReading(&turn)
    }

    /// Contacts that may have the content may be asked for it.
    func addSources(
        _ contacts: [Contact],
        to reading: inout Reading,
        isOffer: Bool,
        _ turn: inout ContentTurn
    ) {
        let digest = reading.fetch.reference.digest
        for contact in truthful(contacts, of: digest, at: turn.now.instant) {
            reading.fetch.add(contact, isOffer: isOffer)
        }
    }

    /// A reading is over, or asks for nothing: the next one begins, or goes on.
    mutating func beginWaitingReading(_ turn: inout ContentTurn) {
        while !waiting.isEmpty, activeReadings < Self.readingLimit {
            switch waiting.removeFirst() {
            case .new(let next, let record, let contacts):
                fetch(record, from: contacts, as: next, &turn)
            case .begun(let next):
                readings[next]?.outlet?.isParked = false
                pursueStream(next, &turn)
            }
        }
    }

    // MARK: Cancelling

    /// Nobody wants an operation any more that only moves content; `false`: it is none of these.
    mutating func cancel(_ id: OperationID, _ turn: inout ContentTurn) -> Bool {
        if let reading = readings.removeValue(forKey: id) {
            if reading.outlet != nil {
                endChunkCalls(of: .reading(id), &turn)
            } else if !reading.isLocal {
                stall(reading, id, &turn)
            }
            beginWaitingReading(&turn)
            return true
        }
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            waiting.remove(at: index)
            return true
        }
        if let state = imports.removeValue(forKey: id) {
            if let reference = ContentReference(encoded: state.put.value[...]) {
                expectNoMore(of: reference, &turn)
            }
            turn.take(.givenUp(id, state.put, nil))
            return true
        }
        return false
    }

    /// A put was broken off: our store need not have its content any more, unless a record of ours or another
    /// put refers to it.
    mutating func cancelUpload(of record: Record, _ turn: inout ContentTurn) {
        endUpload(of: record)
        guard let reference = record.reference, !isPut(reference), inventory.drop(reference.digest) else {
            return
        }
        turn.perform(.apply(ticket(for: .removal), [.removeContent(reference.digest)]))
    }
}
