import DHTCore
import DHTEnvelope

// What users wanted and want no more.

extension GatedEngine where Keeper: ~Copyable {
    /// Whoever asked for an operation went away: it ends, without an outcome, and what it held is for others.
    ///
    /// What cannot be taken back runs to its end, and `finished` tells of it as ever: a record of a short
    /// value on its way to its replicas, a tombstone, a leave.
    package mutating func cancel(_ id: OperationID, in turn: inout EngineTurn) {
        var isContent = false
        transfer(in: &turn) { transfers, turn in isContent = transfers.cancel(id, &turn) }
        if isContent {
            counters.cancelled += 1
            return
        }
        guard desk.isCancellable(id) else { return desk.withdraw(id) }
        guard core.cancel(id) else { return }
        if let record = desk.cancel(id, at: turn.now) {
            for call in calls.storing(record) where !core.awaits(call) { drop(call) }
            transfer(in: &turn) { $0.cancelUpload(of: record, &$1) }
        }
        counters.cancelled += 1
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
