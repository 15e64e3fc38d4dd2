/// When an author wrote: 48 bits of Unix milliseconds, then a 16-bit counter. A hybrid logical clock.
public struct Revision: Hashable, Comparable, Sendable {
    /// How far ahead of our clock a revision may be.
    package static let clockTolerance: UInt64 = 300_000

    /// The whole number: ``unixMilliseconds`` times 2¹⁶, plus the counter.
    public let rawValue: UInt64

    /// The revision of a number that a program stored, as `rawValue` or as text.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The revision at `unixMilliseconds`, or the next one above `previous` if that is not above it.
    package init(unixMilliseconds: UInt64, above previous: Revision?) {
        let clock = min(unixMilliseconds, Self.latest) << 16
        guard let previous, clock <= previous.rawValue else {
            rawValue = clock
            return
        }
        rawValue = previous.rawValue == .max ? .max : previous.rawValue + 1
    }

    /// The latest time a revision can name: 48 bits of milliseconds.
    package static let latest: UInt64 = 1 << 48 - 1

    /// The time part, in milliseconds since 1970.
    public var unixMilliseconds: UInt64 { rawValue >> 16 }

    /// Whether no replica whose clock says `now` would take it.
    package func isFarAhead(of now: UInt64) -> Bool { unixMilliseconds > now +| Self.clockTolerance }

    /// A later write of one author is the higher one.
    public static func < (lhs: Revision, rhs: Revision) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A signed value or tombstone of one author under one key: `docs/protocol.md`, section 8.
///
/// A record is its canonical bytes; what its fields say is read from them, so that a replica passes on
/// exactly what the author signed. Only `RecordCodec` of `DHTEnvelope` makes one, after checking the layout,
/// so every accessor may rely on it. That the *signature* is good is checked apart, before the core sees the
/// record.
package struct Record: Sendable {
    package enum Kind: UInt8, Sendable {
        case value = 1
        case tombstone = 2
        /// A value too long for a record, which says what it is: see ``ContentReference``.
        case reference = 3
    }

    /// The canonical encoding, signature included.
    package let bytes: [UInt8]
    /// SHA-1 of the key.
    package let location: NodeID
    /// The first 32 bytes of BLAKE2b of ``bytes``: settles which of two records of one revision is kept.
    package let digest: Digest
    private let keyEnd: Int

    /// Wraps bytes whose layout the caller has checked.
    package init(checkedBytes bytes: [UInt8], location: NodeID, digest: Digest) {
        (self.bytes, self.location, self.digest) = (bytes, location, digest)
        keyEnd = RecordLayout.keyOffset + Int(bytes[RecordLayout.keyLengthOffset])
    }

    package var kind: Kind {
        guard let kind = Kind(rawValue: bytes[RecordLayout.kindOffset]) else {
            preconditionFailure("the layout was checked")
        }
        return kind
    }
    package var isTombstone: Bool { kind == .tombstone }
    package var key: ArraySlice<UInt8> { bytes[RecordLayout.keyOffset..<keyEnd] }
    package var author: Identity {
        guard let identity = Identity(bytes[keyEnd..<keyEnd + 32]) else {
            preconditionFailure("32 bytes are 32 bytes")
        }
        return identity
    }
    package var revision: Revision { Revision(rawValue: bytes[(keyEnd + 32)...].bigEndian()) }
    /// Seconds from the revision's time to expiry.
    package var lifetime: UInt32 { bytes[(keyEnd + 40)...].bigEndian() }
    package var value: ArraySlice<UInt8> {
        bytes[keyEnd + RecordLayout.valueOffsetPastKey..<bytes.count - RecordLayout.signatureLength]
    }
    package var signature: ArraySlice<UInt8> { bytes.suffix(RecordLayout.signatureLength) }
    /// All the signature covers.
    package var signedFields: ArraySlice<UInt8> { bytes.dropLast(RecordLayout.signatureLength) }

    /// When the record ends, in milliseconds since 1970: absolute, so that replaying it later revives
    /// nothing.
    package var expiry: UInt64 { revision.unixMilliseconds +| UInt64(lifetime) *| 1000 }
}

extension Record: Hashable {
    package static func == (lhs: Record, rhs: Record) -> Bool {
        lhs.digest == rhs.digest && lhs.bytes == rhs.bytes
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

extension Record {
    /// Whether the record is there, by a clock that says `now` (Unix milliseconds): not over, and not so far
    /// ahead that no replica would have taken it. A record that far ahead is seen nowhere, but kept for when
    /// the clock says something else.
    package func isLive(at now: UInt64) -> Bool { expiry > now && !revision.isFarAhead(of: now) }

    /// Whether this record is kept when `other`, of the same author and key, is there too: the higher
    /// revision, and of two with one revision (equivocation) the one with the larger digest. Every replica
    /// decides alike.
    package func supersedes(_ other: Record) -> Bool {
        (revision, digest) > (other.revision, other.digest)
    }

    /// The order in which replicas show records of several authors: newest first, then the larger author.
    /// Readers put them into that of ``Precedence``.
    package func isNewer(than other: Record) -> Bool {
        (revision, author, digest) > (other.revision, other.author, other.digest)
    }
}

/// Offsets and limits of a record's encoding: `docs/protocol.md`, section 8.
package enum RecordLayout {
    package static let version: UInt8 = 1
    package static let kindOffset = 1
    package static let keyLengthOffset = 2
    package static let keyOffset = 3
    /// From the key's end: author 32, revision 8, lifetime 4, value length 2.
    package static let valueOffsetPastKey = 46
    package static let signatureLength = 64
    package static let keyLengths = 1...128
    package static let maximumValueLength = 640
    package static let maximumLength =
        keyOffset + 128 + valueOffsetPastKey + maximumValueLength + signatureLength
    /// Seconds: one second to a year.
    package static let lifetimes: ClosedRange<UInt32> = 1...31_536_000
}

extension Record {
    /// The reference to the value, if that is kept apart from the record; else `nil`.
    package var reference: ContentReference? {
        guard kind == .reference else { return nil }
        return ContentReference(encoded: value)
    }
}
