import DHTCore
import DHTEngine
import DHTEnvelope
import Logging

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
    /// What the system would not send.
    let refusals: SendRefusals
    /// Smoothed, in microseconds.
    let roundTrips: [Identity: UInt64]
    /// What members do that no honest one does.
    let suspects: [Suspect]
    /// Why the store keeps nothing, if so.
    let storeProblem: String?
    /// What is wrong, in words.
    let complaints: [String]
    /// Who asks in vain.
    let knocking: [Knocker]
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
        let now = SystemClock.now
        return NodeKnowledge(
            id: core.id,
            table: core.table,
            records: core.catalog.count,
            recordBytes: core.catalog.byteCount,
            equivocations: core.catalog.equivocations,
            underReplicated: core.underReplicated,
            counters: engine.counters,
            unroutable: set.unroutable,
            refusals: set.refusals,
            roundTrips: roundTrips,
            suspects: core.conduct.report.map { entry in
                Suspect(
                    identity: entry.identity,
                    name: memberName(entry.identity),
                    offence: entry.offence.rawValue,
                    count: entry.count,
                    last: now.unixMilliseconds(of: entry.last)
                )
            },
            storeProblem: disk?.problem,
            complaints: complaints,
            knocking: knocking,
            uptime: now.instant.since(started).milliseconds
        )
    }

    /// Tells the operator of members that were first seen to do what no honest one does.
    func warn(of news: [Conduct.Entry]) {
        for entry in news {
            if entry.identity == engine.identity {
                logger.error("another process runs with this node's key: stop one of them, or make it a key")
                continue
            }
            var metadata: Logger.Metadata = [
                "identity": "\(entry.identity.text)", "offence": "\(entry.offence.rawValue)",
            ]
            metadata["name"] = memberName(entry.identity).map { "\($0)" }
            logger.warning("a member does what no honest one does: dht status", metadata: metadata)
        }
    }

    /// Somebody of whom only the beginning of the node id is known; `nil` unless we know one like that.
    func somebody(at prefix: UInt32) -> Identity? {
        if case .members(let list) = engine.gate.admission,
            let member = list.members.first(where: { $0.nodeID.prefix == prefix })
        {
            return member.identity
        }
        return engine.core.table.contacts.first { $0.contact.id.prefix == prefix }?.contact.identity
    }

    /// What the allowlist calls somebody.
    func memberName(_ identity: Identity) -> String? {
        guard case .members(let list) = engine.gate.admission else { return nil }
        return list.member(identity)?.name
    }
}
