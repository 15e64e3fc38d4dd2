import FoundationEssentials

/// Bytes as a pair of JSON fields of which one is there: `name` if they are UTF-8, else `name_base64`.
package struct Octets: Hashable, Sendable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    func encode<Key>(
        to container: inout KeyedEncodingContainer<Key>,
        _ text: Key,
        _ base64: Key
    ) throws {
        if let string = String(validating: bytes, as: UTF8.self) {
            try container.encode(string, forKey: text)
        } else {
            try container.encode(Data(bytes).base64EncodedString(), forKey: base64)
        }
    }

    init<Key>(from container: KeyedDecodingContainer<Key>, _ text: Key, _ base64: Key) throws {
        if let string = try container.decodeIfPresent(String.self, forKey: text) {
            bytes = Array(string.utf8)
            return
        }
        guard let decoded = Data(base64Encoded: try container.decode(String.self, forKey: base64)) else {
            throw DecodingError.dataCorruptedError(
                forKey: base64,
                in: container,
                debugDescription: "no base64"
            )
        }
        bytes = Array(decoded)
    }
}

/// One author's value under a key.
package struct ValueReply: Codable, Hashable, Sendable {
    package struct Author: Codable, Hashable, Sendable {
        package var id: String
        /// As the allowlist has it.
        package var name: String?

        package init(id: String, name: String?) { (self.id, self.name) = (id, name) }
    }

    package struct Copies: Codable, Hashable, Sendable {
        /// Nodes that returned this very record.
        package var found: Int

        package init(found: Int) { self.found = found }
    }

    package var value: Octets
    package var author: Author
    package var revision: UInt64
    /// Unix seconds, rounded down.
    package var expires: UInt64
    package var copies: Copies

    package init(value: Octets, author: Author, revision: UInt64, expires: UInt64, copies: Copies) {
        (self.value, self.author, self.revision) = (value, author, revision)
        (self.expires, self.copies) = (expires, copies)
    }

    enum CodingKeys: String, CodingKey {
        case value, author, revision, expires, copies
        case valueBase64 = "value_base64"
        /// A revision has up to 57 bits and tools that read numbers as doubles round it, so it is there as
        /// text too.
        case revisionText = "revision_text"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        value = try Octets(from: container, .value, .valueBase64)
        author = try container.decode(Author.self, forKey: .author)
        revision = try container.decode(UInt64.self, forKey: .revision)
        expires = try container.decode(UInt64.self, forKey: .expires)
        copies = try container.decode(Copies.self, forKey: .copies)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try value.encode(to: &container, .value, .valueBase64)
        try container.encode(author, forKey: .author)
        try container.encode(revision, forKey: .revision)
        try container.encode(String(revision), forKey: .revisionText)
        try container.encode(expires, forKey: .expires)
        try container.encode(copies, forKey: .copies)
    }
}

/// Values that a read found: the newest value's fields beside `key`, and every author's in `values`.
package struct GetReply: Codable, Hashable, Sendable {
    package var key: Octets
    /// Newest first.
    package var values: [ValueReply]
    /// Nodes that answered, and that were asked.
    package var answered: Int
    package var asked: Int
    /// Nobody else answered: it is what this node has itself, and may be old.
    package var isIsolated: Bool

    package init(key: Octets, values: [ValueReply], answered: Int, asked: Int, isIsolated: Bool = false) {
        (self.key, self.values, self.answered, self.asked) = (key, values, answered, asked)
        self.isIsolated = isIsolated
    }

    private enum CodingKeys: String, CodingKey {
        case schema, key, values, answered, asked
        case keyBase64 = "key_base64"
        case isIsolated = "isolated"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        key = try Octets(from: container, .key, .keyBase64)
        values = try container.decode([ValueReply].self, forKey: .values)
        answered = try container.decode(Int.self, forKey: .answered)
        asked = try container.decode(Int.self, forKey: .asked)
        isIsolated = try container.decodeIfPresent(Bool.self, forKey: .isIsolated) ?? false
    }

    package func encode(to encoder: any Encoder) throws {
        try values.first?.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(1, forKey: .schema)
        try key.encode(to: &container, .key, .keyBase64)
        try container.encode(values, forKey: .values)
        try container.encode(answered, forKey: .answered)
        try container.encode(asked, forKey: .asked)
        try container.encode(isIsolated, forKey: .isIsolated)
    }
}

/// The outcome of a write.
package struct PutReply: Codable, Hashable, Sendable {
    package struct Copies: Codable, Hashable, Sendable {
        /// Nodes that acknowledged.
        package var stored: Int
        /// Nodes that were asked.
        package var target: Int

        package init(stored: Int, target: Int) { (self.stored, self.target) = (stored, target) }
    }

    /// One replica's answer.
    package struct Replica: Codable, Hashable, Sendable {
        package var id: String
        package var outcome: String

        package init(id: String, outcome: String) { (self.id, self.outcome) = (id, outcome) }
    }

    package var key: Octets
    package var revision: UInt64
    /// Unix seconds, rounded down.
    package var expires: UInt64
    package var copies: Copies
    package var replicas: [Replica]
    /// The author whose newer value readers see in its place.
    package var hiddenBy: ValueReply.Author?
    /// Address families: members that have one of these alone may not see the value.
    package var unreached: [String]

    package init(
        key: Octets,
        revision: UInt64,
        expires: UInt64,
        copies: Copies,
        replicas: [Replica],
        hiddenBy: ValueReply.Author? = nil,
        unreached: [String] = []
    ) {
        (self.key, self.revision, self.expires) = (key, revision, expires)
        (self.copies, self.replicas, self.hiddenBy) = (copies, replicas, hiddenBy)
        self.unreached = unreached
    }

    private enum CodingKeys: String, CodingKey {
        case schema, key, revision, expires, copies, replicas, unreached
        case keyBase64 = "key_base64"
        case revisionText = "revision_text"
        case hiddenBy = "hidden_by"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        key = try Octets(from: container, .key, .keyBase64)
        revision = try container.decode(UInt64.self, forKey: .revision)
        expires = try container.decode(UInt64.self, forKey: .expires)
        copies = try container.decode(Copies.self, forKey: .copies)
        replicas = try container.decode([Replica].self, forKey: .replicas)
        hiddenBy = try container.decodeIfPresent(ValueReply.Author.self, forKey: .hiddenBy)
        unreached = try container.decodeIfPresent([String].self, forKey: .unreached) ?? []
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(1, forKey: .schema)
        try key.encode(to: &container, .key, .keyBase64)
        try container.encode(revision, forKey: .revision)
        try container.encode(String(revision), forKey: .revisionText)
        try container.encode(expires, forKey: .expires)
        try container.encode(copies, forKey: .copies)
        try container.encode(replicas, forKey: .replicas)
        try container.encodeIfPresent(hiddenBy, forKey: .hiddenBy)
        if !unreached.isEmpty { try container.encode(unreached, forKey: .unreached) }
    }
}

/// The outcome of a deletion: the write of its tombstone.
package typealias DeleteReply = PutReply

/// The one JSON form: keys sorted, slashes plain.
package enum ReplyCoding {
    package static func encode(_ reply: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(reply)) } catch {
            preconditionFailure("a reply is plain: \(error)")
        }
    }

    package static func decode<Reply: Decodable>(_ bytes: [UInt8], as _: Reply.Type = Reply.self)
        throws(Failure) -> Reply
    {
        do { return try JSONDecoder().decode(Reply.self, from: Data(bytes)) } catch {
            throw Failure(.internal, "the node's answer is not understood; is it of another version?")
        }
    }
}
