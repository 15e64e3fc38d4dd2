import DHTCore
import DHTEnvelope

// Content on its way that does not get on.

extension GatedEngine where Keeper: ~Copyable {
    /// Something is on its way: it is to be looked at.
    mutating func watchTransfers(at now: Now) {
        transfers.nextLook = transfers.nextLook ?? now.instant + Transfers.lookInterval
    }

    /// Gives up content that does not come, and lets what takes too long be asked of others.
    mutating func lookAtTransfers(at now: Now, into actions: inout [EngineAction]) {
        guard let look = transfers.nextLook, look <= now.instant else { return }
        transfers.nextLook = nil
        for reference in transfers.incoming.keys.sorted(by: { $0.digest < $1.digest }) {
            lookAtIncoming(reference, at: now, into: &actions)
        }
        for operation in transfers.readings.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard var reading = transfers.readings.removeValue(forKey: operation) else { continue }
            takeBackSlowParts(of: &reading.fetch, isHeldUp: reading.outlet?.isWaiting == true, at: now)
            transfers.readings[operation] = consume reading
            if transfers.readings[operation]?.isLocal == false {
                pursueReading(operation, at: now, into: &actions)
            }
        }
        if !transfers.incoming.isEmpty || !transfers.readings.isEmpty { watchTransfers(at: now) }
    }

    private mutating func lookAtIncoming(
        _ reference: ContentReference,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard var state = transfers.incoming.removeValue(forKey: reference) else { return }
        // While our own store holds it up, nobody can bring anything.
        let isWriting = state.unwritten > 0
        let isStalled = !isWriting && now.instant.since(state.grown) >= Transfers.incomingPatience
        if isStalled || now.instant.since(state.begun) >= Transfers.allowance(for: reference.length) {
            return abandon(state, .unavailable, isUndelivered: !isWriting, at: now, into: &actions)
        }
        takeBackSlowParts(of: &state.fetch, isHeldUp: false, at: now)
        transfers.incoming[reference] = consume state
        pursueIncoming(reference, at: now, into: &actions)
    }

    private mutating func takeBackSlowParts(of fetch: inout ContentFetch, isHeldUp: Bool, at now: Now) {
        let before = fetch.slowParts
        fetch.takeBackSlow(at: now.instant, isHeldUp: isHeldUp)
        counters.slowParts += fetch.slowParts - before
    }
}
