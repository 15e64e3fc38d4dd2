import DHTCore
import SecureDHT

/// Operations that people and scripts may ask of a running node.
///
/// ``LocalNode`` answers in the node's own process, ``ControlClient`` through its socket; the control routes
/// lead from one to the other, and the shell works on either.
package protocol NodeControl: RosterControl {
    func identity() async throws(Failure) -> IdentityReply
    func status() async throws(Failure) -> StatusReply
    func peers() async throws(Failure) -> PeersReply
    /// Newest first, and never none: a key without a value is a `notFound` failure.
    func get(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> GetReply
    /// The same, of which the values are read as they are taken.
    func open(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> OpenedReply
    func put(_ key: [UInt8], _ value: [UInt8], _ query: PutQuery) async throws(Failure) -> PutReply
    /// The same, of a value that is read as it is stored.
    func put(_ key: [UInt8], from: any ContentBytes, _ query: PutQuery) async throws(Failure) -> PutReply
    /// A put's place among the writes of the key, before its value is there: ``PutQuery/turn``. `nil`: it has
    /// its place when it is asked for.
    func takeTurn(of key: [UInt8]) async -> WriteTurn?
    /// No put comes of it; of what was put nothing happens.
    func giveUp(_ turn: WriteTurn)
    /// Writes a tombstone; `notFound` if this node's identity has no value under the key.
    func delete(_ key: [UInt8]) async throws(Failure) -> DeleteReply
    /// Long values that users wait for right now.
    func transfers() async throws(Failure) -> TransfersReply
    /// Our own values that the node keeps alive.
    func kept() async throws(Failure) -> KeptReply
    /// `peer`: an identity or a name of the allowlist.
    func ping(_ peer: String) async throws(Failure) -> PingReply
    /// The routing table, bucket by bucket.
    func routes() async throws(Failure) -> RoutesReply
    /// Looks for a key, and tells how it went.
    func trace(_ key: [UInt8]) async throws(Failure) -> TraceReply
    /// Asks all members for a sign of life, looks at the machine, and tells what is wrong.
    func doctor() async throws(Failure) -> DoctorReply
    /// How this node and a peer see one another. `peer`: an identity or a name of the allowlist.
    func why(_ peer: String) async throws(Failure) -> WhyReply
    /// The last datagrams that were turned away, from this number on.
    func rejections(from number: UInt64) async throws(Failure) -> RejectionsReply
    /// The last lines of the node's log, from this number on.
    func log(from number: UInt64) async throws(Failure) -> LogReply
    /// Reads the allowlists again: all of them are valid, or nothing changes. Nor does it if they are empty,
    /// unless `force`.
    func reload(force: Bool) async throws(Failure) -> ReloadReply
    /// Copies the database as it is now. One copy at a time.
    func backUp() async throws(Failure) -> OpenedBackup
    /// Returns as soon as the node has been told.
    func stop() async throws(Failure) -> StopReply
}

extension NodeControl {
    package func put(
        _ key: [UInt8],
        from value: any ContentBytes,
        _ query: PutQuery
    ) async throws(Failure) -> PutReply {
        guard let bytes = value.bytes(in: 0..<value.count) else {
            throw Failure(.internal, "the value cannot be read any more; nothing was written")
        }
        return try await put(key, bytes, query)
    }

    package func open(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> OpenedReply {
        OpenedReply(try await get(key, query))
    }
}

extension NodeControl {
    package func takeTurn(of key: [UInt8]) async -> WriteTurn? { nil }
    package func giveUp(_ turn: WriteTurn) {}
    package func backUp() async throws(Failure) -> OpenedBackup {
        throw Failure(.invalidArgument, "there is no database here")
    }
}

/// How a value is to be read.
package struct GetQuery: Hashable, Sendable {
    /// Only this author's value: an identity or a name of the allowlist.
    package var author: String?
    /// R: replicas whose answers are compared, 1…8; the node's default if `nil`.
    package var replicas: Int?
    /// d: disjoint paths of the lookup, 1…8; the node's setting if `nil`.
    package var paths: Int?
    /// Every author's value, not the newest alone.
    package var all: Bool

    package init(author: String? = nil, replicas: Int? = nil, paths: Int? = nil, all: Bool = false) {
        (self.author, self.replicas, self.paths, self.all) = (author, replicas, paths, all)
    }
}

/// How a value is to be written.
package struct PutQuery: Hashable, Sendable {
    package enum Condition: Hashable, Sendable {
        case absent
        case revision(UInt64)
    }

    /// Seconds, 1…31,536,000; the node's default if `nil`.
    package var lifetime: UInt32?
    package var condition: Condition?
    /// Copies without which the write counts as failed, 1…8; the node's default if `nil`.
    package var minimumCopies: Int?

    package var isKept = false
    package var turn: WriteTurn?

    package init(
        lifetime: UInt32? = nil,
        condition: Condition? = nil,
        minimumCopies: Int? = nil,
        isKept: Bool = false
    ) {
        (self.lifetime, self.condition) = (lifetime, condition)
        (self.minimumCopies, self.isKept) = (minimumCopies, isKept)
    }
}

/// The limits of the protocol, checked before anything is sent, so that the words are the same everywhere.
package enum ValueLimits {
    package static let lifetimes = RecordLayout.lifetimes
    package static let valueLength = DHTNode.maximumValueLength
    package static let copies = 1...Kademlia.replicas
    package static let paths = DisjointLookup.pathCounts
    package static let threads = 1...256

    package static func check(key: [UInt8]) throws(Failure) {
        let limit = RecordLayout.keyLengths.upperBound
        guard RecordLayout.keyLengths.contains(key.count) else {
            throw Failure(
                .invalidArgument,
                key.isEmpty
                    ? "the key is empty, a key has 1 to \(limit) bytes"
                    : "key is \(byteCountText(key.count)), the limit is \(limit) bytes"
            )
        }
    }

    package static func check(valueLength count: Int) throws(Failure) {
        guard count <= valueLength else {
            throw Failure(
                .invalidArgument,
                "value is \(count) bytes, the limit is \(valueLength) bytes"
            )
        }
    }

    /// Of a value that is to be kept alive.
    package static func check(keptLifetime lifetime: UInt32) throws(Failure) {
        let least = KeptValue.leastLifetime
        guard .seconds(lifetime) >= least else {
            throw Failure(
                .invalidArgument,
                "--keep needs a lifetime of \(least.components.seconds) s at least, to renew the value in "
                    + "time: not --ttl \(lifetime)s. Nothing was written"
            )
        }
    }

    package static func check(copies count: Int, for option: String) throws(Failure) {
        try check(count, within: copies, for: option)
    }

    package static func check(paths count: Int, for option: String) throws(Failure) {
        try check(count, within: paths, for: option)
    }

    private static func check(_ count: Int, within range: ClosedRange<Int>, for option: String)
        throws(Failure)
    {
        guard range.contains(count) else {
            throw Failure(
                .invalidArgument,
                "\(option): \(count) is outside \(range.lowerBound) to \(range.upperBound)"
            )
        }
    }
}
