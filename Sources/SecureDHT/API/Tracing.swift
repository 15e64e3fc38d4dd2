import DHTCore
import DHTEngine

/// A lookup of a key as it went: who was asked, in the order of asking, and what each said.
public struct KeyTrace: Hashable, Sendable {
    /// The point of the key space that was looked for: SHA-1 of the key.
    public let location: NodeID
    /// Questions, in the order of asking: one a member, more where a member has many records.
    public let hops: [Hop]
    /// Live values that were found, one an author, the newest first.
    public let found: [Found]

    /// Made by a node; here so that programs can test what they do with one.
    public init(location: NodeID, hops: [Hop], found: [Found] = []) {
        (self.location, self.hops, self.found) = (location, hops, found)
    }

    /// A value that was found.
    public struct Found: Hashable, Sendable {
        /// The author's public key.
        public let author: Identity
        /// Newer ones are greater.
        public let revision: Revision
        /// Nodes among those that answered that have it, this one included.
        public let copies: Int
        /// It is a deletion.
        public let isTombstone: Bool

        /// Made by a node; here so that programs can test what they do with one.
        public init(author: Identity, revision: Revision, copies: Int, isTombstone: Bool) {
            (self.author, self.revision, self.copies) = (author, revision, copies)
            self.isTombstone = isTombstone
        }
    }

    /// One question and its answer.
    public struct Hop: Hashable, Sendable {
        /// The end of a question. There may be more one day.
        public struct Outcome: RawRepresentable, Hashable, Sendable, Codable {
            /// It has records there.
            public static let value = Outcome(rawValue: "value")
            /// It has none, and names contacts nearer to the key.
            public static let closer = Outcome(rawValue: "closer")
            /// No answer came in time, and none will.
            public static let timeout = Outcome(rawValue: "timeout")
            /// No answer had come when the lookup was over.
            public static let pending = Outcome(rawValue: "pending")
            /// It answered something else than was asked.
            public static let misfit = Outcome(rawValue: "misfit")

            /// The name of the outcome.
            public let rawValue: String

            /// The outcome of a name.
            public init(rawValue: String) { self.rawValue = rawValue }
        }

        /// The public key of the member that was asked.
        public let identity: Identity
        /// The name the allowlist gives it, if any.
        public let name: String?
        /// Where it was asked.
        public let address: Endpoint
        /// Since the lookup began.
        public let asked: Duration
        /// Since the lookup began, as ``asked``; `nil` if no answer came.
        public let answered: Duration?
        /// How it ended.
        public let outcome: Outcome
        /// Records it has there, and contacts it named.
        public let records: Int
        /// The contacts it named.
        public let named: [Identity]

        /// Made by a node; here so that programs can test what they do with one.
        public init(
            identity: Identity,
            name: String?,
            address: Endpoint,
            asked: Duration,
            answered: Duration?,
            outcome: Outcome,
            records: Int = 0,
            named: [Identity] = []
        ) {
            (self.identity, self.name, self.address) = (identity, name, address)
            (self.asked, self.answered, self.outcome) = (asked, answered, outcome)
            (self.records, self.named) = (records, named)
        }
    }
}

extension DHTNode {
    /// Looks for every author's value under a key, and tells how it went.
    ///
    /// - Parameters:
    ///   - key: 1…128 bytes.
    ///   - timeout: As ``GetOptions/timeout``; by itself a trace ends within seconds.
    /// - Throws: ``DHTError``: `invalidArgument`, `stopped`, `timedOut`. `CancellationError` if the task is
    ///   cancelled.
    public func trace(_ key: some Collection<UInt8> & Sendable, timeout: Duration? = nil) async throws
        -> KeyTrace
    {
        try check(key: Array(key))
        return try await trace(towards: sha1(Array(key)), timeout: timeout)
    }

    /// The same under text.
    public func trace(_ key: String, timeout: Duration? = nil) async throws -> KeyTrace {
        try await trace(Array(key.utf8), timeout: timeout)
    }

    /// Looks for a point of the key space, and tells how it went: of a member's id, who knows the member.
    package func trace(towards location: NodeID, timeout: Duration? = nil) async throws -> KeyTrace {
        let outcome = try await perform(.trace(location: location), until: deadline(after: timeout))
        guard case .got(let got) = outcome, let trace = got.trace else { throw unexpected }
        var hops: [KeyTrace.Hop] = []
        for step in trace.steps {
            hops.append(
                KeyTrace.Hop(step, since: trace.began, name: await loop.memberName(step.contact.identity))
            )
        }
        return KeyTrace(
            location: location,
            hops: hops,
            found: got.found.map {
                .init(
                    author: $0.record.author,
                    revision: $0.record.revision,
                    copies: $0.copies,
                    isTombstone: $0.record.isTombstone
                )
            }
        )
    }
}

extension KeyTrace.Hop {
    fileprivate init(_ step: LookupTrace.Step, since start: Instant, name: String?) {
        var (records, named): (Int, [Identity]) = (0, [])
        let outcome: Outcome
        switch step.outcome {
        case .pending: outcome = .pending
        case .silent: outcome = .timeout
        case .misfit: outcome = .misfit
        case .contacts(let contacts): (outcome, named) = (.closer, contacts.map(\.identity))
        case .records(let count): (outcome, records) = (.value, count)
        }
        let answered = outcome == .timeout ? nil : step.ended
        self.init(
            identity: step.contact.identity,
            name: name,
            address: step.contact.endpoint,
            asked: .nanoseconds(step.asked.since(start).nanoseconds),
            answered: answered.map { .nanoseconds($0.since(start).nanoseconds) },
            outcome: outcome,
            records: records,
            named: named
        )
    }
}
