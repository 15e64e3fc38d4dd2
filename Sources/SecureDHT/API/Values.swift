import DHTCore
import DHTEngine
import FoundationEssentials

/// A value as its author signed it.
public struct StoredValue: Hashable, Sendable {
    /// 1…128 bytes.
    public let key: [UInt8]
    /// 0…16,777,216 bytes.
    public let value: [UInt8]
    /// The node that signed it.
    public let author: Identity
    /// The revision that a conditional write names: ``PutOptions/Condition/revision(_:)``.
    public let revision: Revision
    /// When the value ends.
    public let expires: Date
    /// Nodes that returned this very record, this one included.
    public let copies: Int

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        key: [UInt8],
        value: [UInt8],
        author: Identity,
        revision: Revision,
        expires: Date,
        copies: Int = 1
    ) {
        (self.key, self.value, self.author) = (key, value, author)
        (self.revision, self.expires, self.copies) = (revision, expires, copies)
    }

    /// The value as text; `nil` if it is no UTF-8.
    public var text: String? { String(validating: value, as: UTF8.self) }

    /// The value decoded from JSON. Throws what the decoder throws.
    public func decoded<Value: Decodable>(
        as type: Value.Type = Value.self,
        by decoder: JSONDecoder = JSONDecoder()
    ) throws -> Value {
        try decoder.decode(type, from: Data(value))
    }
}

/// The values that a read found, and how many nodes it asked.
public struct GetResult: Hashable, Sendable {
    /// Live values, newest first; at most one an author. Empty: not found.
    public let values: [StoredValue]
    /// Nodes that answered, this one included if it is among the closest.
    public let answered: Int
    /// Nodes that were asked.
    public let asked: Int
    /// There are others, and none of them answered: this is what this node has itself.
    public let isIsolated: Bool
    /// How far a record is ahead of this node's clock, if it is too far for it to be shown: the clock may be
    /// behind. `nil`: none was met.
    public let ahead: Duration?

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        values: [StoredValue],
        answered: Int,
        asked: Int,
        isIsolated: Bool = false,
        ahead: Duration? = nil
    ) {
        (self.values, self.answered, self.asked) = (values, answered, asked)
        (self.isIsolated, self.ahead) = (isIsolated, ahead)
    }
}

/// The record that stood in the way of a write, as a replica told it.
public struct StandingRecord: Hashable, Sendable {
    /// The thing that stands there.
    public enum Content: Hashable, Sendable {
        /// A value of up to 640 bytes.
        case value([UInt8])
        /// A longer value, which has to be read.
        case longValue(byteCount: Int)
        /// The mark of a deletion.
        case deleted
    }

    /// The node that signed it.
    public let author: Identity
    /// The revision that the next conditional write names.
    public let revision: Revision
    /// When it ends.
    public let expires: Date
    /// The value, if it is short; else what it is.
    public let content: Content

    /// Made by a node; here so that programs can test what they do with one.
    public init(author: Identity, revision: Revision, expires: Date, content: Content) {
        (self.author, self.revision, self.expires) = (author, revision, expires)
        self.content = content
    }

    /// The bytes of a value of up to 640; else `nil`.
    public var value: [UInt8]? { if case .value(let bytes) = content { bytes } else { nil } }
    /// The value as text; `nil` if there is none here, or it is no UTF-8.
    public var text: String? { value.flatMap { String(validating: $0, as: UTF8.self) } }

    /// The value decoded from JSON; `nil` if there is none here. Throws what the decoder throws.
    public func decoded<Value: Decodable>(
        as type: Value.Type = Value.self,
        by decoder: JSONDecoder = JSONDecoder()
    ) throws -> Value? {
        try value.map { try decoder.decode(type, from: Data($0)) }
    }
}

/// The outcome of a write.
public struct PutReceipt: Hashable, Sendable {
    /// The answer of a replica to the write.
    public enum Verdict: String, Hashable, Sendable, CaseIterable, Codable {
        /// The replica has the value, on its disk if it has one.
        case stored
        /// Something newer stands there, or the condition does not hold there.
        case conflict
        /// The replica is full, or keeps no more of this author's records.
        case quota
        /// The lifetime was over when it arrived.
        case expired
        /// The clocks differ by more than five minutes.
        case clock
        /// The replica's allowlist does not let this author write.
        case denied
        /// The replica cannot write now.
        case unavailable
        /// There was no answer, so that it may have been stored.
        case timeout
    }

    /// The answer of one replica.
    public struct Replica: Hashable, Sendable {
        /// The public key of the replica.
        public let identity: Identity
        /// Its answer.
        public let verdict: Verdict

        /// Made by a node; here so that programs can test what they do with one.
        public init(identity: Identity, verdict: Verdict) {
            (self.identity, self.verdict) = (identity, verdict)
        }
    }

    /// The revision that was written: higher than all this node wrote under the key before.
    public let revision: Revision
    /// When the value ends.
    public let expires: Date
    /// Nodes that acknowledged, this one included if it is among the closest.
    public let stored: Int
    /// Nodes that ought to have a copy: 8, or as many as the overlay had within a day, this one included.
    public let target: Int
    /// The answers of those asked; their number may differ from ``target``.
    public let replicas: [Replica]
    /// Whose value under the same key has a higher revision, so that readers of the newest see that one and
    /// not this: now, or as soon as their clocks are where its author's is. `nil`: nobody's, as far as two of
    /// those who stored it, or all of them, can tell.
    public let hiddenBy: Identity?
    /// Members that have addresses of one of these families alone may read what stood there before. Too few
    /// of the nodes they ask took the value, because this node cannot reach them and no member that can
    /// passed it on, or because they did not answer. It goes on trying. Empty: all readers see the value.
    public let unreached: [Endpoint.Family]

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        revision: Revision,
        expires: Date,
        stored: Int,
        target: Int,
        replicas: [Replica] = [],
        hiddenBy: Identity? = nil,
        unreached: [Endpoint.Family] = []
    ) {
        (self.revision, self.expires, self.stored, self.target) = (revision, expires, stored, target)
        (self.replicas, self.hiddenBy, self.unreached) = (replicas, hiddenBy, unreached)
    }
}

/// A value of more than 640 bytes on its way.
public struct Transfer: Hashable, Sendable {
    /// The way that the bytes go.
    public enum Direction: String, Hashable, Sendable, Codable {
        /// To its replicas.
        case sending
        /// Here.
        case receiving
    }

    /// 1…128 bytes.
    public let key: [UInt8]
    /// To the replicas, or from them.
    public let direction: Direction
    /// Bytes that have arrived, at all replicas together.
    public let done: UInt64
    /// Bytes that are to arrive.
    public let total: UInt64

    /// Made by a node; here so that programs can test what they do with one.
    public init(key: [UInt8], direction: Direction, done: UInt64, total: UInt64) {
        (self.key, self.direction, self.done, self.total) = (key, direction, done, total)
    }
}

/// A value of ours that this node keeps alive: see ``PutOptions/isKept``.
public struct KeptValue: Hashable, Sendable {
    /// How a value stands.
    public enum State: Hashable, Sendable {
        /// Renewed in time.
        case kept
        /// Renewing it failed this often in a row; it is tried again.
        case failing(times: Int)
        /// Kept no more: this author wrote a newer value under the key.
        case superseded(by: Identity)
        /// Kept no more: its lifetime was over before it could be renewed.
        case ended
    }

    /// 30 s, when it is put. The shortest lifetime of 16,384 values is 1,024 s, and of fewer as much less.
    public static let leastLifetime = Duration.seconds(RenewedValue.leastLifetime)

    /// 1…128 bytes.
    public let key: [UInt8]
    /// Of each revision.
    public let lifetime: Duration
    /// The last one written.
    public let revision: Revision
    /// Whether it is renewed, and why not.
    public let state: State

    /// Made by a node; here so that programs can test what they do with one.
    public init(key: [UInt8], lifetime: Duration, revision: Revision, state: State) {
        (self.key, self.lifetime, self.revision, self.state) = (key, lifetime, revision, state)
    }

    /// When it was last written.
    public var renewed: Date { revision.date }
}
