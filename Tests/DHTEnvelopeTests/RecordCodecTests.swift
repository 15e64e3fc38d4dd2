import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

@Suite struct RecordCodecTests {
    private let network = networkKey("home").id
    /// Key at 3…5, author at 6, revision at 38, lifetime at 46, value length at 50, value at 52.
    private let good = record(by: "alice")

    @Test func `a record says what its draft said`() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<60 {
            let draft = RecordCodec.Draft(
                kind: .value,
                key: generator.bytes(generator.number(1...128)),
                revision: Revision(rawValue: generator.next()),
                lifetime: UInt32.random(in: RecordLayout.lifetimes, using: &generator),
                value: generator.bytes(generator.number(0...640))
            )
            let record = RecordCodec.sign(draft, with: signingKey("alice"), network: network)
            #expect(record.kind == draft.kind)
            #expect(Array(record.key) == draft.key)
            #expect(record.revision == draft.revision)
            #expect(record.lifetime == draft.lifetime)
            #expect(Array(record.value) == draft.value)
            #expect(record.author == .named("alice"))
            #expect(record.location == sha1(draft.key))
            #expect(record.digest == Digest(blake2bOf: record.bytes))
        }
    }

    @Test func `what is signed decodes to the same record and verifies`() {
        var generator = SplitMix64(seed: 2)
        for _ in 0..<100 {
            let record = generator.record()
            #expect(RecordCodec.decode(record.bytes) == record)
            #expect(RecordCodec.verifies(record, network: network))
        }
    }

    @Test func `the smallest and the largest record`() {
        let small = RecordCodec.Draft(
            kind: .tombstone,
            key: [0],
            revision: Revision(rawValue: 0),
            lifetime: 1,
            value: []
        )
        let large = RecordCodec.Draft(
            kind: .value,
            key: [UInt8](repeating: 1, count: 128),
            revision: Revision(rawValue: .max),
            lifetime: 31_536_000,
            value: [UInt8](repeating: 2, count: 640)
        )
        let records = [small, large].map { RecordCodec.sign($0, with: signingKey("alice"), network: network) }
        #expect(records.map(\.bytes.count) == [114, 881])
        #expect(records.map { RecordCodec.decode($0.bytes) } == records)
        #expect(RecordLayout.maximumLength == 881)
    }

    @Test func `every truncation is malformed`() {
        for count in good.bytes.indices { #expect(RecordCodec.decode(Array(good.bytes[..<count])) == nil) }
    }

    @Test(arguments: [0, 1] as [UInt8])
    func `a byte after the signature is malformed`(byte: UInt8) {
        #expect(RecordCodec.decode(good.bytes + [byte]) == nil)
    }

    @Test(
        arguments: [
            (0, [0]), (0, [2]), (1, [0]), (1, [3]), (2, [0]), (2, [129]), (2, [255]), (46, [0, 0, 0, 0]),
            (46, [0x01, 0xE1, 0x33, 0x81]), (46, [255, 255, 255, 255]), (50, [0, 4]), (50, [0, 6]),
            (50, [2, 0x81]),
            (50, [255, 255]), (1, [2]),
        ] as [(Int, [UInt8])]
    )
    func `a field outside its bounds is malformed`(offset: Int, bytes: [UInt8]) {
        var changed = good.bytes
        changed.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        #expect(RecordCodec.decode(changed) == nil)
    }

    @Test func `a value of 641 bytes is malformed though it is all there`() {
        var bytes = Array(good.bytes[..<50])
        bytes += [0x02, 0x81] + [UInt8](repeating: 1, count: 641 + 64)
        #expect(RecordCodec.decode(bytes) == nil)
        bytes[51] = 0x80
        #expect(RecordCodec.decode(bytes.dropLast()) != nil)
    }

    @Test func `a flip of any byte is malformed or fails to verify`() {
        for index in good.bytes.indices {
            guard let changed = RecordCodec.decode(good.bytes.flipping(1, at: index)) else { continue }
            #expect(!RecordCodec.verifies(changed, network: network))
        }
    }

    @Test func `a record of another overlay does not verify`() {
        #expect(!RecordCodec.verifies(good, network: networkKey("elsewhere").id))
    }

    @Test func `a record cannot be claimed by another author`() throws {
        var bytes = good.bytes
        bytes.replaceSubrange(6..<38, with: Identity.named("bob").bytes)
        let claimed = try #require(RecordCodec.decode(bytes))
        #expect(claimed.author == .named("bob"))
        #expect(!RecordCodec.verifies(claimed, network: network))
    }

    @Test func `random bytes are no record and trap nothing`() {
        var generator = SplitMix64(seed: 3)
        for _ in 0..<3000 {
            var bytes = generator.bytes(generator.number(0...900))
            // Half of them get past the first checks.
            if bytes.count > 3, generator.chance() { bytes.replaceSubrange(0..<3, with: [1, 1, 3]) }
            if let record = RecordCodec.decode(bytes) { #expect(record.bytes == bytes) }
        }
    }
}
