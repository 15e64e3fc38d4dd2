import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

@Suite struct HeaderTests {
    private let header = Header(
        kind: .request,
        recipientKeyID: 5,
        number: 6,
        sender: .named("alice"),
        senderBoxKey: boxKey("alice").publicKey
    )

    @Test func `a header decodes to what was encoded`() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<500 {
            let header = Header(
                kind: generator.pick([.request, .response]),
                recipientKeyID: UInt32(generator.number(1...0xFFFF_FFFF)),
                number: generator.next(),
                sender: generator.identity(),
                senderBoxKey: BoxPublicKey(generator.bytes(32)[...])!
            )
            #expect(header.encoded.count == 80)
            #expect(Header.decode(header.encoded) == .header(header))
        }
    }

    @Test func `what decodes encodes to the same bytes`() {
        var generator = SplitMix64(seed: 2)
        var decoded = 0
        for _ in 0..<500 {
            let bytes =
                [1, UInt8(generator.number(0...3)), 0, UInt8(generator.number(0...1))] + generator.bytes(76)
            guard case .header(let header) = Header.decode(bytes) else { continue }
            #expect(header.encoded == bytes)
            decoded += 1
        }
        #expect(decoded > 50)
    }

    @Test func `its fields stand where section 3 says`() {
        let bytes = header.encoded
        #expect(bytes[0..<16] == [1, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6])
        #expect(Array(bytes[16..<48]) == Identity.named("alice").bytes)
        #expect(Array(bytes[48..<80]) == boxKey("alice").publicKey.bytes)
    }

    @Test(arguments: [0, 1, 79, 81, 160])
    func `another length is no header`(count: Int) {
        #expect(Header.decode([UInt8](repeating: 1, count: count)) == .dropped(.header))
    }

    @Test(arguments: [0, 2, 3, 255] as [UInt8])
    func `another version is dropped`(version: UInt8) {
        var bytes = header.encoded
        bytes[0] = version
        #expect(Header.decode(bytes) == .dropped(.version))
    }

    @Test(arguments: [0, 3, 4, 129, 255] as [UInt8])
    func `another kind is dropped`(kind: UInt8) {
        var bytes = header.encoded
        bytes[1] = kind
        #expect(Header.decode(bytes) == .dropped(.kind))
    }

    @Test(arguments: [2, 3])
    func `reserved bytes are zero`(index: Int) {
        #expect(Header.decode(header.encoded.flipping(1, at: index)) == .dropped(.kind))
    }

    @Test func `a request may be for the static key and a response may not`() {
        var request = header
        request.recipientKeyID = 0
        #expect(Header.decode(request.encoded) == .header(request))
        var response = request
        response.kind = .response
        #expect(Header.decode(response.encoded) == .dropped(.kind))
    }
}
