import Testing

@testable import DHTCore

@Suite struct NodeIDTests {
    private let ascending = NodeID.ascending

    @Test func `twenty bytes make an id and come back`() {
        #expect(ascending.bytes == Array(0..<20))
    }

    @Test(arguments: [0, 1, 19, 21, 32])
    func `another count of bytes makes no id`(count: Int) {
        #expect(NodeID([UInt8](repeating: 7, count: count)) == nil)
    }

    @Test func `appending adds the twenty bytes after what is there`() {
        var buffer: [UInt8] = [0xFF]
        ascending.append(to: &buffer)
        #expect(buffer == [0xFF] + Array(0..<20))
    }

    @Test func `a small id has its byte in front`() {
        #expect(NodeID(firstByte: 0b0110_0000).bytes == [0b0110_0000] + [UInt8](repeating: 0, count: 19))
    }

    @Test func `an id is written as forty hexadecimal digits`() {
        #expect(ascending.description == "000102030405060708090a0b0c0d0e0f10111213")
    }

    @Test func `the prefix is the first four bytes`() {
        #expect(ascending.prefix == 0x0001_0203)
        #expect(NodeID([UInt8](repeating: 0xFF, count: 20))?.prefix == .max)
    }

    @Test func `hexadecimal digits are lower case, two a byte`() {
        #expect(hexadecimal([0x00, 0x0A, 0xF0, 0xFF]) == "000af0ff")
        #expect(hexadecimal([]) == "")
    }

    @Test func `the distance is the exclusive or`() {
        let (left, right) = (NodeID(firstByte: 0b0110), NodeID(firstByte: 0b1010))
        #expect(left.distance(to: right) == NodeID(firstByte: 0).distance(to: NodeID(firstByte: 0b1100)))
    }

    @Test func `an id is at no distance from itself`() {
        #expect(ascending.distance(to: ascending).leadingZeroBitCount == 160)
        #expect(ascending.commonPrefixLength(with: ascending) == 160)
    }

    @Test(arguments: 0..<160)
    func `an id shares all bits up to the first that differs`(bit: Int) {
        #expect(ascending.commonPrefixLength(with: ascending.flipping(bit)) == bit)
        #expect(ascending.flipping(bit).commonPrefixLength(with: ascending) == bit)
    }

    @Test func `later bits do not shorten the shared prefix`() {
        #expect(ascending.commonPrefixLength(with: ascending.flipping(70).flipping(71).flipping(159)) == 70)
    }

    @Test func `ids are ordered as their bytes are`() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<2000 {
            let left = NodeID.random(using: &generator)
            let right = left.flipping(Int.random(in: 0..<160, using: &generator))
            #expect((left < right) == left.bytes.lexicographicallyPrecedes(right.bytes))
            #expect((right < left) == right.bytes.lexicographicallyPrecedes(left.bytes))
        }
        #expect(!(ascending < ascending))
    }

    @Test func `distances are ordered as numbers of 160 bits`() {
        var generator = SplitMix64(seed: 2)
        for _ in 0..<2000 {
            let target = NodeID.random(using: &generator)
            let left = NodeID.random(using: &generator)
            let right = left.flipping(Int.random(in: 0..<160, using: &generator))
            let bytes = [left, right].map { zip($0.bytes, target.bytes).map { $0 ^ $1 } }
            let isNearer = left.distance(to: target) < right.distance(to: target)
            #expect(isNearer == bytes[0].lexicographicallyPrecedes(bytes[1]))
        }
    }

    @Test func `distance is symmetric and no detour is shorter`() {
        var generator = SplitMix64(seed: 3)
        for _ in 0..<500 {
            let (a, b, c) = (
                NodeID.random(using: &generator), NodeID.random(using: &generator),
                NodeID.random(using: &generator)
            )
            #expect(a.distance(to: b) == b.distance(to: a))
            // Of the three, the two longest share their first one bit.
            let zeros = [a.distance(to: b), b.distance(to: c), a.distance(to: c)]
                .map(\.leadingZeroBitCount).sorted()
            #expect(zeros[0] == zeros[1])
        }
    }

    @Test func `for each target and distance there is one id`() {
        let target = NodeID(firstByte: 0b1010_0110)
        let distances = (UInt8.min ... .max).map { NodeID(firstByte: $0).distance(to: target) }
        #expect(Set(distances).count == 256)
    }
}
