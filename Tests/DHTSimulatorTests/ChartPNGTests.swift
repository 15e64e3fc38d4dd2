import Testing

@testable import DHTSimulator

/// What we write, read by a decoder that shares nothing with it.
@Suite struct ChartPNGTests {
    private struct Chunk {
        let name: String
        let body: [UInt8]
    }

    private static func number(_ bytes: some Collection<UInt8>) -> UInt32 {
        bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Bit by bit, as the standard has it.
    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var remainder: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            for bit in 0..<8 {
                let odd = (remainder ^ UInt32(byte >> bit)) & 1 == 1
                remainder = (remainder >> 1) ^ (odd ? 0xEDB8_8320 : 0)
            }
        }
        return ~remainder
    }

    /// By definition, with 64 bits of room.
    private static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (low, high) = (UInt64(1), UInt64(0))
        for byte in bytes {
            low = (low + UInt64(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return UInt32(high << 16 | low)
    }

    private static func chunks(_ file: [UInt8]) throws -> [Chunk] {
        try #require(file.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
        var (chunks, rest): ([Chunk], ArraySlice) = ([], file[8...])
        while !rest.isEmpty {
            let length = Int(number(rest.prefix(4)))
            let content = Array(rest.dropFirst(4).prefix(4 + length))
            try #require(content.count == 4 + length)
            try #require(number(rest.dropFirst(8 + length).prefix(4)) == crc32(content))
            chunks.append(
                Chunk(name: String(decoding: content[..<4], as: UTF8.self), body: Array(content[4...]))
            )
            rest = rest.dropFirst(12 + length)
        }
        return chunks
    }

    private static func inflated(_ stream: [UInt8]) throws -> [UInt8] {
        try #require(number(stream[..<2]) % 31 == 0 && stream[0] == 0x78 && stream[1] & 0x20 == 0)
        var inflater = Inflater(bytes: Array(stream[2...].dropLast(4)))
        try inflater.run()
        try #require(number(stream.suffix(4)) == adler32(inflater.output))
        return inflater.output
    }

    @Test func `the checksums are those of the standards`() {
        #expect(Self.crc32(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(Self.adler32(Array("Wikipedia".utf8)) == 0x11E6_0398)
        #expect(Zlib.checksum(Array("Wikipedia".utf8)) == 0x11E6_0398)
        let high = [UInt8](repeating: 255, count: 100_000)
        #expect(Zlib.checksum(high) == Self.adler32(high))
    }

    @Test func `what is compressed can be read`() throws {
        var noise = ChartTests.Noise(state: 1)
        let random = (0..<70_000).map { _ in noise.next() }
        let twice = Array(random[..<300] + random[..<300])
        for bytes in [[], [0], [1, 2, 3], random, twice] {
            #expect(try Self.inflated(Zlib.compressed(bytes)) == bytes)
        }
        // Each length of a repetition, and the distances around where codes change.
        for length in 0...600 {
            let bytes = [7] + [UInt8](repeating: 9, count: length) + [8]
            #expect(try Self.inflated(Zlib.compressed(bytes)) == bytes)
        }
        for distance in (2...14).flatMap({ [1 << $0, 3 << $0] }).flatMap({ $0 - 1...$0 + 2 }) {
            let bytes = Array(random[..<distance] + random[..<min(distance, 20)])
            #expect(try Self.inflated(Zlib.compressed(bytes)) == bytes)
        }
    }

    @Test func `repetition is compressed`() {
        #expect(Zlib.compressed([UInt8](repeating: 0, count: 258_000)).count < 2_000)
    }

    @Test func `a chart is a PNG of twice its points`() throws {
        let chart = ChartTests.chart(points: 60, marks: [Chart.Mark(x: 3, label: "30 % vanish")])
        let chunks = try Self.chunks(chart.png)
        #expect(chunks.map(\.name) == ["IHDR", "pHYs", "IDAT", "IEND"])
        #expect(Self.number(chunks[0].body[..<4]) == 1800)
        #expect(Self.number(chunks[0].body[4..<8]) == 960)
        #expect(chunks[0].body[8...] == [8, 2, 0, 0, 0])
        let lines = try Self.inflated(chunks[2].body)
        try #require(lines.count == 960 * (1 + 5400))
        #expect(stride(from: 0, to: lines.count, by: 5401).allSatisfy { lines[$0] == 2 })
        #expect(lines == PNG.scanlines(Raster(chart.drawing, scale: 2)))
    }

    @Test func `a PNG's scanlines are the raster's pixels`() throws {
        var raster = Raster(width: 40, height: 24)
        let text = Drawing.Text(string: "g%", place: .init(x: 4, y: 18), size: 20, colour: .init(0xC4_4E00))
        raster.write(text)
        let lines = try Self.inflated(Self.chunks(PNG.file(raster, pixelsPerPoint: 1))[2].body)
        var (row, pixels): ([UInt8], [UInt8]) = (Array(repeating: 0, count: 120), [])
        for start in stride(from: 0, to: lines.count, by: 121) {
            try #require(lines[start] == 2)
            for index in 0..<120 { row[index] &+= lines[start + 1 + index] }
            pixels += row
        }
        #expect(pixels == raster.bytes)
        #expect(Set(pixels).count > 9)
    }
}

/// Reads one block of the fixed Huffman code (RFC 1951, section 3.2.6).
private struct Inflater {
    let bytes: [UInt8]
    private var position = 0
    private(set) var output: [UInt8] = []

    private struct Malformed: Error {}

    init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func bit() throws -> Int {
        guard position < bytes.count * 8 else { throw Malformed() }
        defer { position += 1 }
        return Int(bytes[position / 8] >> (position % 8)) & 1
    }

    private mutating func bits(_ count: Int) throws -> Int {
        var value = 0
        for index in 0..<count { value |= try bit() << index }
        return value
    }

    private mutating func code(_ count: Int, after start: Int = 0) throws -> Int {
        var value = start
        for _ in 0..<count { value = try value << 1 | bit() }
        return value
    }

    private mutating func symbol() throws -> Int {
        let seven = try code(7)
        if seven < 0b001_1000 { return 256 + seven }
        let eight = try code(1, after: seven)
        if eight < 0b1100_0000 { return eight - 0b0011_0000 }
        if eight < 0b1100_1000 { return 280 + eight - 0b1100_0000 }
        return try 144 + code(1, after: eight) - 0b1_1001_0000
    }

    private static let lengths = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
        195,
        227, 258,
    ]
    private static let distances = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
        4097, 6145, 8193, 12_289, 16_385, 24_577,
    ]

    mutating func run() throws {
        guard try bits(1) == 1, try bits(2) == 1 else { throw Malformed() }
        while true {
            let symbol = try symbol()
            if symbol == 256 { break }
            if symbol < 256 {
                output.append(UInt8(symbol))
                continue
            }
            guard symbol - 257 < Self.lengths.count else { throw Malformed() }
            let extra = symbol < 265 || symbol == 285 ? 0 : (symbol - 261) / 4
            let length = try Self.lengths[symbol - 257] + bits(extra)
            let code = try code(5)
            guard code < Self.distances.count else { throw Malformed() }
            let distance = try Self.distances[code] + bits(code < 4 ? 0 : code / 2 - 1)
            guard distance <= output.count else { throw Malformed() }
            for _ in 0..<length { output.append(output[output.count - distance]) }
        }
        // Nothing but the padding is left, and that is zeros.
        guard bytes.count * 8 - position < 8, try bits(bytes.count * 8 - position) == 0 else {
            throw Malformed()
        }
    }
}
