import DHTCore

/// Moments of a test: seconds since its start.
package func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

/// Moments of a test: milliseconds since its start.
package func at(milliseconds: UInt64) -> Instant {
    Instant(nanoseconds: 0) + .milliseconds(milliseconds)
}

/// What must be there for a test to make sense.
package func certain<Value>(_ value: Value?) -> Value {
    guard let value else { preconditionFailure("no \(Value.self)") }
    return value
}

extension Record {
    /// A record that nobody signed, laid out as `docs/protocol.md`, section 8, has it. For a signature stand
    /// the location's first byte and zeros; the digest is a count of its own.
    ///
    /// - Parameters:
    ///   - location: The first byte of the location, whose others are zero.
    ///   - lifetime: In seconds.
    package static func unsigned(
        at location: UInt8,
        by author: Identity,
        key: [UInt8],
        revision: UInt64,
        lifetime: UInt32 = 3600,
        value: [UInt8],
        kind: Kind
    ) -> Record {
        var bytes: [UInt8] = [RecordLayout.version, kind.rawValue, UInt8(key.count)] + key
        author.append(to: &bytes)
        bytes.appendBigEndian(revision)
        bytes.appendBigEndian(lifetime)
        bytes.appendBigEndian(UInt16(value.count))
        bytes += value + [location] + [UInt8](repeating: 0, count: RecordLayout.signatureLength - 1)
        return unsigned(bytes)
    }

    /// The record that ``unsigned(at:by:key:revision:lifetime:value:kind:)`` made of these bytes.
    package static func unsigned(_ bytes: [UInt8]) -> Record {
        var digest = [UInt8](repeating: 0, count: 24)
        digest.appendBigEndian(bytes.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) })
        let location = NodeID(firstByte: bytes[bytes.count - RecordLayout.signatureLength])
        return Record(checkedBytes: bytes, location: location, digest: certain(Digest(digest[...])))
    }
}
