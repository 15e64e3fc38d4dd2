/// A value that its author's node keeps alive, signing it anew at half its lifetime: what a process leaves to
/// the next one.
package struct RenewedValue: Hashable, Sendable {
    /// Seconds: half of it holds a renewal that nobody answers, and another one.
    package static let leastLifetime: UInt32 = 30

    package let key: [UInt8]
    /// Seconds, of each revision.
    package let lifetime: UInt32
    /// The last revision signed.
    package let revision: Revision

    package init(key: [UInt8], lifetime: UInt32, revision: Revision) {
        (self.key, self.lifetime, self.revision) = (key, lifetime, revision)
    }

    /// Unix milliseconds.
    package var expiry: UInt64 { revision.unixMilliseconds +| UInt64(lifetime) *| 1000 }
    /// When the value is to be signed anew, in Unix milliseconds.
    package var due: UInt64 { revision.unixMilliseconds +| UInt64(lifetime) *| 500 }
}
