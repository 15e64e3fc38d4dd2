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
            ),
            roster: Roster(status.roster)
        )
    }
}

extension StatusReply {
    /// The roster that counts.
    package struct Roster: Codable, Hashable, Sendable {
        package var serial: UInt64
        /// When it was signed, in Unix seconds.
        package var signed: UInt64?
        /// The serial of a newer one that others hold.
        package var missing: UInt64?

        /// `nil`: there is none, here or elsewhere.
        init?(_ status: RosterStatus) {
            guard status.serial > 0 || status.missing != nil else { return nil }
            (serial, signed) = (status.serial, status.signed?.unixSeconds)
            missing = status.missing?.serial
        }
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
