import FoundationEssentials

/// The failure of a call: a code a program can act on, what it needs for that, and one sentence for a person.
///
/// A write with a condition that does not hold brings what stands there, so that no second read is needed:
///
///     do {
///         try await node.put(next, for: key, options: PutOptions(condition: .revision(seen)))
///     } catch let error as DHTError where error.code == .conflict {
///         guard let standing = error.standing else { … }
///     }
public struct DHTError: Error, Hashable, Sendable {
    /// The kinds of failure. There may be more one day, so a `switch` has a `default`.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        /// A defect of this library or an unexpected answer of the system.
        public static let `internal` = Code(rawValue: "internal")
        /// An argument is outside what the protocol allows: a key of 0 or 129 bytes, a value of 17 MiB.
        public static let invalidArgument = Code(rawValue: "invalidArgument")
        /// A record stands in the way of a write: ``DHTError/standing``.
        public static let conflict = Code(rawValue: "conflict")
        /// A permission is missing: of a file, or of the author at the replicas.
        public static let denied = Code(rawValue: "denied")
        /// No peer can be talked to: none answered, or a name does not resolve.
        public static let unreachable = Code(rawValue: "unreachable")
        /// Fewer replicas than asked for acknowledged, so some readers may not see the value:
        /// ``DHTError/receipt`` tells which did, if any. This node goes on trying.
        public static let partial = Code(rawValue: "partial")
        /// Stored bytes did not verify.
        public static let integrity = Code(rawValue: "integrity")
        /// The configuration cannot work: an address in use, a directory of another node.
        public static let configuration = Code(rawValue: "configuration")
        /// The `timeout` of the options was over. A write may have landed all the same.
        public static let timedOut = Code(rawValue: "timedOut")
        /// The node was stopped, before the call or during it.
        public static let stopped = Code(rawValue: "stopped")

        /// The name of the code, which stays the same from version to version.
        public let rawValue: String

        /// The code of a name; one that is not listed here is a code all the same.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The name of the code: `conflict`.
        public var description: String { rawValue }
    }

    /// The advice to a person at the command line. The library names no command.
    package enum Remedy: Hashable, Sendable {
        /// Look at the peers.
        case peers
        /// Look at the node's status.
        case status
        /// Read the value back.
        case reading
        /// Give another lifetime.
        case lifetime
        /// Keep fewer values.
        case keepingFewer
        /// Give another address to listen on.
        case listening
        /// Sign the roster elsewhere.
        case administrator
    }

    /// The kind of failure, for programs.
    public let code: Code
    /// One line: where, what, and what to do. Holds no secret.
    public let reason: String
    /// Of a `conflict` of values, what stands in the way; `nil` if it was not told, or nothing stands where a
    /// certain revision should.
    public let standing: StandingRecord?
    /// Of a `partial` write, who took it; `nil` if nothing was written.
    public let receipt: PutReceipt?
    package let remedy: Remedy?

    /// Made by a node; here so that programs can test what they do with one.
    public init(
        _ code: Code,
        _ reason: String,
        standing: StandingRecord? = nil,
        receipt: PutReceipt? = nil
    ) {
        self.init(code, reason, standing: standing, receipt: receipt, remedy: nil)
    }

    package init(
        _ code: Code,
        _ reason: String,
        standing: StandingRecord? = nil,
        receipt: PutReceipt? = nil,
        remedy: Remedy?
    ) {
        (self.code, self.reason) = (code, reason)
        (self.standing, self.receipt, self.remedy) = (standing, receipt, remedy)
    }
}

extension DHTError: CustomStringConvertible, LocalizedError {
    /// The ``reason``.
    public var description: String { reason }
    /// The ``reason``, which is so what `localizedDescription` says.
    public var errorDescription: String? { reason }
}
