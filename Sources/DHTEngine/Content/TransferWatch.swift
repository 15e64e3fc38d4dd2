import DHTCore
import DHTEnvelope

// Content on its way that does not get on.

extension ContentTransfers {
    /// A transfer is under way: it is to be looked at.
    mutating func watchTransfers(_ turn: inout ContentTurn) {
        timers.start(.look, at: turn.now.instant + Self.lookInterval)
    }

    /// Gives up content that does not come, and lets what takes too long be asked of others.
    mutating func lookAtTransfers(_ turn: inout ContentTurn) {
        guard timers.take(.look, at: turn.now.instant) else { return }
        for reference in incoming.keys.sorted(by: { $0.digest < $1.digest }) {
            lookAtIncoming(reference, &turn)
        }
        for operation in readings.keys.sorted() {
            guard var reading = readings.removeValue(forKey: operation) else { continue }
            takeBackSlowParts(of: &reading.fetch, isHeldUp: reading.outlet?.isWaiting == true, &turn)
            readings[operation] = consume reading
            if readings[operation]?.isLocal == false {
                pursueReading(operation, &turn)
            }
        }
        if !incoming.isEmpty || !readings.isEmpty { watchTransfers(&turn) }
    }

    private mutating func lookAtIncoming(
        _ reference: ContentReference,
        _ turn: inout ContentTurn
    ) {
        guard var state = incoming.removeValue(forKey: reference) else { return }
        // While our own store holds it up, nobody can bring anything.
        let isWriting = state.unwritten > 0
        let isStalled = !isWriting && turn.now.instant.since(state.grown) >= Self.incomingPatience
        if isStalled || turn.now.instant.since(state.begun) >= Self.allowance(for: reference.length) {
            return abandon(state, .unavailable, isUndelivered: !isWriting, &turn)
        }
        takeBackSlowParts(of: &state.fetch, isHeldUp: false, &turn)
        incoming[reference] = consume state
        pursueIncoming(reference, &turn)
    }

    /// These may write no more: users read nothing of theirs any more, and none of it is brought here.
    mutating func silence(_ turn: inout ContentTurn, where mayNotWrite: (Identity) -> Bool) {
        waiting = waiting.filter { waiting in
            guard case .new(let id, let record, _) = waiting, mayNotWrite(record.author) else { return true }
            turn.perform(.finished(id, .fetched(nil)))
            return false
        }
        for (id, reading) in readings.sorted(by: { $0.key < $1.key }) {
            guard mayNotWrite(reading.record.author) else { continue }
            readings[id] = nil
            endChunkCalls(of: .reading(id), &turn)
            endReading(id, nil, &turn)
        }
        for (reference, state) in incoming.sorted(by: { $0.key.digest < $1.key.digest }) {
            let records = state.held.flatMap(\.1).compactMap { change in
                if case .put(let record) = change { record } else { nil }
            }
            guard !records.isEmpty, records.allSatisfy({ mayNotWrite($0.author) }) else { continue }
            incoming[reference] = nil
            abandon(state, .denied, isUndelivered: false, &turn)
        }
    }

    private mutating func takeBackSlowParts(
        of fetch: inout ContentFetch,
        isHeldUp: Bool,
        _ turn: inout ContentTurn
    ) {
        let before = fetch.slowParts
        fetch.takeBackSlow(at: turn.now.instant, isHeldUp: isHeldUp)
        counters.slowParts += fetch.slowParts - before
    }
}
