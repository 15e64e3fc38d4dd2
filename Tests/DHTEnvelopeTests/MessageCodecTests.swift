import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// A request's payload as a body would carry it.
func decodeRequest(_ operation: UInt8, _ payload: [UInt8], status: UInt8 = 0) -> Request? {
    MessageCodec.decodeRequest(
        Body(operation: operation, status: status, number: 0, challenge: 0, payload: payload[...])
    )
}

func decodeResponse(_ operation: UInt8, _ status: UInt8, _ payload: [UInt8]) -> Response? {
    MessageCodec.decodeResponse(
        Body(operation: operation, status: status, number: 0, challenge: 0, payload: payload[...])
    )
}

/// Where padding may end: every length of a datagram that carries the payload.
func paddings(_ payload: [UInt8]) -> [[UInt8]] {
    Datagram.lengths.map { $0 - Datagram.overhead }.filter { $0 >= payload.count }.map {
        payload.padded(to: $0)
    }
}

@Suite struct MessageCodecTests {
    @Test(arguments: OperationCode.allCases)
    func `a request decodes to what was encoded, however it is padded`(operation: OperationCode) {
        var generator = SplitMix64(seed: UInt64(operation.rawValue))
        for _ in 0..<60 {
            let request = generator.request(operation)
            let payload = MessageCodec.encode(request)
            #expect(decodeRequest(operation.rawValue, payload) == request)
            for padded in paddings(payload) { #expect(decodeRequest(operation.rawValue, padded) == request) }
        }
    }

    @Test(arguments: OperationCode.allCases)
    func `a response decodes to what was encoded, however it is padded`(operation: OperationCode) {
        var generator = SplitMix64(seed: 100 + UInt64(operation.rawValue))
        for _ in 0..<60 {
            let response = generator.response(to: operation)
            let (status, payload) = MessageCodec.encode(response, room: Datagram.maximumPayload)
            for padded in paddings(payload) + [payload] {
                #expect(decodeResponse(operation.rawValue, status, padded) == response)
            }
        }
    }

    @Test(arguments: OperationCode.allCases)
    func `every truncation of a request is malformed`(operation: OperationCode) {
        var generator = SplitMix64(seed: 200 + UInt64(operation.rawValue))
        for _ in 0..<8 {
            let payload = MessageCodec.encode(generator.request(operation))
            for count in 0..<payload.count {
                #expect(decodeRequest(operation.rawValue, Array(payload[..<count])) == nil)
            }
        }
    }

    @Test(arguments: OperationCode.allCases)
    func `every truncation of a response is malformed`(operation: OperationCode) {
        var generator = SplitMix64(seed: 300 + UInt64(operation.rawValue))
        for _ in 0..<12 {
            let (status, payload) = MessageCodec.encode(generator.response(to: operation), room: 1012)
            // A conflict without its record is a conflict with none.
            for count in (status == MessageCodec.Status.conflict ? 1 : 0)..<max(payload.count, 1)
            where count < payload.count {
                #expect(decodeResponse(operation.rawValue, status, Array(payload[..<count])) == nil)
            }
        }
    }

    @Test(arguments: OperationCode.allCases)
    func `padding that is not zero is malformed`(operation: OperationCode) {
        var generator = SplitMix64(seed: 400 + UInt64(operation.rawValue))
        for _ in 0..<10 {
            let request = MessageCodec.encode(generator.request(operation))
            let (status, response) = MessageCodec.encode(generator.response(to: operation), room: 1000)
            for offset in [0, 1, 7] {
                let padding = [UInt8](repeating: 0, count: offset) + [1, 0]
                #expect(decodeRequest(operation.rawValue, request + padding) == nil)
                #expect(decodeResponse(operation.rawValue, status, response + padding) == nil)
            }
        }
    }

    @Test func `whatever decodes encodes to the same bytes`() {
        var generator = SplitMix64(seed: 5)
        var decoded = 0
        for _ in 0..<20_000 {
            let operation = UInt8(generator.number(0...6))
            let status = UInt8(generator.number(0...10))
            var payload = generator.bytes(generator.number(0...40))
            // Small numbers are what flags, counts and families are made of.
            for index in payload.indices where generator.chance() { payload[index] %= 7 }
            if let request = decodeRequest(operation, payload) {
                #expect(MessageCodec.encode(request).padded(to: payload.count) == payload)
                decoded += 1
            }
            if let response = decodeResponse(operation, status, payload) {
                let (again, bytes) = MessageCodec.encode(response, room: 1012)
                #expect(again == status)
                #expect(bytes.padded(to: payload.count) == payload)
                decoded += 1
            }
        }
        #expect(decoded > 20)
    }

    @Test func `a retry answers any operation and says nothing`() {
        for operation in OperationCode.allCases {
            #expect(decodeResponse(operation.rawValue, 1, [UInt8](repeating: 0, count: 36)) == .retry)
            #expect(decodeResponse(operation.rawValue, 1, [0, 1]) == nil)
        }
    }

    @Test(arguments: [0, 7, 8, 127, 128, 255] as [UInt8])
    func `an unknown operation is malformed`(operation: UInt8) {
        #expect(decodeRequest(operation, [UInt8](repeating: 0, count: 36)) == nil)
        for status in 0...10 as ClosedRange<UInt8> {
            #expect(decodeResponse(operation, status, [UInt8](repeating: 0, count: 36)) == nil)
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt8])
    func `statuses 2 to 7 answer a store only`(operation: UInt8) {
        for status in 2...7 as ClosedRange<UInt8> {
            #expect(decodeResponse(operation, status, [UInt8](repeating: 0, count: 36)) == nil)
            #expect(decodeResponse(4, status, [UInt8](repeating: 0, count: 36)) != nil)
        }
    }

    @Test(arguments: [1, 7, 255] as [UInt8])
    func `a request has no status`(status: UInt8) {
        #expect(decodeRequest(1, [0]) != nil)
        #expect(decodeRequest(1, [0], status: status) == nil)
    }

    @Test func `an IPv4-mapped address is malformed`() {
        let mapped = [6] + [UInt8](repeating: 0, count: 10) + [255, 255, 192, 0, 2, 7, 15, 160]
        #expect(decodeResponse(1, 0, mapped + [0]) == nil)
        #expect(decodeResponse(2, 0, [1] + Identity.named("bob").bytes + mapped) == nil)
    }

    @Test(arguments: [0, 1, 5, 7, 46, 255] as [UInt8])
    func `another address family is malformed`(family: UInt8) {
        #expect(decodeResponse(1, 0, [family, 192, 0, 2, 7, 15, 160].padded(to: 36)) == nil)
    }

    @Test func `a total below the number of records is malformed`() {
        let stone = record(by: "alice")
        let payload = { (total: UInt8) in [0, total, 1] + stone.bytes + [0] }
        #expect(decodeResponse(3, 0, payload(1)) == .values([stone], total: 1, closer: []))
        #expect(decodeResponse(3, 0, payload(0)) == nil)
    }

    @Test func `prefixes end at the first zero`() {
        let prefixes: [UInt8] = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]
        #expect(
            decodeResponse(4, 0, prefixes.padded(to: 36)) == .stored(.init(lifetime: 9, closest: [1, 2]))
        )
        #expect(
            decodeResponse(4, 0, (prefixes.prefix(8) + [0, 0, 0, 0, 0, 0, 0, 2]).padded(to: 36)) == nil
        )
    }

    @Test func `who hides a record is told by the beginning of the node id`() {
        let alice = Identity.named("alice")
        let receipt = Response.Receipt(lifetime: 9, hiddenBy: .author(alice), closest: [1])
        let (status, payload) = MessageCodec.encode(.stored(receipt), room: 36)
        let read = Response.Receipt(lifetime: 9, hiddenBy: .place(alice.nodeID.prefix), closest: [1])
        #expect(decodeResponse(4, status, payload) == .stored(read))
    }

    @Test func `a node whose prefix is zero goes unnamed`() {
        let (status, payload) = MessageCodec.encode(
            .stored(.init(lifetime: 9, closest: [0, 1, 0, 2])),
            room: 36
        )
        #expect(decodeResponse(4, status, payload) == .stored(.init(lifetime: 9, closest: [1, 2])))
    }
}
