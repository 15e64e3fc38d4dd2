import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Promise P5: towards an address that has not proved itself a node sends no more than it received.
@Suite struct GateAddressTests {
    /// The longest answers there are.
    private func longAnswer(to request: Request) -> Response {
        let contacts = (1...8).map { Contact.named("carol", at: .ipv6(subnet: 1, host: $0)) }
        let large = record(
            by: "alice",
            key: String(repeating: "k", count: 128),
            value: [UInt8](repeating: 1, count: 640)
        )
        return switch request {
        case .ping:
            .pong(observed: .host(1), endpoints: (0..<200).map { .host(UInt8($0), port: 9) })
        case .findNode: .nodes(contacts)
        case .findValue: .values([large], total: 9, closer: contacts)
        case .store, .passOn: .conflict(large)
        case .findChunk: .chunk([UInt8](repeating: 1, count: 1000))
        case .findRoster: .roster(.sample)
        case .join: .welcome(Welcome.sample.encoded)
        }
    }

    private static let requests: [Request] = [
        ping, .findNode(target: NodeID(firstByte: 1)),
        .findValue(location: NodeID(firstByte: 1), author: nil, offset: 0),
        .findValue(location: NodeID(firstByte: 1), author: .named("carol"), offset: 5),
        .store(record(by: "alice"), condition: nil),
        .findChunk(content: record(by: "alice").digest, part: .piece(1), chunk: 2), .findRoster, .join,
    ]

    @Test(arguments: Datagram.lengths, GateAddressTests.requests)
    func `no tokenless request is answered by more than it is long`(length: Int, request: Request) {
        let (alice, bob) = strangers()
        let datagram = alice.ask(bob, request, answerLength: length)
        #expect(datagram.count >= length)
        let response = bob.answer(datagram, from: alice, with: longAnswer(to: request))
        #expect(response.count <= datagram.count)
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test(arguments: GateAddressTests.requests)
    func `a good token from another address is none`(request: Request) {
        let (alice, bob) = friends()
        let datagram = alice.ask(bob, request)
        guard case .request(let inbound) = bob.gate.receive(datagram, from: .host(66), at: at(0)) else {
            Issue.record("the request was dropped")
            return
        }
        #expect(!inbound.isLive)
        let response = bob.gate.seal(longAnswer(to: request), to: inbound, now: at(0))
        #expect((response?.count ?? 0) <= datagram.count)
    }

    @Test(arguments: GateAddressTests.requests)
    func `a live request is answered in full`(request: Request) {
        let (alice, bob) = friends()
        let answer = longAnswer(to: request)
        let response = bob.answer(alice.ask(bob, request), from: alice, with: answer)
        let (_, payload) = MessageCodec.encode(answer, room: Datagram.maximumPayload)
        #expect(response.count == Datagram.length(forPayload: payload.count))
    }

    @Test func `a spoofed request changes nothing about where the peer is`() {
        let (alice, bob) = friends()
        #expect(bob.hear(alice.ask(bob), from: alice, at: .host(66)) == .firstContact(ping))
        #expect(bob.hasProved(alice))
        #expect(!bob.gate.sessions[alice.identity].map { $0.proved == .host(66) }!)
    }

    @Test func `a dropped datagram is answered by nothing at all`() {
        // There is no way to answer but an inquiry, and a drop has none: said by the types, shown once.
        let (alice, bob) = friends()
        let before = bob.memory
        #expect(bob.hear(alice.ask(bob).flipping(1, at: 0), from: alice) == .dropped(.header))
        #expect(bob.memory == before)
    }
}
