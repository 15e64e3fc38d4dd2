/// The JSON objects of questions for reasons: routes, traces, and how two nodes see one another.

/// A node's routing table.
package struct RoutesReply: Codable, Hashable, Sendable {
    package struct Bucket: Codable, Hashable, Sendable {
        /// Bits that the ids of its contacts share with the node's: 0…159.
        package var index: Int
        package var contacts: [Contact]

        package init(index: Int, contacts: [Contact]) { (self.index, self.contacts) = (index, contacts) }
    }

    package struct Contact: Codable, Hashable, Sendable {
        package var id: String
        package var nodeID: String
        package var name: String?
        package var address: String?
        package var state: String
        package var roundTripMilliseconds: Double?

        package init(
            id: String,
            nodeID: String,
            name: String?,
            address: String?,
            state: String,
            roundTripMilliseconds: Double?
        ) {
            (self.id, self.nodeID, self.name) = (id, nodeID, name)
            (self.address, self.state) = (address, state)
            self.roundTripMilliseconds = roundTripMilliseconds
        }

        package enum CodingKeys: String, CodingKey {
            case id, name, address, state
            case nodeID = "node_id"
            case roundTripMilliseconds = "rtt_ms"
        }
    }

    package private(set) var schema = 1
    package var nodeID: String
    /// The nearest to the node last.
    package var buckets: [Bucket]

    package init(nodeID: String, buckets: [Bucket]) { (self.nodeID, self.buckets) = (nodeID, buckets) }

    package enum CodingKeys: String, CodingKey {
        case schema, buckets
        case nodeID = "node_id"
    }
}

/// How a key was looked for.
package struct TraceReply: Codable, Hashable, Sendable {
    package struct Hop: Codable, Hashable, Sendable {
        package var id: String
        @OrNull package var name: String?
        package var address: String
        /// Milliseconds since the beginning.
        package var asked: Double
        /// Since the beginning too; `nil` if no answer came.
        @OrNull package var answered: Double?
        /// `value`, `closer`, `timeout`, `pending` or `misfit`.
        package var outcome: String
        /// Records that it has there.
        package var records: Int
        /// Contacts that it named, by name or identity.
        package var named: [String]

        package init(
            id: String,
            name: String?,
            address: String,
            asked: Double,
            answered: Double?,
            outcome: String,
            records: Int,
            named: [String]
        ) {
            (self.id, self.name, self.address) = (id, name, address)
            (self.asked, self.answered, self.outcome) = (asked, answered, outcome)
            (self.records, self.named) = (records, named)
        }

        package enum CodingKeys: String, CodingKey {
            case id, name, address, outcome, records, named
            case asked = "asked_ms"
            case answered = "answered_ms"
        }
    }

    package struct Found: Codable, Hashable, Sendable {
        package var author: String
        package var revision: UInt64
        package var copies: Int
        package var deleted: Bool

        package init(author: String, revision: UInt64, copies: Int, deleted: Bool) {
            (self.author, self.revision, self.copies, self.deleted) = (author, revision, copies, deleted)
        }
    }

    package private(set) var schema = 1
    package var key: Octets
    /// 40 hexadecimal digits: SHA-1 of the key.
    package var location: String
    package var hops: [Hop]
    package var found: [Found]

    package init(key: Octets, location: String, hops: [Hop], found: [Found]) {
        (self.key, self.location, self.hops, self.found) = (key, location, hops, found)
    }

    private enum CodingKeys: String, CodingKey {
        case schema, key, location, hops, found
        case keyBase64 = "key_base64"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        key = try Octets(from: container, .key, .keyBase64)
        location = try container.decode(String.self, forKey: .location)
        hops = try container.decode([Hop].self, forKey: .hops)
        found = try container.decode([Found].self, forKey: .found)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schema, forKey: .schema)
        try key.encode(to: &container, .key, .keyBase64)
        try container.encode(location, forKey: .location)
        try container.encode(hops, forKey: .hops)
        try container.encode(found, forKey: .found)
    }
}

/// How two nodes see one another.
package struct WhyReply: Codable, Hashable, Sendable {
    package struct View: Codable, Hashable, Sendable {
        /// `good`, `questionable`, `bad` or `unknown`.
        package var state: String
        /// Unix seconds; `nil` if never, as far as is known.
        package var lastAnswered: UInt64?
        package var roundTripMilliseconds: Double?

        package init(state: String, lastAnswered: UInt64?, roundTripMilliseconds: Double?) {
            (self.state, self.lastAnswered) = (state, lastAnswered)
            self.roundTripMilliseconds = roundTripMilliseconds
        }

        package enum CodingKeys: String, CodingKey {
            case state
            case lastAnswered = "last_answered"
            case roundTripMilliseconds = "rtt_ms"
        }
    }

    package private(set) var schema = 1
    package var id: String
    package var name: String?
    package var address: String?
    /// Where the list says that it is.
    package var listedAddress: String?
    /// Whether it answered just now.
    package var answers: Bool
    /// The peer, as this node sees it.
    package var here: View
    /// This node, as the peer sees it; absent if it says nothing.
    package var there: View?
    /// The peer's clock minus ours, in milliseconds.
    package var clockDifference: Int64?
    /// Members that know it.
    package var witnesses: [String]
    /// Troubles between the two.
    package var findings: [Finding]

    package init(id: String, name: String?, answers: Bool, here: View) {
        (self.id, self.name, self.answers, self.here) = (id, name, answers, here)
        (witnesses, findings) = ([], [])
    }

    package enum CodingKeys: String, CodingKey {
        case schema, id, name, address, answers, here, there, witnesses, findings
        case listedAddress = "listed_address"
        case clockDifference = "clock_difference_ms"
    }
}

/// Datagrams that were turned away, the last ones.
package struct RejectionsReply: Codable, Hashable, Sendable {
    package struct Rejection: Codable, Hashable, Sendable {
        /// One up each time, so that who asks again knows where to go on.
        package var number: UInt64
        /// Unix milliseconds.
        package var time: UInt64
        package var reason: String
        package var source: String

        package init(number: UInt64, time: UInt64, reason: String, source: String) {
            (self.number, self.time, self.reason, self.source) = (number, time, reason, source)
        }

        package enum CodingKeys: String, CodingKey {
            case number, reason, source
            case time = "time_ms"
        }
    }

    package private(set) var schema = 1
    package var rejections: [Rejection]

    package init(rejections: [Rejection]) { self.rejections = rejections }
}

/// The last lines of a node's log.
package struct LogReply: Codable, Hashable, Sendable {
    package struct Line: Codable, Hashable, Sendable {
        /// One up each line.
        package var number: UInt64
        /// Unix milliseconds.
        package var time: UInt64
        package var level: String
        package var text: String

        package init(number: UInt64, time: UInt64, level: String, text: String) {
            (self.number, self.time, self.level, self.text) = (number, time, level, text)
        }

        package enum CodingKeys: String, CodingKey {
            case number, level, text
            case time = "time_ms"
        }
    }

    package private(set) var schema = 1
    package var lines: [Line]

    package init(lines: [Line]) { self.lines = lines }
}
