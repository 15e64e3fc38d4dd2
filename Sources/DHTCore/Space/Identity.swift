/// Who someone is: the 32 bytes of an Ed25519 public key.
///
/// All trust and all state hang on this value; a ``NodeID`` is only the place it has in the key space.
/// Nothing here says that the bytes are a valid curve point: that is the business of whoever verifies with
/// them.
public struct Identity: Hashable, Sendable {
    /// Length of an identity in bytes.
    public static let byteCount = 32

    @usableFromInline let w0: UInt64
    @usableFromInline let w1: UInt64
    @usableFromInline let w2: UInt64
    @usableFromInline let w3: UInt64

    /// The identity with these 32 bytes; `nil` if there are more or fewer.
    @inlinable public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = BigEndianWords(bytes)
        (w0, w1, w2, w3) = (words.next(), words.next(), words.next(), words.next())
    }

    /// The identity with the 32 bytes at `offset`, which must be there.
    package init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        precondition(offset >= 0 && offset + Self.byteCount <= bytes.count, "32 bytes are not there")
        func word(_ index: Int) -> UInt64 {
            unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8 * index, as: UInt64.self))
        }
        (w0, w1, w2, w3) = (word(0), word(1), word(2), word(3))
    }

    /// The 32 bytes of the public key.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        append(to: &result)
        return result
    }

    /// The first four bytes as a number.
    package var prefix: UInt32 { UInt32(w0 >> 32) }

    /// Appends the 32 bytes to `buffer`.
    package func append(to buffer: inout [UInt8]) {
        buffer.appendBigEndian(w0)
        buffer.appendBigEndian(w1)
        buffer.appendBigEndian(w2)
        buffer.appendBigEndian(w3)
    }
}

extension Identity: Comparable {
    /// Orders identities as their bytes are ordered. Ties between authors are decided by it, so it is
    /// protocol.
    public static func < (lhs: Identity, rhs: Identity) -> Bool {
        (lhs.w0, lhs.w1, lhs.w2, lhs.w3) < (rhs.w0, rhs.w1, rhs.w2, rhs.w3)
    }
}
