import DHTCore
import Testing

@testable import DHTEnvelope

@Suite struct BodyTests {
    @Test func `a body decodes to what was encoded, with its padding`() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<300 {
            let payload = generator.bytes(generator.number(0...1012))
            let body = Body(
                operation: UInt8(generator.number(0...255)),
                status: UInt8(generator.number(0...255)),
                number: generator.next(),
                challenge: generator.next(),
                payload: payload[...]
            )
            let length = 20 + payload.count + generator.number(0...50)
            var bytes: [UInt8] = [9, 9]  // what comes before is left alone
            body.append(to: &bytes, length: length)
            #expect(bytes.count == 2 + length)
            var padded = body
            padded.payload = payload.padded(to: length - 20)[...]
            #expect(Body.decode(bytes[2...]) == padded)
        }
    }

    @Test func `its fields stand where section 3 says`() {
        let body = Body(operation: 4, status: 2, number: 0x0102_0304_0506_0708, challenge: 9, payload: [7])
        var bytes: [UInt8] = []
        body.append(to: &bytes, length: 23)
        #expect(bytes == [4, 2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 7, 0, 0])
    }

    @Test(arguments: 0..<20)
    func `a shorter one is malformed`(count: Int) {
        #expect(Body.decode([UInt8](repeating: 0, count: count)[...]) == nil)
    }

    @Test(arguments: [2, 3])
    func `reserved bytes are zero`(index: Int) {
        let bytes = [UInt8](repeating: 0, count: 56)
        #expect(Body.decode(bytes[...]) != nil)
        #expect(Body.decode(bytes.flipping(1, at: index)[...]) == nil)
    }

    @Test(arguments: [
        (0, 256), (36, 256), (37, 512), (292, 512), (293, 768), (548, 768), (549, 1024), (804, 1024),
        (805, 1232),
        (1012, 1232),
    ])
    func `a payload takes the smallest datagram that carries it`(payload: Int, length: Int) {
        #expect(Datagram.length(forPayload: payload) == length)
    }

    @Test func `no datagram carries more than 1012 bytes`() {
        #expect(Datagram.length(forPayload: 1013) == nil)
        #expect(Datagram.maximumPayload == 1012)
    }
}
