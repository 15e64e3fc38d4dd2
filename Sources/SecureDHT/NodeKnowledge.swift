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
