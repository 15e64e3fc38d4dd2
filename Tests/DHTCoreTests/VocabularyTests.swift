import Testing

@testable import DHTCore

@Suite struct IdentityTests {
    private let ascending = Identity.ascending

    @Test func `thirty-two bytes make an identity and come back`() {
        #expect(ascending.bytes == Array(0..<32))
    }

    @Test(arguments: [0, 1, 31, 33, 64])
    func `another count of bytes makes no identity`(count: Int) {
        #expect(Identity([UInt8](repeating: 7, count: count)) == nil)
    }

    @Test func `appending adds the bytes after what is there`() {
        var buffer: [UInt8] = [0xFF, 0xFE]
        ascending.append(to: &buffer)
        #expect(buffer == [0xFF, 0xFE] + Array(0..<32))
    }

    @Test(arguments: 0..<32)
    func `each byte counts`(index: Int) {
        var bytes = ascending.bytes
        bytes[index] ^= 1
        #expect(Identity(bytes) != ascending)
        #expect(Identity(bytes)?.bytes == bytes)
    }

    @Test func `identities are ordered as their bytes are`() {
        var generator = SplitMix64(seed: 5)
        for _ in 0..<2000 {
            let left = generator.bytes(32)
            var right = left
            for index in Int.random(in: 0..<32, using: &generator)..<32 {
                right[index] = generator.bytes(1)[0]
            }
            #expect((Identity(left)! < Identity(right)!) == left.lexicographicallyPrecedes(right))
        }
    }

    @Test func `a digest is thirty-two bytes in the order of bytes`() {
        #expect(Digest([UInt8](0..<32)[...])?.bytes == Array(0..<32))
        #expect(Digest([UInt8](0..<31)[...]) == nil)
        #expect(Digest([UInt8](0..<32)[...])! < Digest([UInt8](1..<33)[...])!)
    }
}

@Suite struct RevisionTests {
    @Test func `the first revision is the clock with a counter of zero`() {
        let revision = Revision(unixMilliseconds: 1_700_000_000_123, above: nil)
        #expect(revision.rawValue == 1_700_000_000_123 << 16)
        #expect(revision.unixMilliseconds == 1_700_000_000_123)
    }

    @Test func `a clock that went on gives a revision of its own time`() {
        let first = Revision(unixMilliseconds: 1000, above: nil)
        #expect(
            Revision(unixMilliseconds: 1001, above: first) == Revision(unixMilliseconds: 1001, above: nil)
        )
    }

    @Test func `two writes in one millisecond differ by the counter`() {
        let first = Revision(unixMilliseconds: 1000, above: nil)
        let second = Revision(unixMilliseconds: 1000, above: first)
        #expect(second.rawValue == first.rawValue + 1)
        #expect(second.unixMilliseconds == 1000)
    }

    @Test func `a clock set back still goes up`() {
        let previous = Revision(unixMilliseconds: 5000, above: nil)
        #expect(Revision(unixMilliseconds: 3000, above: previous).rawValue == previous.rawValue + 1)
    }

    @Test func `a full counter flows over into the next millisecond`() {
        let previous = Revision(rawValue: 1000 << 16 | 0xFFFF)
        #expect(Revision(unixMilliseconds: 1000, above: previous) == Revision(rawValue: 1001 << 16))
    }

    @Test func `the highest revision has none above it`() {
        let highest = Revision(rawValue: .max)
        #expect(Revision(unixMilliseconds: 1000, above: highest) == highest)
    }

    @Test func `revisions are ordered by time, then counter`() {
        #expect(Revision(rawValue: 1 << 16 | 0xFFFF) < Revision(rawValue: 2 << 16))
        #expect(Revision(rawValue: 1 << 16) < Revision(rawValue: 1 << 16 | 1))
    }

    @Test func `a chain of writes only goes up, however the clock jumps`() {
        var generator = SplitMix64(seed: 6)
        var last: Revision?
        for _ in 0..<1000 {
            let next = Revision(
                unixMilliseconds: UInt64.random(in: 0...1000, using: &generator),
                above: last
            )
            if let last { #expect(next > last) }
            last = next
        }
    }
}

@Suite struct BigEndianTests {
    @Test func `the most significant byte comes first`() {
        var buffer: [UInt8] = []
        buffer.appendBigEndian(UInt8(0x01))
        buffer.appendBigEndian(UInt16(0x0203))
        buffer.appendBigEndian(UInt32(0x0405_0607))
        buffer.appendBigEndian(UInt64(0x0809_0A0B_0C0D_0E0F))
        #expect(buffer == Array(1...15))
    }

    @Test func `numbers are read as they were written`() {
        var generator = SplitMix64(seed: 7)
        for _ in 0..<500 {
            let number = generator.next() >> UInt64.random(in: 0..<64, using: &generator)
            var buffer: [UInt8] = []
            buffer.appendBigEndian(number)
            #expect(buffer.bigEndian() == number)
            buffer = []
            buffer.appendBigEndian(UInt32(truncatingIfNeeded: number))
            #expect(buffer.bigEndian() == UInt32(truncatingIfNeeded: number))
        }
    }

    @Test func `only as many bytes are read as the number has`() {
        let bytes = (1...9).map { UInt8($0) }
        #expect(bytes.bigEndian() == UInt16(0x0102))
        #expect(bytes.bigEndian() == UInt64(0x0102_0304_0506_0708))
    }

    @Test func `fewer bytes make a smaller number`() {
        #expect([UInt8]().bigEndian() == UInt64(0))
        #expect([0x12, 0x34, 0x56].bigEndian() == UInt32(0x12_3456))
    }

    @Test func `words follow one another and end in zeros`() {
        var words = BigEndianWords((1...11).map { UInt8($0) })
        #expect(words.next() == 0x0102_0304_0506_0708)
        #expect(words.next(byteCount: 2) == 0x090A)
        #expect(words.next(byteCount: 4) == 0x0B00_0000)
        #expect(words.next() == 0)
    }
}

@Suite struct InstantTests {
    @Test func `spans count in nanoseconds`() {
        #expect(Interval.microseconds(3).nanoseconds == 3000)
        #expect(Interval.milliseconds(3).nanoseconds == 3_000_000)
        #expect(Interval.seconds(3).nanoseconds == 3_000_000_000)
        #expect(Interval.minutes(3) == .seconds(180))
    }

    @Test func `spans are read rounded down`() {
        #expect(Interval.microseconds(2999).milliseconds == 2)
        #expect(Interval.milliseconds(2999).seconds == 2)
    }

    @Test func `spans add, multiply, divide and compare`() {
        #expect(Interval.seconds(1) + .milliseconds(500) == .milliseconds(1500))
        #expect(Interval.milliseconds(250) * 4 == .seconds(1))
        #expect(Interval.seconds(1) / 4 == .milliseconds(250))
        #expect(Interval.milliseconds(999) < .seconds(1))
    }

    @Test func `an instant moves on by a span`() {
        #expect(at(2) + .seconds(3) == at(5))
        #expect(at(2) < at(3))
    }

    @Test func `the time since a later instant is zero`() {
        #expect(at(5).since(at(2)) == .seconds(3))
        #expect(at(2).since(at(2)) == .seconds(0))
        #expect(at(2).since(at(5)) == .seconds(0))
    }
}
