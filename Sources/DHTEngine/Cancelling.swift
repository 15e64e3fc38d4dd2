import DHTCore
import DHTCrypto
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
        switch operations[id] {
        case .put(let put, let signing) where signing.record.reference != nil:
            guard core.cancel(id) else { return }
            let record = signing.record
            transfers.endUpload(of: record)
            resumeKeeping(at: record.location, nil, isKept: put.isKept, now)
            for call in calls.storing(record) where !core.awaits(call) { drop(call) }
        case .conditional(let put):
            guard core.cancel(id) else { return }
            resumeKeeping(at: sha1(put.key), nil, isKept: put.isKept, now)
        case .delete(let key):
            guard core.cancel(id) else { return }
            resumeKeeping(at: sha1(key), nil, isKept: false, now)
        case .other: guard core.cancel(id) else { return }
        case .put, .renewal, nil: return
        }
        operations[id] = nil
        counters.cancelled += 1
    }

    /// Ends what only moves content.
    private mutating func cancelTransfer(
        _ id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) -> Bool {
        if let reading = transfers.readings.removeValue(forKey: id) {
            if !reading.isLocal { stall(reading, id) }
            beginWaitingReading(at: now, into: &actions)
            return true
        }
        if let index = transfers.waiting.firstIndex(where: { $0.0 == id }) {
            transfers.waiting.remove(at: index)
            return true
        }
        if let state = transfers.imports.removeValue(forKey: id) {
            if let reference = ContentReference(encoded: state.put.value[...]) {
                expectNoMore(of: reference, into: &actions)
            }
            resumeKeeping(at: sha1(state.put.key), nil, isKept: state.put.isKept, now)
            return true
        }
        return false
    }
}

extension CallTable {
    /// Calls by which this record is offered.
    fileprivate func storing(_ record: Record) -> [CallID] {
        ids { call in
            if case .store(record, _) = call.request { true } else { false }
        }
    }
}
