import FoundationEssentials
import SecureDHT

extension LocalNode {
    /// The state of the node for people to look at.
    package func dashboard() async -> DashboardReply {
        let (status, peers) = (await node.status(), await node.peers())
        let findings = Diagnosis(status: status, peers: peers, isListed: isListed).findings
        var health = DashboardReply.Health(
            reasons: findings.map { .init(code: $0.code.rawValue, text: $0.text, next: $0.next) }
        )
        health.ok = status.complaints.isEmpty
        return DashboardReply(
            time: Date().unixMilliseconds,
            identity: IdentityReply(id: status.identity.text, nodeID: "\(status.nodeID)", name: status.name),
            network: status.network,
            version: DHTNode.version,
            uptimeMilliseconds: status.uptime.wholeMilliseconds,
            address: status.addresses.first.map { "\($0)" },
            health: health,
            peers: peers.map {
                .init(
                    id: $0.identity.text,
                    nodeID: "\($0.identity.nodeID)",
                    name: $0.name,
                    address: $0.address.map { "\($0)" },
                    state: $0.state.rawValue,
                    roundTripMilliseconds: $0.roundTrip.map { Double($0.wholeMicroseconds) / 1000 },
                    why: $0.reason
                )
            },
            peersTotal: peers.count,
            buckets: status.buckets.map { .init(index: $0.index, count: $0.count) },
            copies: await node.keptPlaces(limit: DashboardReply.copyLimit).map {
                String("\($0)".prefix(DashboardReply.copyDigits))
            },
            records: .init(
                count: status.records,
                bytes: status.recordBytes,
                limitBytes: status.store.limit,
                underReplicated: status.counters.first { $0.name == "under_replicated" }.map { Int($0.count) }
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
            knocking: status.knocking.map {
                .init(
                    id: $0.identity.text,
                    address: "\($0.address)",
                    count: $0.count,
                    last: $0.last.unixSeconds
                )
            },
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
