import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Promises P3 and P7: what is accepted was signed by its sender for this recipient, overlay and direction, a
/// response for this very request. The attacker holds the network key: it masks headers as it likes, and no
/// box opens behind another header than its own.
@Suite struct GateSplicingTests {
    private let list = members("alice", "bob", "carol")

    /// The datagram with its header masked for somebody else, and perhaps changed.
    private func remasked(
        _ datagram: [UInt8],
        of recipient: Identity,
        for other: Identity,
        _ change: (inout [UInt8]) -> Void = { _ in }
    ) -> [UInt8] {
        let network = networkKey("home")
        guard var header = network.headerKey(for: recipient).open(datagram[24..<120], nonce: datagram[0..<24])
        else {
            preconditionFailure("not for \(recipient)")
        }
        change(&header)
        var bytes = Array(datagram[0..<24])
        network.headerKey(for: other).seal(header, appendingTo: &bytes)
        return bytes + datagram[120...]
    }

    @Test func `a header masked anew, unchanged, still passes`() {
        let (alice, bob) = friends()
        let datagram = remasked(alice.ask(bob), of: bob.identity, for: bob.identity)
        #expect(bob.hear(datagram, from: alice) == .live(ping))
    }

    @Test func `a datagram for another recipient does not open`() {
        let (alice, bob) = friends()
        let carol = Party("carol", at: .host(3), admitting: list)
        #expect(carol.hear(alice.ask(bob), from: alice) == .dropped(.header))
    }

    @Test func `a request masked for another recipient is not for its key`() {
        let (alice, bob) = strangers()
        let carol = Party("carol", at: .host(3), admitting: list)
        let datagram = remasked(alice.ask(bob), of: bob.identity, for: carol.identity)
        #expect(carol.hear(datagram, from: alice) == .dropped(.box))
        let known = remasked(friends().alice.ask(bob), of: bob.identity, for: carol.identity)
        #expect(carol.hear(known, from: alice) == .dropped(.key))
    }

    @Test func `a member cannot pass a request on as if it were for another`() {
        // Bob opens what Alice signed for him and boxes it for Carol: it says that it is for Bob.
        let (alice, _) = friends()
        let carol = Party("carol", at: .host(3), admitting: list)
        let forBob = Forgery.request(from: "alice", to: "bob", counter: 5000)
        var forCarol = Forgery.request(from: "alice", to: "carol", counter: 5000).boxed(
            by: "bob"
        )
        forCarol.signer = "bob"
        #expect(carol.hear(forCarol.datagram, from: alice) == .dropped(.signature))
        // The very signature and body of the first, in a box that Bob can make.
        #expect(forCarol.nonce == forBob.nonce)
        #expect(carol.hear(forCarol.boxing(forBob.contents), from: alice) == .dropped(.signature))
    }

    @Test func `a request thrown back at its sender opens nothing`() {
        let (alice, bob) = friends()
        let request = alice.ask(bob)
        #expect(alice.hear(request, from: bob) == .dropped(.header))
        #expect(
            alice.hear(remasked(request, of: bob.identity, for: alice.identity), from: bob) == .dropped(.self)
        )
    }

    @Test func `a request dressed as a response is not one`() {
        let (alice, bob) = friends()
        _ = bob.ask(alice, transaction: 1)
        let request = alice.ask(bob, transaction: 1)
        // Where a request has its counter a response names its request.
        let name: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1]
        let dressed = remasked(request, of: bob.identity, for: bob.identity) {
            ($0[1], $0[8..<16]) = (2, name[...])
        }
        #expect(bob.hear(dressed, from: alice) == .dropped(.box))
    }

    @Test func `a response dressed as a request is not one`() {
        let (alice, bob) = friends()
        let response = bob.answer(
            alice.ask(bob, .findNode(target: NodeID(firstByte: 0))),
            from: alice,
            with: .nodes([])
        )
        let dressed = remasked(response, of: alice.identity, for: alice.identity) { $0[1] = 1 }
        #expect(alice.hear(dressed, from: bob) == .dropped(.box))
        #expect(alice.hear(response, from: bob) == .answer(.nodes([])))
    }

    @Test func `the response to another request is not taken for this one's`() {
        // The same transaction, asked twice by requests that differ: the first answer is for the first alone.
        let (alice, bob) = friends()
        let stale = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        alice.gate.close(7)
        let fresh = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        #expect(alice.hear(stale, from: bob) == .dropped(.signature))
        #expect(!alice.hear(fresh, from: bob).isDropped)
    }

    @Test func `the response to another's request is not taken`() {
        let (alice, bob) = friends()
        let carol = Party("carol", at: .host(3), admitting: list)
        _ = alice.ask(bob, transaction: 7)
        let response = bob.answer(carol.ask(bob, transaction: 7), from: carol)
        let passedOn = remasked(response, of: carol.identity, for: alice.identity)
        #expect(alice.hear(passedOn, from: bob) == .dropped(.key))
    }

    @Test func `a response by another member is not taken`() {
        let (alice, bob) = friends()
        let carol = Party("carol", at: .host(3), admitting: list)
        _ = alice.ask(bob, transaction: 7)
        let digest = alice.digest(of: 7)
        let carols = Forgery.response(.retry, from: "carol", to: "alice", transaction: 7, digest: digest)
        #expect(alice.hear(carols.datagram, from: carol) == .dropped(.unsolicited))
        #expect(alice.hear(carols.datagram, from: bob) == .dropped(.unsolicited))
        let inBobsName = carols.with(\.sender, bob.identity)
        #expect(alice.hear(inBobsName.datagram, from: bob) == .dropped(.signature))
    }

    @Test func `a response from another address is not taken`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob), from: alice)
        #expect(alice.hear(response, from: bob, at: .host(2, port: 4001)) == .dropped(.unsolicited))
        #expect(alice.hear(response, from: bob, at: .host(3)) == .dropped(.unsolicited))
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `a response from one of two addresses asked is not taken for the other's`() {
        let (alice, bob) = friends()
        let moved = Party("bob", at: .host(9), admitting: list)
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        _ = alice.ask(moved, transaction: 8)
        #expect(alice.hear(response, from: moved) == .dropped(.unsolicited))
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `of two peers at one address each answers for itself`() {
        let (alice, bob) = friends()
        let carol = Party("carol", at: bob.endpoint, admitting: list)
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        _ = alice.ask(carol, transaction: 8)
        let carols = Forgery.response(
            .retry,
            from: "carol",
            to: "alice",
            transaction: 7,
            digest: alice.digest(of: 7)
        )
        #expect(alice.hear(carols.datagram, from: carol) == .dropped(.unsolicited))
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `a response to another operation is not taken`() {
        let (alice, bob) = friends()
        _ = alice.ask(bob, transaction: 7)
        let forgery = Forgery.response(
            .nodes([]),
            operation: .findNode,
            from: "bob",
            to: "alice",
            transaction: 7,
            digest: alice.digest(of: 7)
        )
        #expect(alice.hear(forgery.datagram, from: bob) == .dropped(.mismatch))
    }

    @Test func `what was signed for another overlay is not accepted`() {
        // Somebody who holds both network keys carries a datagram across; or its contents, with the box key.
        let (alice, bob) = friends()
        let there = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.network,
            "elsewhere"
        )
        let carried = there.with(\.network, "home").boxing(there.contents)
        #expect(bob.hear(Array(carried[..<120]) + there.datagram[120...], from: alice) == .dropped(.box))
        #expect(bob.hear(carried, from: alice) == .dropped(.signature))
    }

    @Test(arguments: [4, 7, 8, 12, 15])
    func `a header field changed by a holder of the network key is not what was signed`(offset: Int) {
        let (alice, bob) = friends()
        let request = alice.ask(bob)
        let changed = remasked(request, of: bob.identity, for: bob.identity) { $0[offset] ^= 1 }
        #expect(bob.hear(changed, from: alice) == .dropped(offset < 8 ? .key : .box))
        #expect(bob.hear(request, from: alice) == .live(ping))
    }

    @Test func `a captured request under other counters spends nothing of its sender's budget`() {
        var limits = Gate.Limits()
        limits.requestsByPeer = 1
        let (alice, bob) = (
            Party("alice", at: .host(1), admitting: list),
            Party("bob", at: .host(2), admitting: list, limits: limits)
        )
        alice.meet(bob)
        let captured = alice.ask(bob)
        for counter in 1...50 as ClosedRange<UInt8> {
            let changed = remasked(captured, of: bob.identity, for: bob.identity) { $0[15] = 100 + counter }
            #expect(bob.hear(changed, from: alice) == .dropped(.box))
        }
        #expect(bob.hear(captured, from: alice) == .live(ping))
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
    }

    // MARK: P7: a thief of Bob's long-term key talks to Bob

    @Test func `the thief of my key opens my boxes but cannot sign as another`() {
        let (_, bob) = friends()
        let carol = Party("carol", at: .host(3), admitting: list)
        // With Bob's static secret key the thief knows the key he shares with any box key, such as Carol's.
        var datagram = Forgery.request(from: "carol", to: "bob", counter: 5000)
        let contents = signingKey("bob").sign(datagram.signedInput) + datagram.body
        var bytes = datagram.nonce
        networkKey("home").headerKey(for: bob.identity)
            .seal(datagram.header, appendingTo: &bytes)
        var slab = SharedKeySlab(capacity: 1)
        #expect(
            slab.derive(0, from: signingKey("bob").staticBoxKey(), and: boxKey("carol").publicKey) == true
        )
        slab.seal(0, contents, appendingTo: &bytes)
        #expect(bob.hear(bytes, from: carol) == .dropped(.signature))
        // The box is as good as Carol's own: her signature in it is what was missing.
        datagram.signer = "carol"
        #expect(bob.hear(datagram.datagram, from: carol) == .firstContact(ping))
    }

    @Test func `nor can it answer me as another`() {
        let (alice, bob) = friends()
        _ = bob.ask(alice, transaction: 7)
        let answer = Forgery.response(
            .pong(observed: bob.endpoint, endpoints: []),
            from: "alice",
            to: "bob",
            transaction: 7,
            digest: bob.digest(of: 7)
        )
        #expect(bob.hear(answer.with(\.signer, "bob").datagram, from: alice) == .dropped(.signature))
        #expect(!bob.hear(answer.datagram, from: alice).isDropped)
    }
}
