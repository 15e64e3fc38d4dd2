import DHTCore
import DHTCrypto
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
        let known = transfers.shelf[reference.digest]
        guard transfers.shelf.hasRoom(for: reference, of: .users) else {
            transfers.imports[id] = .init(put: put, unwritten: 1)
            return imported(id, reference, .quota, at: now, into: &actions)
        }
        let missing = (0..<reference.pieceCount).filter { known?.pieces.contains($0) != true }
        transfers.imports[id] = .init(put: put, unwritten: missing.count + 1)
        transfers.shelf.expect(reference, for: .users, at: now.instant)
        transfers.shelf.touch(reference.digest, at: now.instant)
        _ = transfers.begin(reference, for: .users, at: now.instant)
        // Also if it is there: the store minds no second time, and whatever was asked before is done then.
        let ticket = transfers.ticket(for: .imported(id, reference, index: nil))
        actions.append(.apply(ticket, [.beginContent(reference, outline: content.outline)]))
        for index in missing {
            let ticket = transfers.ticket(for: .imported(id, reference, index: index))
            let piece = content.piece(index)
            actions.append(.apply(ticket, [.putPiece(piece, index: index, of: reference.digest)]))
        }
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
        transfers.imports[id] = state
        guard state.unwritten == 0 else { return }
        transfers.imports[id] = nil
        expectNoMore(of: reference, into: &actions)
        if let refusal = state.refusal {
            resumeKeeping(at: sha1(state.put.key), nil, isKept: state.put.isKept, now)
            actions.append(.finished(id, .unstorable(refusal)))
            return
        }
        var wishes: [KademliaAction] = []
        proceed(with: state.put, as: id, at: now, into: &wishes, &actions)
        perform(wishes, at: now, into: &actions)
    }

    // MARK: Reading

    /// Brings the content of a record that a user read.
    mutating func fetch(
        _ record: Record,
        from contacts: [Contact],
        as id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let reference = record.reference else {
            actions.append(.finished(id, .fetched(Array(record.value))))
            return
        }
        guard transfers.readings.count < Transfers.readingLimit else {
            transfers.waiting.append((id, record, contacts))
            return
        }
        watchTransfers(at: now)
        var reading: Transfers.Reading
        if let stalled = transfers.stalled, stalled.fetch.reference == reference {
            transfers.stalled = nil
            reading = stalled
            reading.isWidened = false
        } else {
            reading = Transfers.Reading(
                record: record,
                contacts: contacts,
                fetch: ContentFetch(reference),
                bytes: [UInt8](repeating: 0, count: Int(reference.length)),
                isLocal: transfers.shelf.isComplete(reference)
            )
        }
        if !reading.isLocal { addSources(contacts, to: &reading, isOffer: true, at: now) }
        transfers.readings[id] = reading
        if reading.isLocal {
            readOwnPart(of: id, at: now, into: &actions)
        } else {
            pursueReading(id, at: now, into: &actions)
        }
    }

    /// Reads the next part from our own store.
    private mutating func readOwnPart(
        of id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let reference = transfers.readings[id]?.fetch.reference else { return }
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
            transfers.shelf.lost(part, of: reading.fetch.reference.digest)
            reading.isLocal = false
            addSources(reading.contacts, to: &reading, isOffer: true, at: now)
        }
        transfers.readings[id] = consume reading
        guard let gain else { return pursueReading(id, at: now, into: &actions) }
        take(gain, for: id)
        readOwnPart(of: id, at: now, into: &actions)
    }

    mutating func take(_ gain: ContentFetch.Gain, for id: OperationID) {
        guard case .piece(let bytes, let index) = gain else { return }
        let start = index * ContentLayout.pieceLength
        transfers.readings[id]?.bytes.replaceSubrange(start..<start + bytes.count, with: bytes)
    }

    /// Asks on, or ends it.
    mutating func pursueReading(_ id: OperationID, at now: Now, into actions: inout [EngineAction]) {
        guard var reading = transfers.readings.removeValue(forKey: id) else { return }
        if reading.fetch.isComplete {
            return endReading(id, reading.bytes, at: now, into: &actions)
        }
        if reading.fetch.isStuck {
            guard !reading.isWidened else {
                stall(reading, id)
                return endReading(id, nil, at: now, into: &actions)
            }
            reading.isWidened = true
            let location = reading.record.location
            let closest = core.table.closest(to: location, count: Kademlia.replicas * 2)
            addSources(closest, to: &reading, isOffer: false, at: now)
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

    private mutating func endReading(
        _ id: OperationID,
        _ bytes: [UInt8]?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        actions.append(.finished(id, .fetched(bytes)))
        beginWaitingReading(at: now, into: &actions)
    }

    /// Those who may have the content may be asked for it.
    private func addSources(
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

    /// A reading is over: the next one begins.
    mutating func beginWaitingReading(at now: Now, into actions: inout [EngineAction]) {
        guard !transfers.waiting.isEmpty else { return }
        let (next, record, contacts) = transfers.waiting.removeFirst()
        fetch(record, from: contacts, as: next, at: now, into: &actions)
    }
}
