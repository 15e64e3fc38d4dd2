/// A node's state for people to look at, once a second: the event `state` of `/v1/dashboard`. Every field is
/// always there: `null` says that a thing is not known.
///
/// Lists are cut at the limits told here. Counters grow since the node started; rates are the differences of
/// successive states.
package struct DashboardReply: Codable, Hashable, Sendable {
    /// The most of ``peers``.
    package static let peerLimit = 500
    /// The most of ``copies``.
    package static let copyLimit = 512
    /// Hexadecimal digits of one of ``copies``.
    package static let copyDigits = 8
    /// The most of ``events``.
    package static let eventLimit = 50

    /// Whether all is well.
    package struct Health: Codable, Hashable, Sendable {
        package var ok: Bool
        package var reasons: [Reason]

        package init(reasons: [Reason]) { (ok, self.reasons) = (reasons.isEmpty, reasons) }
    }

    /// One trouble.
    package struct Reason: Codable, Hashable, Sendable {
        /// The kind of fault, for programs: `isolated`.
        package var code: String
        /// One sentence.
        package var text: String
        /// The command line that tells more or mends it; `nil` if none does.
        @OrNull package var next: String?

        package init(code: String, text: String, next: String?) {
            (self.code, self.text, self.next) = (code, text, next)
        }
    }

    /// Somebody in the routing table, or on the list.
    package struct Peer: Codable, Hashable, Sendable {
        package var id: String
        /// 40 hexadecimal digits.
        package var nodeID: String
        @OrNull package var name: String?
        /// `host:port`, if an address is known.
        @OrNull package var address: String?
        /// `good`, `questionable`, `bad` or `unknown`.
        package var state: String
        @OrNull package var roundTripMilliseconds: Double?
        /// The cause of a state other than good, in words.
        @OrNull package var why: String?

        package init(
            id: String,
            nodeID: String,
            name: String?,
            address: String?,
            state: String,
            roundTripMilliseconds: Double?,
            why: String?
        ) {
            (self.id, self.nodeID, self.name, self.address) = (id, nodeID, name, address)
            (self.state, self.roundTripMilliseconds, self.why) = (state, roundTripMilliseconds, why)
        }

        package enum CodingKeys: String, CodingKey {
            case id, name, address, state, why
            case nodeID = "node_id"
            case roundTripMilliseconds = "rtt_ms"
        }
    }

    /// Records that are kept here.
    package struct Records: Codable, Hashable, Sendable {
        package var count: Int
        package var bytes: Int
        /// From here on the store is full.
        package var limitBytes: Int
        /// Records that fewer members keep than ought to; `nil` if that is not known.
        @OrNull package var underReplicated: Int?

        package init(count: Int, bytes: Int, limitBytes: Int, underReplicated: Int?) {
            (self.count, self.bytes) = (count, bytes)
            (self.limitBytes, self.underReplicated) = (limitBytes, underReplicated)
        }

        package enum CodingKeys: String, CodingKey {
            case count, bytes
            case limitBytes = "limit_bytes"
            case underReplicated = "under_replicated"
        }
    }

    /// The traffic of one operation of the protocol.
    package struct Traffic: Codable, Hashable, Sendable {
        /// As the protocol names it: `FIND_NODE`.
        package var operation: String
        /// Requests of ours.
        package var outbound: UInt64
        /// Requests of others that were accepted.
        package var inbound: UInt64
        /// Requests of ours that were answered.
        package var answered: UInt64
        /// Requests of ours that were given up.
        package var timedOut: UInt64
        /// Answers to us by how long they took: the first those of at most the first bound, the next those of
        /// more than that and at most the second, and so on, one more than there are bounds.
        package var histogram: [UInt64]

        package init(
            operation: String,
            outbound: UInt64,
            inbound: UInt64,
            answered: UInt64,
            timedOut: UInt64,
            histogram: [UInt64]
        ) {
            (self.operation, self.outbound, self.inbound) = (operation, outbound, inbound)
            (self.answered, self.timedOut, self.histogram) = (answered, timedOut, histogram)
        }

        package enum CodingKeys: String, CodingKey {
            case operation, outbound, inbound, answered, histogram
            case timedOut = "timed_out"
        }
    }

    /// Datagrams dropped for one reason.
    package struct Rejected: Codable, Hashable, Sendable {
        package var reason: String
        package var count: UInt64
        /// `host:port` of the last, if that is known.
        @OrNull package var lastSource: String?
        /// Unix seconds of the last, rounded down.
        @OrNull package var last: UInt64?

        package init(reason: String, count: UInt64, lastSource: String?, last: UInt64?) {
            (self.reason, self.count, self.lastSource, self.last) = (reason, count, lastSource, last)
        }

        package enum CodingKeys: String, CodingKey {
            case reason, count, last
            case lastSource = "last_source"
        }
    }

    /// A line of the node's log.
    package struct Event: Codable, Hashable, Sendable {
        /// Unix milliseconds.
        package var time: UInt64
        /// `info`, `warning` or `error`.
        package var level: String
        package var text: String

        package init(time: UInt64, level: String, text: String) {
            (self.time, self.level, self.text) = (time, level, text)
        }
    }

    package private(set) var schema = 1
    /// Unix milliseconds.
    package var time: UInt64
    package var identity: IdentityReply
    /// 8 hexadecimal digits, the same at all nodes with the same network key.
    package var network: String?
    package var version: String?
    package var uptimeMilliseconds: UInt64
    /// `host:port` the node is reached at, if it has one by now.
    package var address: String?
    package var health: Health
    /// The first ``peerLimit`` of ``peersTotal``.
    package var peers: [Peer]
    package var peersTotal: Int
    package var buckets: [StatusReply.Bucket]
    /// The first 8 hexadecimal digits of the places in the key space of what is kept here.
    package var copies: [String]
    package var records: Records
    package var traffic: [Traffic]
    /// Upper bounds of ``Traffic/histogram``, rising.
    package var histogramBoundsMilliseconds: [Double]
    package var rejected: [Rejected]
    package var knocking: [StatusReply.Knocker]
    /// The last first.
    package var events: [Event]

    package init(
        time: UInt64,
        identity: IdentityReply,
        network: String?,
        version: String?,
        uptimeMilliseconds: UInt64,
        address: String?,
        health: Health,
        peers: [Peer],
        peersTotal: Int,
        buckets: [StatusReply.Bucket],
        copies: [String],
        records: Records,
        traffic: [Traffic],
        histogramBoundsMilliseconds: [Double],
        rejected: [Rejected],
        knocking: [StatusReply.Knocker],
        events: [Event]
    ) {
        (self.time, self.identity, self.network) = (time, identity, network)
        (self.version, self.uptimeMilliseconds, self.address) = (version, uptimeMilliseconds, address)
        (self.health, self.peersTotal, self.buckets) = (health, peersTotal, buckets)
        (self.records, self.traffic, self.rejected) = (records, traffic, rejected)
        (self.histogramBoundsMilliseconds, self.knocking) = (histogramBoundsMilliseconds, knocking)
        self.peers = Array(peers.prefix(Self.peerLimit))
        self.copies = Array(copies.prefix(Self.copyLimit))
        self.events = Array(events.prefix(Self.eventLimit))
    }

    package enum CodingKeys: String, CodingKey {
        case schema, time, network, version, address, health, peers, buckets, copies, records, rejected
        case knocking, events
        case uptimeMilliseconds = "uptime_ms"
        case peersTotal = "peers_total"
        case traffic = "rpcs"
        case histogramBoundsMilliseconds = "histogram_bounds_ms"
    }
}

extension DashboardReply {
    /// `id`, `node_id` and `name` stand beside the other fields.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            time: try container.decode(UInt64.self, forKey: .time),
            identity: try IdentityReply(from: decoder),
            network: try container.decodeIfPresent(String.self, forKey: .network),
            version: try container.decodeIfPresent(String.self, forKey: .version),
            uptimeMilliseconds: try container.decode(UInt64.self, forKey: .uptimeMilliseconds),
            address: try container.decodeIfPresent(String.self, forKey: .address),
            health: try container.decode(Health.self, forKey: .health),
            peers: try container.decode([Peer].self, forKey: .peers),
            peersTotal: try container.decode(Int.self, forKey: .peersTotal),
            buckets: try container.decode([StatusReply.Bucket].self, forKey: .buckets),
            copies: try container.decode([String].self, forKey: .copies),
            records: try container.decode(Records.self, forKey: .records),
            traffic: try container.decode([Traffic].self, forKey: .traffic),
            histogramBoundsMilliseconds: try container.decode(
                [Double].self,
                forKey: .histogramBoundsMilliseconds
            ),
            rejected: try container.decode([Rejected].self, forKey: .rejected),
            knocking: try container.decode([StatusReply.Knocker].self, forKey: .knocking),
            events: try container.decode([Event].self, forKey: .events)
        )
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try identity.encode(to: encoder)
        try container.encode(schema, forKey: .schema)
        try container.encode(time, forKey: .time)
        try container.encode(network, forKey: .network)
        try container.encode(version, forKey: .version)
        try container.encode(uptimeMilliseconds, forKey: .uptimeMilliseconds)
        try container.encode(address, forKey: .address)
        try container.encode(health, forKey: .health)
        try container.encode(peers, forKey: .peers)
        try container.encode(peersTotal, forKey: .peersTotal)
        try container.encode(buckets, forKey: .buckets)
        try container.encode(copies, forKey: .copies)
        try container.encode(records, forKey: .records)
        try container.encode(traffic, forKey: .traffic)
        try container.encode(histogramBoundsMilliseconds, forKey: .histogramBoundsMilliseconds)
        try container.encode(rejected, forKey: .rejected)
        try container.encode(knocking, forKey: .knocking)
        try container.encode(events, forKey: .events)
    }
}
