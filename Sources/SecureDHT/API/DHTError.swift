/// The failure of a call of the library: one code a program can act on, one sentence a person can.
public struct DHTError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of failure. The command line maps them to its exit codes.
    public enum Code: String, Sendable, CaseIterable {
        /// A defect of this program or an unexpected answer of the system.
        case `internal`
        /// An argument is outside what the protocol allows: a key of 0 or 129 bytes, a value of 17 MiB.
        case invalidArgument
        /// A record stands in the way of a conditional write.
        case conflict
        /// A permission is missing: of a file, or of the author at the replicas.
        case denied
        /// No peer can be talked to: none answered, or a name does not resolve.
        case unreachable
        /// Fewer replicas than asked for acknowledged, or time ran out.
        case partial
        /// Stored bytes did not verify.
        case integrity
        /// The configuration cannot work: an address in use, an empty list of listeners.
        case configuration
    }

    public let code: Code
    /// One line: where, what, and what to do. Holds no secret.
    public let reason: String

    public init(_ code: Code, _ reason: String) { (self.code, self.reason) = (code, reason) }

    public var description: String { reason }
}
