import DHTCore
import DHTEngine
import DHTEnvelope
import FoundationEssentials
import Logging

/// The state of a node at one moment.
struct NodeSnapshot: Sendable {
    let id: NodeID
    let table: RoutingTable
    /// Peers whose addresses the operator named.
    let seeds: [PeerAddress]
    let records: Int
    let recordBytes: Int
    /// Bytes of records and long values from which on the store is full.
    let byteLimit: Int
    let equivocations: UInt64
    /// Records that are known to lack copies.
    let underReplicated: Int
    let counters: Counters
    let figures: CallFigures
    let unroutable: UInt64
    /// Datagrams that the system would not send.
    let refusals: SendRefusals
    /// Smoothed, in microseconds.
    let roundTrips: [Identity: UInt64]
    /// When peers last answered, of those that did within a day.
    let answered: [Identity: Date]
    /// The last word of each contact on its clock, and on how it sees us.
    let views: [Identity: PeerView]
    /// The last datagram dropped for each reason, and how many were.
    let rejected: [NodeStatus.Rejection]
    /// Members that did what no honest one does.
    let suspects: [Suspect]
    /// Why the store keeps nothing, if so.
    let storeProblem: String?
    /// Faults of the node.
    let complaints: [NodeStatus.Complaint]
    /// Senders that ask in vain, the last first.
    let knocking: [Knocker]
    /// Own values that are kept alive, those of them that could not be renewed, and those kept no more.
    let kept: NodeStatus.Kept
    /// Milliseconds.
    let uptime: UInt64
    let roster: RosterStatus
    /// The serial that each contact says it holds, and since when.
    let words: [Identity: (mark: RosterMark, since: Date)]
}

extension NodeLoop {
    /// Content that is on its way for users.
    var transfers: [TransferState] { engine.transferStates }

    /// Our own values that are kept alive, and those that are no more though nobody said so.
    var renewalStates: [RenewalState] { engine.renewalStates }

    /// Places of records, the nearest first.
    func keptPlaces(limit: Int) -> [NodeID] {
        engine.core.catalog.places(nearestTo: engine.core.id, count: limit)
    }

    /// The state of the node at this moment.
    var knowledge: NodeSnapshot {
        let core = engine.core
        var roundTrips: [Identity: UInt64] = [:]
        var views: [Identity: PeerView] = [:]
        for entry in core.table.contacts {
            let identity = entry.contact.identity
            views[identity] = engine.view(of: identity)
            roundTrips[identity] = engine.roundTrip(to: identity).map { $0.nanoseconds / 1000 }
        }
        let now = SystemClock.now
        let counts = engine.renewalCounts
        let kept = NodeStatus.Kept(count: counts.kept, failing: counts.failing, stopped: counts.stopped)
        return NodeSnapshot(
            id: core.id,
            table: core.table,
            seeds: keeper.seeds.peers,
            records: core.catalog.count,
            recordBytes: core.catalog.byteCount,
            byteLimit: core.catalog.quota.bytes,
            equivocations: core.catalog.equivocations,
            underReplicated: core.underReplicated,
            counters: engine.counters,
            figures: engine.figures,
            unroutable: sockets.unroutable,
            refusals: sockets.refusals,
            roundTrips: roundTrips,
            answered: Dictionary(
                keeper.heard.map { ($0.identity, Date(unixMilliseconds: $0.answered)) },
                uniquingKeysWith: { max($0, $1) }
            ),
            views: views,
            rejected: engine.counters.rejected.map { rejected in
                .init(
                    reason: .init(rawValue: rejected.reason.name),
                    count: rejected.count,
                    lastSource: rejected.source,
                    last: rejected.last.map { Date(unixMilliseconds: now.unixMilliseconds(of: $0)) }
                )
            },
            suspects: core.conduct.report.map { entry in
                Suspect(
                    identity: entry.identity,
                    name: memberName(entry.identity),
                    offence: .init(rawValue: entry.offence.rawValue),
                    count: entry.count,
                    last: Date(unixMilliseconds: now.unixMilliseconds(of: entry.last))
                )
            },
            storeProblem: storage.problem,
            complaints: complaints(company),
            knocking: knocking,
            kept: kept,
            uptime: now.instant.since(started).milliseconds,
            roster: rosterStatus,
            words: rosterWords(core.table.contacts.map(\.contact.identity))
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
            logger.warning(
                "a member does what no honest one does: see the suspects of the status",
                metadata: metadata
            )
        }
    }

    /// Tells the operator of kept values that cannot be renewed, or are kept no more.
    func warn(of news: RenewalNews) {
        if news.failing > 0 {
            logger.warning(
                "kept values cannot be renewed; they are tried again",
                metadata: ["keys": "\(news.failing)"]
            )
        }
        if news.superseded > 0 {
            logger.warning(
                "values are kept no more, as others wrote newer ones under their keys",
                metadata: ["keys": "\(news.superseded)"]
            )
        }
        if news.ended > 0 {
            logger.error(
                "kept values ended before they could be renewed; put them again",
                metadata: ["keys": "\(news.ended)"]
            )
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

    /// The name the allowlist gives an identity; `nil` if it gives none, and in open mode.
    func memberName(_ identity: Identity) -> String? {
        guard case .members(let list) = engine.gate.admission else { return nil }
        return list.member(identity)?.name
    }
}
