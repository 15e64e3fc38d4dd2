import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Every byte of a datagram is under some MAC, and a change of any is noticed without an answer.
@Suite struct GateFlipTests {
    /// What a flip at that offset of a datagram in the known lane must come to.
    private func reason(_ offset: Int) -> DropReason { offset < 120 ? .header : .box }

    @Test(arguments: Datagram.lengths)
    func `a request with any byte changed is dropped, and the untouched one taken`(length: Int) {
        let (alice, bob) = strangers()
        _ = bob.hear(alice.ask(bob), from: alice)
        let request = alice.ask(bob, answerLength: length)
        #expect(request.count == length)
        let before = bob.memory
        for offset in request.indices {
            let verdict = bob.hear(request.flipping(0x40, at: offset), from: alice)
            #expect(verdict == .dropped(reason(offset)))
        }
        #expect(bob.memory == before)
        #expect(bob.hear(request, from: alice) == .firstContact(ping))
    }

    @Test(arguments: Datagram.lengths)
    func `a response with any byte changed is dropped, and the untouched one taken`(length: Int) {
        let (alice, bob) = friends()
        let endpoints = (0..<140).map { Endpoint(ipv4: 0x0A00_0000 + UInt32($0), port: 4000) }
        let pong = Response.pong(observed: .host(1), endpoints: Array(endpoints.prefix((length - 229) / 7)))
        let response = bob.answer(alice.ask(bob), from: alice, with: pong)
        #expect(response.count == length)
        let before = alice.memory
        for offset in response.indices {
            let verdict = alice.hear(response.flipping(1, at: offset), from: bob)
            #expect(verdict == .dropped(reason(offset)))
        }
        #expect(alice.memory == before)
        #expect(alice.hear(response, from: bob) == .answer(pong))
    }

    @Test(arguments: [0, 23, 24, 39, 40, 119, 120, 135, 136, 200, 255])
    func `every bit counts`(offset: Int) {
        let (alice, bob) = friends()
        let request = alice.ask(bob)
        let response = bob.answer(alice.ask(bob), from: alice)
        for bit in 0..<8 {
            #expect(bob.hear(request.flipping(1 << bit, at: offset), from: alice) == .dropped(reason(offset)))
            #expect(
                alice.hear(response.flipping(1 << bit, at: offset), from: bob) == .dropped(reason(offset))
            )
        }
        #expect(bob.hear(request, from: alice) == .live(ping))
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `under a good box every byte of signature and body is under the signature`() {
        let (alice, bob) = friends()
        let request = Forgery.request(from: "alice", to: "bob", counter: 5000)
        let contents = request.contents
        for offset in contents.indices {
            let verdict = bob.hear(request.boxing(contents.flipping(1, at: offset)), from: alice)
            // Bytes 64 to 67 are operation, status and reserved; 84 on are payload and padding.
            let isMalformed = (64..<68).contains(offset) || offset > 84
            #expect(verdict == .dropped(isMalformed ? .malformed : .signature))
        }
        #expect(bob.hear(request.datagram, from: alice) == .live(ping))
    }
}
