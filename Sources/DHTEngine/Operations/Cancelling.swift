import DHTCore
import DHTEnvelope

// Operations that users wanted and want no more.

extension GatedEngine where Keeper: ~Copyable {
    /// The user of an operation went away: it ends, without an outcome, and the room it held is for others.
    ///
    /// An operation that cannot be taken back runs to its end, and `finished` tells of it as ever: a put
    /// whose record of a short value is on its way to its replicas, a tombstone, a leave.
    @_specialize(exported:true,where Keeper == Gate)
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
