import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

private struct RecordVectors: Decodable {
    struct Good: Decodable, Sendable, CustomTestStringConvertible {
        let networkKey: Hex
        let authorSeed: Hex
        let kind: UInt8
        let key: Hex
        let revision: UInt64
        let lifetime: UInt32
        let value: Hex
        let record: Hex
        let location: Hex
        let digest: Hex

        var testDescription: String { "\(key.bytes.count) bytes of key, \(value.bytes.count) of value" }
        var network: NetworkID { NetworkKey(bytes: networkKey.secret).id }
    }

    struct Bad: Decodable, Sendable, CustomTestStringConvertible {
        let record: Hex
        let why: String

        var testDescription: String { why }
    }

    struct Unsigned: Decodable, Sendable {
        let networkKey: Hex
        let record: Hex
    }

    let records: [Good]
    let badRecords: [Bad]
    let badSignatures: [Unsigned]

    static let all: RecordVectors = VectorFile.read("records")
}

@Suite struct RecordVectorTests {
    @Test(arguments: RecordVectors.all.records)
    fileprivate func `a record of another implementation is read as it was meant`(vector: RecordVectors.Good)
        throws
    {
        let record = try #require(RecordCodec.decode(vector.record.bytes))
        #expect(record.kind.rawValue == vector.kind)
        #expect(Array(record.key) == vector.key.bytes)
        #expect(record.author == SigningKey(seed: vector.authorSeed.secret).identity)
        #expect(record.revision.rawValue == vector.revision)
        #expect(record.lifetime == vector.lifetime)
        #expect(Array(record.value) == vector.value.bytes)
        #expect(record.location.bytes == vector.location.bytes)
        #expect(record.digest.bytes == vector.digest.bytes)
        #expect(RecordCodec.verifies(record, network: vector.network))
    }

    @Test(arguments: RecordVectors.all.records)
    fileprivate func `the same record is made here, byte for byte`(vector: RecordVectors.Good) throws {
        let draft = RecordCodec.Draft(
            kind: try #require(Record.Kind(rawValue: vector.kind)),
            key: vector.key.bytes,
            revision: Revision(rawValue: vector.revision),
            lifetime: vector.lifetime,
            value: vector.value.bytes
        )
        let record = RecordCodec.sign(
            draft,
            with: SigningKey(seed: vector.authorSeed.secret),
            network: vector.network
        )
        #expect(record.bytes == vector.record.bytes)
    }

    @Test(arguments: RecordVectors.all.badRecords)
    fileprivate func `a record that is laid out wrongly is malformed`(vector: RecordVectors.Bad) {
        #expect(RecordCodec.decode(vector.record.bytes) == nil)
    }

    @Test(arguments: RecordVectors.all.badSignatures)
    fileprivate func `a record that its author did not sign does not verify`(vector: RecordVectors.Unsigned)
        throws
    {
        let record = try #require(RecordCodec.decode(vector.record.bytes))
        #expect(!RecordCodec.verifies(record, network: NetworkKey(bytes: vector.networkKey.secret).id))
    }
}
