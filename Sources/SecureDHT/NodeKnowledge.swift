import DHTCore
import DHTEngine

/// What a node knows at one moment.
struct NodeKnowledge: Sendable {
    let id: NodeID
    let table: RoutingTable
    let records: Int
    let recordBytes: Int
    let equivocations: UInt64
    /// Records that are known to lack copies.
    let underReplicated: Int
    let counters: Counters
    let unroutable: UInt64
    /// Smoothed, in microseconds.
    let roundTrips: [Identity: UInt64]
    /// Milliseconds.
    let uptime: UInt64
}

extension NodeLoop {
    /// Content that is on its way for users.
    var transfers: [TransferState] { engine.transferStates }

    /// Keys of our own values that are kept alive.
    var keptKeys: [KeptKey] { engine.keptKeys }

    /// A picture of the node at this moment.
    var knowledge: NodeKnowledge {
        let core = engine.core
        var roundTrips: [Identity: UInt64] = [:]
        for entry in core.table.contacts {
            let identity = entry.contact.identity
            roundTrips[identity] = engine.roundTrip(to: identity).map { $0.nanoseconds / 1000 }
        }
        return NodeKnowledge(
            id: core.id,
            table: core.table,
            records: core.catalog.count,
            recordBytes: core.catalog.byteCount,
            equivocations: core.catalog.equivocations,
            underReplicated: core.underReplicated,
            counters: engine.counters,
            unroutable: unroutable,
            roundTrips: roundTrips,
            uptime: SystemClock.now.instant.since(started).milliseconds
        )
    }
}
