import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

private struct RosterVectors: Decodable {
    struct Made: Decodable, Sendable, CustomTestStringConvertible {
        let networkKey: Hex
        let administratorSeed: Hex
        let serial: UInt64
        let time: UInt64
        let text: String
        /// The bytes of the comment that follows the text.
        let remark: Int?
        let head: Hex
        let mark: Hex
        let signedInputDigest: Hex

        var testDescription: String { "serial \(serial)" }

        var bytes: [UInt8] {
            let comment = remark.map { "#" + String(repeating: "x", count: $0) + "\n" } ?? ""
            return Array((text + comment).utf8)
        }
    }

    let rosters: [Made]

    static let all: RosterVectors = VectorFile.read("rosters")
}

struct RosterVectorTests {
    @Test(arguments: RosterVectors.all.rosters)
    fileprivate func `a roster is signed as another implementation signs it`(
        vector: RosterVectors.Made
    ) throws {
        let network = NetworkKey(bytes: vector.networkKey.secret).id
        let roster = try Roster.sign(
            vector.bytes,
            serial: vector.serial,
            time: vector.time,
            with: SigningKey(seed: vector.administratorSeed.secret),
            network: network,
            file: "roster"
        )
        var head: [UInt8] = []
        RosterCodec.append(roster.head, to: &head)
        #expect(head == vector.head.bytes)
        #expect(head.count == RosterCodec.headLength)
        #expect(blake2b(roster.head.signedInput(network), count: 32) == vector.signedInputDigest.bytes)
        #expect(roster.head.isGenuine(in: network))
        var mark: [UInt8] = []
        RosterCodec.append(roster.mark, to: &mark)
        #expect(mark == vector.mark.bytes)
        let read = try Roster(parsing: roster.file(of: network), of: network, file: "roster")
        #expect(read.head == roster.head)
    }
}
