import FoundationEssentials
import SecureDHT

extension StatusReply {
    /// As a node of this process tells it.
    init(_ status: NodeStatus, _ findings: [Finding]) {
        self.init(
            id: status.identity.text,
            nodeID: "\(status.nodeID)",
            name: status.name,
            addresses: status.addresses.map { "\($0)" },
            uptimeMilliseconds: status.uptime.wholeMilliseconds,
            members: status.members,
            peers: .init(known: status.peersKnown, up: status.peersUp),
            records: .init(count: status.records, bytes: status.recordBytes),
            buckets: status.buckets.map { .init(index: $0.index, count: $0.count) },
            rejected: Dictionary(
                status.rejected.map { ($0.reason.rawValue, $0.count) },
                uniquingKeysWith: { $0 + $1 }
            ),
            counters: Dictionary(
                status.counters.map { ($0.name, $0.count) },
                uniquingKeysWith: { $0 + $1 }
            ),
            suspects: status.suspects.map {
                .init(
                    id: $0.identity.text,
                    name: $0.name,
                    offence: $0.offence.rawValue,
                    count: $0.count,
                    last: $0.last.unixSeconds
                )
            },
            version: BuildVersion.text,
            network: status.network,
            storeProblem: status.storeProblem,
            health: .init(
                reasons: status.complaints.map(\.description),
                findings: findings
            ),
            knocking: status.knocking.map(Knocker.init),
            kept: .init(
                count: status.kept.count,
                failing: status.kept.failing,
                stopped: status.kept.stopped
            ),
            store: .init(
                live: status.store.live,
                disk: status.store.onDisk,
                free: status.store.free,
                limit: status.store.limit
            )
        )
    }
}

extension StatusReply.Knocker {
    fileprivate init(_ knocker: SecureDHT.Knocker) {
        self.init(
            id: knocker.identity.text,
            address: "\(knocker.address)",
            count: knocker.count,
            last: knocker.last.unixSeconds
        )
    }
}
