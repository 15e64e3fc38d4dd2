import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Responses in too small a datagram: `docs/protocol.md`, section 5.
@Suite struct MessageRoomTests {
    private static let rooms = Datagram.lengths.map { $0 - Datagram.overhead }

    private func contacts(_ count: Int, isIPv6: Bool = false) -> [Contact] {
        (0..<count).map { number in
            let host = UInt16(number + 1)
            let endpoint: Endpoint = isIPv6 ? .ipv6(subnet: 1, host: host) : .host(UInt8(host))
            return .named("contact \(number)", at: endpoint)
        }
    }

    @Test(arguments: [(36, 0), (292, 7), (548, 8), (804, 8), (1012, 8)])
    func `a list of contacts loses its tail`(room: Int, count: Int) {
        let (status, payload) = MessageCodec.encode(.nodes(contacts(8)), room: room)
        #expect(payload.count <= room)
        let expected: Response = count == 0 ? .retry : .nodes(Array(contacts(8).prefix(count)))
        #expect(decodeResponse(2, status, payload) == expected)
    }

    @Test func `contacts and none are told by what was to be told`() {
        #expect(MessageCodec.encode(.nodes([]), room: 36) == (0, [0]))
        #expect(MessageCodec.encode(.nodes(contacts(1)), room: 36) == (1, []))
        #expect(
            MessageCodec.encode(.nodes(contacts(1)), room: 41) == (
                0, [1] + MessageCodecTests.bytes(contacts(1))
            )
        )
    }

    @Test func `of seventeen contacts sixteen are sent`() {
        let (status, payload) = MessageCodec.encode(.nodes(contacts(17)), room: 1012)
        #expect(decodeResponse(2, status, payload) == .nodes(contacts(16)))
    }

    @Test func `the answer to a first contact names eight that have addresses of both families`() {
        let eight = (0..<8).map { number in
            let identity = Identity.named("contact \(number)")
            return Contact(
                identity: identity,
                id: identity.nodeID,
                endpoint: .host(UInt8(number + 1)),
                other: .ipv6(subnet: 1, host: UInt16(number + 1))
            )
        }
        let (status, payload) = MessageCodec.encode(.nodes(eight), room: 768 - Datagram.overhead)
        #expect(decodeResponse(2, status, payload) == .nodes(eight))
    }

    @Test func `the largest record leaves room for three contacts`() {
        let large = record(
            by: "alice",
            key: String(repeating: "k", count: 128),
            value: [UInt8](repeating: 1, count: 640)
        )
        #expect(large.bytes.count == 881)
        let response = Response.values([large], total: 1, closer: contacts(8))
        let (status, payload) = MessageCodec.encode(response, room: 1012)
        #expect(decodeResponse(3, status, payload) == .values([large], total: 1, closer: contacts(3)))
    }

    @Test func `records come before contacts and keep their order`() {
        let records = (0..<6).map { record(by: "author \($0)", value: [UInt8](repeating: 1, count: 200)) }
        let response = Response.values(records, total: 6, closer: contacts(8))
        let (status, payload) = MessageCodec.encode(response, room: 1012)
        let decoded = decodeResponse(3, status, payload)
        guard case .values(let sent, let total, let closer) = decoded else {
            Issue.record("\(String(describing: decoded))")
            return
        }
        #expect(sent == Array(records.prefix(3)))
        #expect(total == 6)
        #expect(closer == Array(contacts(8).prefix(closer.count)))
        #expect(payload.count <= 1012)
    }

    @Test func `records of which none fits are asked for again`() {
        let records = [record(by: "alice", value: [UInt8](repeating: 1, count: 300))]
        #expect(MessageCodec.encode(.values(records, total: 1, closer: []), room: 292) == (1, []))
        #expect(MessageCodec.encode(.values(records, total: 1, closer: contacts(8)), room: 292) == (1, []))
    }

    @Test func `values of which there are none are no retry`() {
        #expect(MessageCodec.encode(.values([], total: 0, closer: []), room: 36) == (0, [0, 0, 0, 0]))
        #expect(MessageCodec.encode(.values([], total: 0, closer: contacts(8)), room: 36) == (1, []))
    }

    @Test(arguments: rooms)
    func `nothing is longer than its room, and what is sent decodes`(room: Int) {
        var generator = SplitMix64(seed: UInt64(room))
        for operation in OperationCode.allCases {
            for _ in 0..<40 {
                let response = generator.response(to: operation)
                let (status, payload) = MessageCodec.encode(response, room: room)
                #expect(payload.count <= room)
                #expect(decodeResponse(operation.rawValue, status, payload.padded(to: room)) != nil)
            }
        }
    }

    @Test func `a receipt fits the smallest datagram`() {
        let receipt = Response.Receipt(lifetime: .max, closest: Array(1...20))
        let (status, payload) = MessageCodec.encode(.stored(receipt), room: 36)
        #expect(payload.count == 36)
        #expect(decodeResponse(4, status, payload) == .stored(.init(lifetime: .max, closest: Array(1...7))))
    }

    @Test func `more endpoints than fit are left out`() {
        let endpoints = (0..<300).map { Endpoint(ipv4: 0x0A00_0000 + UInt32($0), port: 4000) }
        let pong = Response.pong(observed: .host(1), endpoints: endpoints)
        let counts = Self.rooms.map { room -> Int? in
            let (status, payload) = MessageCodec.encode(pong, room: room)
            guard case .pong(_, let sent, nil, nil) = decodeResponse(1, status, payload) else { return nil }
            #expect(sent == Array(endpoints.prefix(sent.count)))
            return sent.count
        }
        #expect(counts == [3, 40, 77, 113, 143])
    }

    @Test func `a view is told beside an IPv6 address in the smallest datagram`() {
        let view = Response.View(
            clock: 1_790_000_000_123,
            state: .bad,
            lastAnswered: .seconds(3600),
            roundTrip: .microseconds(1500)
        )
        let pong = Response.pong(observed: .ipv6(subnet: 1, host: 2), endpoints: [], view: view)
        let (status, payload) = MessageCodec.encode(pong, room: 36)
        #expect(payload.count == 36)
        #expect(decodeResponse(1, status, payload) == pong)
    }

    @Test func `a view gives way to endpoints`() {
        let view = Response.View(clock: 1)
        let endpoints = [Endpoint.host(2), .ipv6(subnet: 1, host: 2)]
        let pong = Response.pong(observed: .host(1), endpoints: endpoints, view: view)
        let (status, payload) = MessageCodec.encode(pong, room: 36)
        #expect(decodeResponse(1, status, payload) == .pong(observed: .host(1), endpoints: endpoints))
        let (_, whole) = MessageCodec.encode(pong, room: 292)
        #expect(decodeResponse(1, status, whole) == pong)
    }

    @Test func `a view that is out of range says the nearest there is`() {
        let extreme = Response.View(
            clock: .max,
            lastAnswered: Interval(nanoseconds: .max),
            roundTrip: Interval(nanoseconds: 0)
        )
        let pong = Response.pong(observed: .host(1), endpoints: [], view: extreme)
        let (status, payload) = MessageCodec.encode(pong, room: 36)
        let told = Response.View(
            clock: Revision.latest,
            lastAnswered: .seconds(UInt64(UInt32.max) - 1),
            roundTrip: .microseconds(1)
        )
        #expect(
            decodeResponse(1, status, payload) == .pong(observed: .host(1), endpoints: [], view: told)
        )
    }

    @Test func `a record that does not fit is left out of a conflict`() {
        let standing = record(by: "alice")
        #expect(MessageCodec.encode(.conflict(standing), room: 36) == (2, []))
        #expect(MessageCodec.encode(.conflict(standing), room: 292) == (2, standing.bytes))
    }
}

extension MessageCodecTests {
    /// Contacts as section 7 writes them, by hand.
    static func bytes(_ contacts: [Contact]) -> [UInt8] {
        contacts.flatMap { contact in
            var bytes = contact.identity.bytes + [UInt8(contact.endpoints.count)]
            for endpoint in contact.endpoints {
                bytes += [endpoint.family.rawValue] + endpoint.addressBytes
                bytes.appendBigEndian(endpoint.port)
            }
            return bytes
        }
    }
}
