/// The 32 bytes of an Ed25519 public key, which say who somebody is.
///
/// All trust and all state hang on this value; a ``NodeID`` is only the place it has in the key space.
/// Nothing here says that the bytes are a valid curve point: that is the business of whoever verifies with
/// them.
public struct Identity: Hashable, Sendable {
    /// Length of an identity in bytes.
    public static let byteCount = 32

    @usableFromInline let words: Bytes32

    /// The identity with these 32 bytes; `nil` if there are more or fewer.
    @inlinable public init?(_ bytes: some Collection<UInt8>) {
        guard let words = Bytes32(bytes) else { return nil }
        self.words = words
    }

    /// The identity with the 32 bytes at `offset`, which must be there.
    package init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        words = unsafe Bytes32(bytes, at: offset)
    }

    /// The 32 bytes of the public key.
    public var bytes: [UInt8] { words.bytes }

    /// The first four bytes as a number.
    package var prefix: UInt32 { words.prefix }

    /// Lends the 32 bytes; nothing of them may outlive `body`.
    package func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        unsafe words.withBytes(body)
    }

    /// Appends the 32 bytes to `buffer`.
    package func append(to buffer: inout [UInt8]) { words.append(to: &buffer) }
}

extension Identity: Comparable {
    /// Orders identities as their bytes are ordered. Ties between authors are decided by this order, so it is
    /// protocol.
    public static func < (lhs: Identity, rhs: Identity) -> Bool { lhs.words < rhs.words }
}
