import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// The tests' own forgeries must pass when nothing is wrong with them, or their failing shows nothing.
@Suite struct ForgeryTests {
    @Test func `a request made by hand passes`() {
        let (alice, bob) = strangers()
        let datagram = Forgery.request(from: "alice", to: "bob", counter: 1).datagram
        #expect(bob.hear(datagram, from: alice) == .firstContact(ping))
    }

    @Test func `a request made by hand for a box key passes`() {
        let (alice, bob) = strangers()
        let keyID = boxKey("bob").publicKey.id
        let datagram = Forgery.request(from: "alice", to: "bob", keyID: keyID, counter: 1)
            .datagram
        #expect(bob.hear(datagram, from: alice) == .firstContact(ping))
    }

    @Test func `a response made by hand passes`() throws {
        let (alice, bob) = strangers()
        _ = alice.ask(bob, transaction: 7)
        let digest = try #require(alice.gate.pending[7]?.transmissions.first?.digest.bytes)
        let pong = Response.pong(observed: .host(1), endpoints: [])
        let forgery = Forgery.response(pong, from: "bob", to: "alice", transaction: 7, digest: digest)
        #expect(alice.hear(forgery.datagram, from: bob) == .answer(pong))
    }
}
