/// 32 bytes, compared and ordered as such: the shape of public keys and digests, without a heap.
@usableFromInline package struct Bytes32: Hashable, Sendable {
    @usableFromInline package static let count = 32

    @usableFromInline let w0: UInt64
    @usableFromInline let w1: UInt64
    @usableFromInline let w2: UInt64
    @usableFromInline let w3: UInt64

    /// `nil` unless there are 32 bytes.
    @inlinable package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.count else { return nil }
        let known = bytes.withContiguousStorageIfAvailable { bytes in
            unsafe Bytes32(UnsafeRawBufferPointer(bytes), at: 0)
        }
        if let known {
            self = known
            return
        }
        var words = BigEndianWords(bytes)
        (w0, w1, w2, w3) = (words.next(), words.next(), words.next(), words.next())
    }

    /// The 32 bytes at `offset`, which must be there.
    @usableFromInline package init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        precondition(offset >= 0 && offset + Self.count <= bytes.count, "32 bytes are not there")
        func word(_ index: Int) -> UInt64 {
            unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8 * index, as: UInt64.self))
        }
        (w0, w1, w2, w3) = (word(0), word(1), word(2), word(3))
    }

    /// Lends the 32 bytes; nothing of them may outlive `body`.
    package func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        let words = (w0.bigEndian, w1.bigEndian, w2.bigEndian, w3.bigEndian)
        return unsafe withUnsafeBytes(of: words) { bytes in
            guard let base = unsafe bytes.bindMemory(to: UInt8.self).baseAddress else {
                preconditionFailure("32 bytes have an address")
            }
            return unsafe body(base)
        }
    }

    package var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.count)
        append(to: &result)
        return result
    }

    /// The first four bytes as a number.
    package var prefix: UInt32 { UInt32(w0 >> 32) }
    /// The last eight bytes as a number.
    var suffix: UInt64 { w3 }

    package func append(to buffer: inout [UInt8]) {
        buffer.appendBigEndian(w0)
        buffer.appendBigEndian(w1)
        buffer.appendBigEndian(w2)
        buffer.appendBigEndian(w3)
    }
}

extension Bytes32 {
    /// Keys and digests are as good as random in any of their words, and to make two with one word in common
    /// takes 2³² of them: one is enough to tell them apart in a table.
    @inlinable package func hash(into hasher: inout Hasher) { hasher.combine(w0) }
}

extension Bytes32: Comparable {
    @usableFromInline package static func < (lhs: Bytes32, rhs: Bytes32) -> Bool {
        (lhs.w0, lhs.w1, lhs.w2, lhs.w3) < (rhs.w0, rhs.w1, rhs.w2, rhs.w3)
    }
}
