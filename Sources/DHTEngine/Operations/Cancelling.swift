import DHTCore
import DHTEnvelope

// What users wanted and want no more.

extension GatedEngine where Keeper: ~Copyable {
    /// Whoever asked for an operation went away: it ends, without an outcome, and what it held is for others.
    ///
    /// What cannot be taken back runs to its end, and `finished` tells of it as ever: a record of a short
    /// value on its way to its replicas, a tombstone, a leave.
    package mutating func cancel(_ id: OperationID, at now: Now, into actions: inout [EngineAction]) {
        if cancelTransfer(id, at: now, into: &actions) {
            counters.cancelled += 1
            return
        }
        guard desk.isCancellable(id) else { return desk.withdraw(id) }
        guard core.cancel(id) else { return }
        if let record = desk.cancel(id, at: now) {
            transfers.endUpload(of: record)
            for call in calls.storing(record) where !core.awaits(call) { drop(call) }
            if let reference = record.reference { dropUnstored(reference, into: &actions) }
        }
        counters.cancelled += 1
    }

    /// A put of this content was broken off: our store need not have it any more, unless a record of ours or
    /// another put refers to it.
    private mutating func dropUnstored(_ reference: ContentReference, into actions: inout [EngineAction]) {
        guard !transfers.isPut(reference), transfers.inventory.drop(reference.digest) else { return }
        actions.append(.apply(transfers.ticket(for: .removal), [.removeContent(reference.digest)]))
    }

    /// Ends what only moves content.
    private mutating func cancelTransfer(
        _ id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Bool {
        if let reading = transfers.readings.removeValue(forKey: id) {
            if reading.outlet != nil {
                endChunkCalls(of: .reading(id))
            } else if !reading.isLocal {
                stall(reading, id)
            }
            beginWaitingReading(at: now, into: &actions)
            return true
        }
        if let index = transfers.waiting.firstIndex(where: { $0.id == id }) {
            transfers.waiting.remove(at: index)
            return true
        }
        if let state = transfers.imports.removeValue(forKey: id) {
            if let reference = ContentReference(encoded: state.put.value[...]) {
                expectNoMore(of: reference, into: &actions)
            }
            desk.giveUp(id, state.put, at: now)
            return true
        }
        return false
    }
}

extension CallBook {
    /// Calls by which this record is offered.
    fileprivate func storing(_ record: Record) -> [CallID] {
        ids { call in
            if case .store(record, _) = call.request { true } else { false }
        }
    }
}
