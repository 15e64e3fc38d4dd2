extension Chart {
    /// The chart as a PNG file: 1800 × 960 pixels, 8 bits each of red, green and blue. The file says that two
    /// pixels make a point, so it shows at 900 × 480.
    package var png: [UInt8] {
        let scale = 2
        return PNG.file(Raster(drawing, scale: scale), pixelsPerPoint: scale)
    }
}

/// Portable Network Graphics, as in the W3C's specification of 2003 (RFC 2083 is its ancestor).
enum PNG {
    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    static func file(_ raster: Raster, pixelsPerPoint: Int) -> [UInt8] {
        let header = bigEndian(raster.width) + bigEndian(raster.height) + [8, 2, 0, 0, 0]
        // Viewers take 72 pixels an inch, 2835 a metre, for plain and a multiple for sharp.
        let density = bigEndian(2835 * pixelsPerPoint)
        return signature + chunk("IHDR", header)
            + chunk("pHYs", density + density + [1])
            + chunk("IDAT", Zlib.compressed(scanlines(raster)))
            + chunk("IEND", [])
    }

    /// Rows as differences from the row above (filter 2): mostly zeros, since a chart is mostly level.
    static func scanlines(_ raster: Raster) -> [UInt8] {
        let stride = raster.width * 3
        var lines: [UInt8] = []
        lines.reserveCapacity((stride + 1) * raster.height)
        for row in 0..<raster.height {
            lines.append(2)
            for index in row * stride..<(row + 1) * stride {
                lines.append(
                    row == 0 ? raster.bytes[index] : raster.bytes[index] &- raster.bytes[index - stride]
                )
            }
        }
        return lines
    }

    private static func chunk(_ name: String, _ body: [UInt8]) -> [UInt8] {
        let content = Array(name.utf8) + body
        return bigEndian(body.count) + content + bigEndian(Int(checksum(content)))
    }

    /// CRC-32 of ISO 3309.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { $0 >> 8 ^ remainders[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
    }

    private static let remainders: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320 }
    }

    static func bigEndian(_ value: Int) -> [UInt8] {
        stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}

/// RFC 1950 and 1951, compression only: one block of the fixed Huffman code, with repetitions found through a
/// table of where each run of four bytes was last seen.
enum Zlib {
    static func compressed(_ bytes: [UInt8]) -> [UInt8] {
        var stream = BitStream(bytes: [0x78, 0x01])
        // The last block, of the fixed code.
        stream.append(0b011, bits: 3)
        var seen = [Int](repeating: -1, count: 1 << 15)
        var position = 0
        while position < bytes.count {
            let slot = hash(bytes, position)
            let earlier = slot.map { seen[$0] } ?? -1
            if let slot { seen[slot] = position }
            let length = repeated(bytes, position, earlier)
            guard length >= 4 else {
                stream.append(symbol: Int(bytes[position]))
                position += 1
                continue
            }
            stream.append(length: length, distance: position - earlier)
            position += length
            // A run of one byte goes on from its last, at the shortest distance.
            if let slot = hash(bytes, position - 1) { seen[slot] = position - 1 }
        }
        stream.append(symbol: 256)
        return stream.padded + PNG.bigEndian(Int(checksum(bytes)))
    }

    /// Adler-32. So many sums fit into 32 bits before they must be reduced.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        let (modulus, batch) = (UInt32(65_521), 5552)
        var (low, high) = (UInt32(1), UInt32(0))
        for start in stride(from: 0, to: bytes.count, by: batch) {
            for byte in bytes[start..<min(start + batch, bytes.count)] {
                low += UInt32(byte)
                high += low
            }
            (low, high) = (low % modulus, high % modulus)
        }
        return high << 16 | low
    }

    /// How many bytes from `position` on are as those from `earlier` on, if those are near enough.
    private static func repeated(_ bytes: [UInt8], _ position: Int, _ earlier: Int) -> Int {
        guard earlier >= 0, position - earlier <= 32_768 else { return 0 }
        let limit = min(258, bytes.count - position)
        var length = 0
        while length < limit, bytes[earlier + length] == bytes[position + length] { length += 1 }
        return length
    }

    /// The slot of the four bytes at `position`; `nil` if there are no four.
    private static func hash(_ bytes: [UInt8], _ position: Int) -> Int? {
        guard position + 4 <= bytes.count else { return nil }
        let word = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[position + $1]) }
        return Int((word &* 0x9E37_79B1) >> 17)
    }
}

/// Bits, the first one lowest in its byte, and the fixed code of RFC 1951, section 3.2.6.
private struct BitStream {
    private var bytes: [UInt8]
    private var pending: UInt32 = 0
    private var count = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// All bytes, the last filled up with zeros.
    var padded: [UInt8] { count == 0 ? bytes : bytes + [UInt8(truncatingIfNeeded: pending)] }

    /// At most 16 bits, the lowest first.
    mutating func append(_ value: Int, bits: Int) {
        pending |= UInt32(value) << UInt32(count)
        count += bits
        while count >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            count -= 8
        }
    }

    /// A byte, the end of the block (256) or a length's code.
    mutating func append(symbol: Int) {
        switch symbol {
        case ..<144: append(code: 0b0011_0000 + symbol, bits: 8)
        case ..<256: append(code: 0b1_1001_0000 + symbol - 144, bits: 9)
        case ..<280: append(code: symbol - 256, bits: 7)
        default: append(code: 0b1100_0000 + symbol - 280, bits: 8)
        }
    }

    mutating func append(length: Int, distance: Int) {
        if length == 258 {
            append(symbol: 285)
        } else {
            let (code, extra, bits) = Self.bucket(length - 3, grouped: 4)
            append(symbol: 257 + code)
            append(extra, bits: bits)
        }
        let (code, extra, bits) = Self.bucket(distance - 1, grouped: 2)
        append(code: code, bits: 5)
        append(extra, bits: bits)
    }

    /// Codes come in groups: the first two groups name their value, and each later group covers twice as
    /// much as the one before, with one more extra bit.
    private static func bucket(_ value: Int, grouped size: Int) -> (code: Int, extra: Int, bits: Int) {
        var bits = 0
        while value >> bits >= 2 * size { bits += 1 }
        return (bits * size + value >> bits, value & (1 << bits - 1), bits)
    }

    /// Huffman codes go in highest bit first.
    private mutating func append(code: Int, bits: Int) {
        append((0..<bits).reduce(0) { $0 << 1 | code >> $1 & 1 }, bits: bits)
    }
}
