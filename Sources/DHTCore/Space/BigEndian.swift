// Every byte from the network goes through here, from other modules too: without `@inlinable` each would cost
// a call through the collection's witness table.

/// Reads a collection of bytes as big-endian 64-bit words, one after the other.
@usableFromInline
struct BigEndianWords<Bytes: Collection<UInt8>> {
    @usableFromInline var iterator: Bytes.Iterator

    @inlinable init(_ bytes: Bytes) { iterator = bytes.makeIterator() }

    /// The next eight bytes; bytes past the end read as zero.
    @inlinable mutating func next() -> UInt64 { next(byteCount: 8) }

    /// The next `byteCount` bytes, at most eight, as one number.
    @inlinable mutating func next(byteCount: Int) -> UInt64 {
        var word: UInt64 = 0
        for _ in 0..<byteCount { word = word << 8 | UInt64(iterator.next() ?? 0) }
        return word
    }
}

extension Array where Element == UInt8 {
    /// Appends `value`, most significant byte first.
    @inlinable package mutating func appendBigEndian(_ value: some FixedWidthInteger & UnsignedInteger) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }

    /// Appends so many zeros.
    package mutating func appendZeros(_ count: Int) {
        append(contentsOf: [UInt8](repeating: 0, count: count))
    }
}

extension Collection where Element == UInt8 {
    /// The first eight bytes or fewer as one big-endian number.
    @inlinable package func bigEndian<Value: FixedWidthInteger & UnsignedInteger>() -> Value {
        var value: Value = 0
        for byte in prefix(Value.bitWidth / 8) { value = value << 8 | Value(byte) }
        return value
    }
}
