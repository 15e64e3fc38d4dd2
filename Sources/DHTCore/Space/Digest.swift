/// 256 bits of BLAKE2b.
@usableFromInline package struct Digest: Hashable, Comparable, Sendable {
    @usableFromInline let words: Bytes32

    /// `nil` unless there are 32 bytes.
    @inlinable package init?(_ bytes: some Collection<UInt8>) {
        guard let words = Bytes32(bytes) else { return nil }
        self.words = words
    }

    package var bytes: [UInt8] { words.bytes }
    package func append(to buffer: inout [UInt8]) { words.append(to: &buffer) }
    /// 64 bits of it, as a random seed.
    var word: UInt64 { words.suffix }
    /// The first four bytes as a number.
    package var prefix: UInt32 { words.prefix }

    @usableFromInline package static func < (lhs: Digest, rhs: Digest) -> Bool { lhs.words < rhs.words }
}
