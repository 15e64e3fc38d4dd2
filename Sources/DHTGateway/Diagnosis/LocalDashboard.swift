import FoundationEssentials
import SecureDHT

extension LocalNode {
    /// The state of the node for people to look at.
    package func dashboard() async -> DashboardReply {
        let survey = await node.survey()
        let (status, peers, findings) = (survey.status, survey.peers, findings(survey))
        let reply = StatusReply(status, findings)
        var health = DashboardReply.Health(
            reasons: findings.map { .init(code: $0.code.rawValue, text: $0.text, next: $0.next) }
        )
        health.ok = reply.health.ok
        return DashboardReply(
            time: Date().unixMilliseconds,
            identity: IdentityReply(id: reply.id, nodeID: reply.nodeID, name: reply.name),
            network: reply.network,
            version: reply.version,
            uptimeMilliseconds: reply.uptimeMilliseconds,
            address: status.addresses.first.map { "\($0)" },
            health: health,
            peers: peers.map {
                .init(
                    id: $0.identity.text,
                    nodeID: "\($0.identity.nodeID)",
                    name: $0.name,
                    address: $0.address.map { "\($0)" },
                    state: $0.state.rawValue,
                    roundTripMilliseconds: $0.roundTrip?.inMilliseconds,
                    why: $0.reason
                )
            },
            peersTotal: peers.count,
            buckets: reply.buckets,
            copies: await node.keptPlaces(limit: DashboardReply.copyLimit).map {
                String("\($0)".prefix(DashboardReply.copyDigits))
            },
            records: .init(
                count: status.records,
                bytes: status.recordBytes,
                limitBytes: status.store.limit,
                underReplicated: reply.counters["under_replicated"].map { Int($0) }
            ),
            traffic: status.rpcs.map(DashboardReply.Traffic.init),
            histogramBoundsMilliseconds: (status.rpcs.first?.durations ?? []).compactMap(\.limit)
                .map { $0 / .milliseconds(1) },
            rejected: status.rejected.map {
                .init(
                    reason: $0.reason.rawValue,
                    count: $0.count,
                    lastSource: $0.lastSource.map { "\($0)" },
                    last: $0.last?.unixSeconds
                )
            },
            knocking: reply.knocking,
            events: recentLog.lines(from: 0).suffix(DashboardReply.eventLimit).reversed().map {
                .init(time: $0.time, level: $0.level, text: $0.text)
            }
        )
    }
}

extension DashboardReply.Traffic {
    fileprivate init(_ rpc: NodeStatus.RPC) {
        self.init(
            operation: rpc.operation.uppercased(),
            outbound: rpc.outbound,
            inbound: rpc.inbound,
            answered: rpc.answered,
            timedOut: rpc.timedOut,
            histogram: rpc.durations.map(\.count)
        )
    }
}
