/// Our own values that the node keeps alive, and those that it does no more though nobody said so.
package struct KeptReply: Codable, Hashable, Sendable {
    package struct Value: Codable, Hashable, Sendable {
        package var key: Octets
        package var revision: UInt64
        /// Seconds, of each revision.
        package var lifetime: UInt32
        /// When it was last written, in Unix seconds, rounded down; absent from a node that does not tell.
        package var renewed: UInt64?
        /// `kept`, `failing`, `superseded` or `ended`; absent from a node that does not tell.
        package var state: String?
        /// Renewals in a row that failed.
        package var failures: Int?
        /// The author whose newer value stands under the key.
        package var supersededBy: ValueReply.Author?

        package init(
            key: Octets,
            revision: UInt64,
            lifetime: UInt32,
            renewed: UInt64? = nil,
            state: String? = nil,
            failures: Int? = nil,
            supersededBy: ValueReply.Author? = nil
        ) {
            (self.key, self.revision, self.lifetime) = (key, revision, lifetime)
            (self.renewed, self.state, self.failures) = (renewed, state, failures)
            self.supersededBy = supersededBy
        }

        private enum CodingKeys: String, CodingKey {
            case key, revision, lifetime, renewed, state, failures
            case keyBase64 = "key_base64"
            case revisionText = "revision_text"
            case supersededBy = "superseded_by"
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            key = try Octets(from: container, .key, .keyBase64)
            revision = try container.decode(UInt64.self, forKey: .revision)
            lifetime = try container.decode(UInt32.self, forKey: .lifetime)
            renewed = try container.decodeIfPresent(UInt64.self, forKey: .renewed)
            state = try container.decodeIfPresent(String.self, forKey: .state)
            failures = try container.decodeIfPresent(Int.self, forKey: .failures)
            supersededBy = try container.decodeIfPresent(ValueReply.Author.self, forKey: .supersededBy)
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try key.encode(to: &container, .key, .keyBase64)
            try container.encode(revision, forKey: .revision)
            try container.encode(String(revision), forKey: .revisionText)
            try container.encode(lifetime, forKey: .lifetime)
            try container.encodeIfPresent(renewed, forKey: .renewed)
            try container.encodeIfPresent(state, forKey: .state)
            try container.encodeIfPresent(failures, forKey: .failures)
            try container.encodeIfPresent(supersededBy, forKey: .supersededBy)
        }
    }

    package private(set) var schema = 1
    /// By key.
    package var values: [Value]

    package init(values: [Value]) { self.values = values }
}
