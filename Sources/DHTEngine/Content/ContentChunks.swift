import DHTCore
import DHTEnvelope

// Chunks of content that we ask others for.

extension ContentTransfers {
    mutating func ask(
        _ chunkRequest: ContentFetch.ChunkRequest,
        for client: Client,
        _ turn: inout ContentTurn
    ) {
        let reference: ContentReference
        switch client {
        case .incoming(let incoming): reference = incoming
        case .reading(let operation):
            guard let reading = readings[operation] else { return }
            reference = reading.fetch.reference
        }
        let request = Request.findChunk(
            content: reference.digest,
            part: chunkRequest.part,
            chunk: UInt8(chunkRequest.chunk)
        )
        turn.take(.ask(call(for: chunkRequest, of: client), chunkRequest.contact, request))
    }

    mutating func chunkAnswered(
        _ call: OutgoingCall,
        _ response: Response,
        _ turn: inout ContentTurn
    ) {
        guard let (client, chunkRequest) = calls.removeValue(forKey: call.id) else { return }
        if case .chunk = response { counters.chunksFetched += 1 }
        let now = turn.now.instant
        change(client, &turn) { fetch in
            fetch.heard(from: chunkRequest.contact.identity, at: now)
            switch response {
            case .chunk(let bytes):
                let isClear = call.transmissions == 1
                return fetch.answered(chunkRequest, bytes, isClear: isClear, at: now)
            case .absent: fetch.lacks(chunkRequest)
            default: fetch.failed(chunkRequest)
            }
            return nil
        }
    }

    /// The peer has not answered in its usual time; it may still.
    mutating func chunkOverdue(_ call: OutgoingCall, _ turn: inout ContentTurn) {
        guard let (client, chunkRequest) = calls[call.id] else { return }
        change(client, &turn) { fetch in
            fetch.overdue(chunkRequest, sent: call.firstSent)
            return nil
        }
    }

    mutating func chunkFailed(_ call: CallID, _ turn: inout ContentTurn) {
        guard let (client, chunkRequest) = calls.removeValue(forKey: call) else { return }
        change(client, &turn) { fetch in
            fetch.failed(chunkRequest)
            return nil
        }
    }

    /// Lets something happen to what a client brings, takes in what it gained, and goes on.
    private mutating func change(
        _ client: Client,
        _ turn: inout ContentTurn,
        _ body: (inout ContentFetch) -> ContentFetch.CompletedPart?
    ) {
        switch client {
        case .incoming(let reference):
            // Taken out while it changes, so that nothing of it is copied.
            guard var state = incoming.removeValue(forKey: reference) else { return }
            let before = state.fetch.received
            let completed = body(&state.fetch)
            if state.fetch.received > before { state.grown = turn.now.instant }
            let liars = state.fetch.takeLiars()
            incoming[reference] = consume state
            record(liars, of: reference, &turn)
            if let completed { keep(completed, of: reference, &turn) }
            pursueIncoming(reference, &turn)
        case .reading(let operation):
            guard var reading = readings.removeValue(forKey: operation) else { return }
            let completed = body(&reading.fetch)
            let (liars, reference) = (reading.fetch.takeLiars(), reading.fetch.reference)
            readings[operation] = consume reading
            record(liars, of: reference, &turn)
            if let completed { take(completed, for: operation) }
            pursueReading(operation, &turn)
        }
    }

    /// These peers gave wrong parts of the content: no other fetch of it asks them any more either.
    private mutating func record(
        _ liars: [Identity],
        of reference: ContentReference,
        _ turn: inout ContentTurn
    ) {
        for liar in liars {
            counters.brokenParts += 1
            record(liar, of: reference, at: turn.now.instant)
            turn.report(.brokenContent, of: liar)
        }
    }

    /// Nobody waits any more for chunks that this client asked for.
    mutating func endChunkCalls(of client: Client, _ turn: inout ContentTurn) {
        for call in calls.filter({ $0.value.client == client }).keys {
            calls[call] = nil
            turn.take(.drop(call))
        }
    }

    /// A part of what is to be kept came: to the store with it.
    private mutating func keep(
        _ completed: ContentFetch.CompletedPart,
        of reference: ContentReference,
        _ turn: inout ContentTurn
    ) {
        inventory.touch(reference.digest, at: turn.now.instant)
        switch completed {
        case .outline(let bytes):
            guard begin(reference, for: .unknown, at: turn.now.instant) else { return }
            incoming[reference]?.unwritten += 1
            let ticket = ticket(for: .outline(reference))
            turn.perform(.apply(ticket, [.beginContent(reference, outline: bytes)]))
        case .piece(let bytes, let index):
            incoming[reference]?.unwritten += 1
            let ticket = ticket(for: .piece(reference, index: index))
            turn.perform(.apply(ticket, [.putPiece(bytes, index: index, of: reference.digest)]))
        }
    }
}
