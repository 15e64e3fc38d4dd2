/// The JSON objects of the control socket and of `--json`. Fields are added, never renamed: `docs/cli.md`.

/// A node's identity.
package struct IdentityReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    /// `dht1…`
    package var id: String
    /// 40 hexadecimal digits.
    package var nodeID: String
    @OrNull package var name: String?

    package init(id: String, nodeID: String, name: String?) {
        (self.id, self.nodeID, self.name) = (id, nodeID, name)
    }

    package enum CodingKeys: String, CodingKey {
        case schema, id, name
        case nodeID = "node_id"
    }
}

/// A node's state.
package struct StatusReply: Codable, Hashable, Sendable {
    package struct Peers: Codable, Hashable, Sendable {
        /// Contacts in the routing table.
        package var known: Int
        /// Those of them that answered last time.
        package var up: Int

        package init(known: Int, up: Int) { (self.known, self.up) = (known, up) }
    }

    package struct Records: Codable, Hashable, Sendable {
        package var count: Int
        package var bytes: Int

        package init(count: Int, bytes: Int) { (self.count, self.bytes) = (count, bytes) }
    }

    /// Bytes: of records and long values, of the database's files, of these what nothing is in, and from
    /// which on the store is full.
    package struct Store: Codable, Hashable, Sendable {
        package var live: Int
        /// `nil` where nothing is on a disk.
        package var disk: Int?
        package var free: Int?
        package var limit: Int

        package init(live: Int, disk: Int?, free: Int?, limit: Int) {
            (self.live, self.disk, self.free, self.limit) = (live, disk, free, limit)
        }

        package enum CodingKeys: String, CodingKey {
            case live = "live_bytes"
            case disk = "disk_bytes"
            case free = "free_bytes"
            case limit = "limit_bytes"
        }
    }

    /// Contacts whose ids share this many leading bits with the node's.
    package struct Bucket: Codable, Hashable, Sendable {
        package var index: Int
        package var count: Int

        package init(index: Int, count: Int) { (self.index, self.count) = (index, count) }
    }

    /// A member that did something no honest one does.
    package struct Suspect: Codable, Hashable, Sendable {
        package var id: String
        /// As the allowlist has it.
        package var name: String?
        package var offence: String
        package var count: UInt64
        /// Unix seconds, rounded down.
        package var last: UInt64

        package init(id: String, name: String?, offence: String, count: UInt64, last: UInt64) {
            (self.id, self.name, self.offence) = (id, name, offence)
            (self.count, self.last) = (count, last)
        }
    }

    /// Own values that are kept alive.
    package struct Kept: Codable, Hashable, Sendable {
        package var count: Int
        /// Those of them that could not be renewed when they were last due.
        package var failing: Int
        /// Those kept no more without anybody's wish, since the node started.
        package var stopped: Int

        package init(count: Int, failing: Int, stopped: Int) {
            (self.count, self.failing, self.stopped) = (count, failing, stopped)
        }
    }

    /// Whether all is well.
    package struct Health: Codable, Hashable, Sendable {
        package var ok: Bool
        /// One for each trouble: a word, a colon, a sentence.
        package var reasons: [String]
        /// Troubles that a node sees without asking anybody; also such as do not keep it from working. `nil`
        /// from a node that does not tell.
        package var findings: [Finding]?

        package init(reasons: [String], findings: [Finding] = []) {
            (ok, self.reasons, self.findings) = (reasons.isEmpty, reasons, findings)
        }
    }

    /// Somebody who asks in vain: the list does not name it.
    package struct Knocker: Codable, Hashable, Sendable {
        /// The identity it claims.
        package var id: String
        package var address: String
        package var count: UInt64
        /// Unix seconds, rounded down.
        package var last: UInt64

        package init(id: String, address: String, count: UInt64, last: UInt64) {
            (self.id, self.address, self.count, self.last) = (id, address, count, last)
        }
    }

    package private(set) var schema = 1
    package var id: String
    package var nodeID: String
    package var name: String?
    /// The first of `addresses`.
    package var address: String
    package var addresses: [String]
    package var uptimeMilliseconds: UInt64
    /// Of the allowlist, the node not counted; absent in open mode.
    package var members: Int?
    package var peers: Peers
    package var records: Records
    package var buckets: [Bucket]
    /// Datagrams dropped, by reason; every reason is there.
    package var rejected: [String: UInt64]
    package var counters: [String: UInt64]
    /// The most frequent first.
    package var suspects: [Suspect]
    /// Of the program; `nil` from one that does not tell it.
    package var version: String?
    /// 8 hexadecimal digits, the same at all nodes with the same network key.
    package var network: String?
    /// Why records are not kept on the disk, if so.
    package var storeProblem: String?
    package var health: Health
    /// The last first.
    package var knocking: [Knocker]
    /// `nil` from a node that does not tell.
    package var kept: Kept?
    package var store: Store?
    /// `nil` if there is none.
    package var roster: Roster?

    package init(
        id: String,
        nodeID: String,
        name: String?,
        addresses: [String],
        uptimeMilliseconds: UInt64,
        members: Int?,
        peers: Peers,
        records: Records,
        buckets: [Bucket],
        rejected: [String: UInt64],
        counters: [String: UInt64],
        suspects: [Suspect] = [],
        version: String? = nil,
        network: String? = nil,
        storeProblem: String? = nil,
        health: Health = Health(reasons: []),
        knocking: [Knocker] = [],
        kept: Kept? = nil,
        store: Store? = nil,
        roster: Roster? = nil
    ) {
        (self.id, self.nodeID, self.name) = (id, nodeID, name)
        (self.address, self.addresses) = (addresses.first ?? "", addresses)
        (self.uptimeMilliseconds, self.members) = (uptimeMilliseconds, members)
        (self.peers, self.records, self.buckets) = (peers, records, buckets)
        (self.rejected, self.counters, self.suspects) = (rejected, counters, suspects)
        (self.version, self.network, self.storeProblem) = (version, network, storeProblem)
        (self.health, self.knocking, self.kept, self.store) = (health, knocking, kept, store)
        self.roster = roster
    }

    package enum CodingKeys: String, CodingKey {
        case schema, id, name, address, addresses, members, peers, records, buckets, rejected, counters
        case suspects, version, network, health, knocking, kept, store, roster
        case storeProblem = "store_problem"
        case nodeID = "node_id"
        case uptimeMilliseconds = "uptime_ms"
    }
}

/// A node's knowledge of others.
package struct PeersReply: Codable, Hashable, Sendable {
    package struct Peer: Codable, Hashable, Sendable {
        package var id: String
        @OrNull package var name: String?
        /// `host:port`, if an address is known.
        @OrNull package var address: String?
        /// `good`, `questionable`, `bad` or `unknown`.
        package var state: String
        @OrNull package var roundTripMilliseconds: Double?
        /// Unix seconds; `nil` if it did not within a day.
        package var lastAnswered: UInt64?
        /// The reason for its state, unless that is good.
        package var why: String?

        package init(
            id: String,
            name: String?,
            address: String?,
            state: String,
            roundTripMilliseconds: Double?,
            lastAnswered: UInt64? = nil,
            why: String? = nil
        ) {
            (self.id, self.name, self.address) = (id, name, address)
            (self.state, self.roundTripMilliseconds) = (state, roundTripMilliseconds)
            (self.lastAnswered, self.why) = (lastAnswered, why)
        }

        package enum CodingKeys: String, CodingKey {
            case id, name, address, state, why
            case roundTripMilliseconds = "rtt_ms"
            case lastAnswered = "last_answered"
        }
    }

    package private(set) var schema = 1
    package var peers: [Peer]

    package init(peers: [Peer]) { self.peers = peers }
}

/// Whether and how fast a peer answered.
package struct PingReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    package var id: String
    package var name: String?
    package var roundTripMilliseconds: Double

    package init(id: String, name: String?, roundTripMilliseconds: Double) {
        (self.id, self.name, self.roundTripMilliseconds) = (id, name, roundTripMilliseconds)
    }

    package enum CodingKeys: String, CodingKey {
        case schema, id, name
        case roundTripMilliseconds = "rtt_ms"
    }
}

/// The allowlists were read again.
package struct ReloadReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    /// Of the new allowlist; absent in open mode, which has none.
    package var members: Int?
    /// Names of those who were not on the list before.
    package var added: [String] = []
    /// Names of those who were.
    package var removed: [String] = []
    /// Of the list, the same at all nodes whose lists admit the same; absent in open mode.
    package var digest: String?
    /// Whether the node itself is on it; absent in open mode.
    package var isListed: Bool?

    package init(members: Int?) { self.members = members }

    package enum CodingKeys: String, CodingKey {
        case schema, members, added, removed, digest
        case isListed = "listed"
    }
}

/// The node was told to stop.
package struct StopReply: Codable, Hashable, Sendable {
    package private(set) var schema = 1
    package var stopping = true

    package init() {}
}
