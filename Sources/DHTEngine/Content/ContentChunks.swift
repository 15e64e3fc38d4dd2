import DHTCore
import DHTEnvelope

// Chunks of content that we ask others for.

extension GatedEngine where Keeper: ~Copyable {
    mutating func ask(
        _ wish: ContentFetch.ChunkRequest,
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
                let isClear = call.transmissions == 1
                return fetch.answered(wish, bytes, isClear: isClear, at: now.instant)
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
        _ body: (inout ContentFetch) -> ContentFetch.CompletedPart?
    ) {
        switch client {
        case .incoming(let reference):
            // Taken out while it changes, so that nothing of it is copied.
            guard var state = transfers.incoming.removeValue(forKey: reference) else { return }
            let before = state.fetch.received
            let gain = body(&state.fetch)
            if state.fetch.received > before { state.grown = now.instant }
            let liars = state.fetch.takeLiars()
            transfers.incoming[reference] = consume state
            note(liars, of: reference, at: now)
            if let gain { keep(gain, of: reference, at: now, into: &actions) }
            pursueIncoming(reference, at: now, into: &actions)
        case .reading(let operation):
            guard var reading = transfers.readings.removeValue(forKey: operation) else { return }
            let gain = body(&reading.fetch)
            let (liars, reference) = (reading.fetch.takeLiars(), reading.fetch.reference)
            transfers.readings[operation] = consume reading
            note(liars, of: reference, at: now)
            if let gain { take(gain, for: operation) }
            pursueReading(operation, at: now, into: &actions)
        }
    }

    /// These gave what the content is not: whoever else is bringing it asks them no more either.
    private mutating func note(_ liars: [Identity], of reference: ContentReference, at now: Now) {
        for liar in liars {
            counters.brokenParts += 1
            transfers.note(liar, of: reference, at: now.instant)
            core.note(.brokenContent, of: liar, at: now.instant)
        }
    }

    /// Nobody waits any more for chunks that this client asked for.
    mutating func endChunkCalls(of client: Transfers.Client) {
        for call in transfers.calls.filter({ $0.value.client == client }).keys {
            transfers.calls[call] = nil
            drop(call)
        }
    }

    /// A part of what is to be kept came: to the store with it.
    private mutating func keep(
        _ gain: ContentFetch.CompletedPart,
        of reference: ContentReference,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        transfers.inventory.touch(reference.digest, at: now.instant)
        switch gain {
        case .outline(let bytes):
            guard transfers.begin(reference, for: .unknown, at: now.instant) else { return }
            transfers.incoming[reference]?.unwritten += 1
            let ticket = transfers.ticket(for: .outline(reference))
            actions.append(.apply(ticket, [.beginContent(reference, outline: bytes)]))
        case .piece(let bytes, let index):
            transfers.incoming[reference]?.unwritten += 1
            let ticket = transfers.ticket(for: .piece(reference, index: index))
            actions.append(.apply(ticket, [.putPiece(bytes, index: index, of: reference.digest)]))
        }
    }
}
