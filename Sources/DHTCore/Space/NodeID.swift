/// A place in the key space: 160 bits, of a node (SHA-1 of its identity) or of a key (SHA-1 of the key).
///
/// A place is never a proof: see ``Identity``. (Kademlia, section 2.)
public struct NodeID: Hashable, Sendable {
    /// Length in bits, and the number of buckets a routing table can have.
    public static let bitCount = 160
    /// Length in bytes.
    public static let byteCount = 20

    @usableFromInline let high: UInt64
    @usableFromInline let middle: UInt64
    @usableFromInline let low: UInt32

    init(high: UInt64, middle: UInt64, low: UInt32) {
        (self.high, self.middle, self.low) = (high, middle, low)
    }

    /// The id with these 20 bytes; `nil` if there are more or fewer.
    @inlinable public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = BigEndianWords(bytes)
        (high, middle, low) = (words.next(), words.next(), UInt32(words.next(byteCount: 4)))
    }

    /// The id whose first byte is `firstByte` and whose others are zero: for examples small enough to think
    /// about.
    package init(firstByte: UInt8) {
        self.init(high: UInt64(firstByte) << 56, middle: 0, low: 0)
    }

    /// The 20 bytes.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        append(to: &result)
        return result
    }

    /// Appends the 20 bytes to `buffer`.
    package func append(to buffer: inout [UInt8]) {
        buffer.appendBigEndian(high)
        buffer.appendBigEndian(middle)
        buffer.appendBigEndian(low)
    }

    /// The first four bytes as a number: what a STORE response tells of the closest nodes it knows.
    package var prefix: UInt32 { UInt32(high >> 32) }

    /// The XOR distance to `other`. (Kademlia, section 2.1.)
    package func distance(to other: NodeID) -> Distance {
        Distance(high: high ^ other.high, middle: middle ^ other.middle, low: low ^ other.low)
    }

    /// The number of leading bits shared with `other`: 0…160.
    package func commonPrefixLength(with other: NodeID) -> Int { distance(to: other).leadingZeroBitCount }
}

extension NodeID: Comparable {
    /// As big-endian numbers.
    public static func < (lhs: NodeID, rhs: NodeID) -> Bool {
        (lhs.high, lhs.middle, lhs.low) < (rhs.high, rhs.middle, rhs.low)
    }
}

extension NodeID: CustomStringConvertible {
    /// 40 hexadecimal digits.
    public var description: String { hexadecimal(bytes) }
}

/// The XOR of two ids, ordered as a 160-bit number.
package struct Distance: Hashable, Comparable, Sendable {
    let high: UInt64
    let middle: UInt64
    let low: UInt32

    init(high: UInt64, middle: UInt64, low: UInt32) {
        (self.high, self.middle, self.low) = (high, middle, low)
    }

    /// 0…160; 160 only for the distance of an id to itself.
    package var leadingZeroBitCount: Int {
        if high != 0 { return high.leadingZeroBitCount }
        if middle != 0 { return 64 + middle.leadingZeroBitCount }
        return 128 + low.leadingZeroBitCount
    }

    package static func < (lhs: Distance, rhs: Distance) -> Bool {
        (lhs.high, lhs.middle, lhs.low) < (rhs.high, rhs.middle, rhs.low)
    }
}

/// Lower-case hexadecimal digits, two a byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    var text = ""
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 0x0F)])
    }
    return text
}

/// The bytes of hexadecimal digits, of either case; `nil` if the text is something else.
package func bytes(hexadecimal text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2), text.allSatisfy(\.isHexDigit) else { return nil }
    let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
    return 2 * bytes.count == digits.count ? bytes : nil
}
