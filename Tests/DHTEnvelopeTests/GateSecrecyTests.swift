import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Promise P6: box keys are rotated away, and with them what was said to them.
@Suite struct GateSecrecyTests {
    private static let day: UInt64 = 86_400

    /// A request for Bob's first box key, by somebody who knows it still.
    private func request(number: UInt64) -> [UInt8] {
        Forgery.request(
            from: "alice",
            to: "bob",
            keyID: boxKey("bob").publicKey.id,
            counter: 1_000_000 + number
        ).datagram
    }

    @Test func `a box key is replaced after a day and opens for one day more`() {
        let (alice, bob) = friends()
        let first = bob.gate.keys.boxPublicKey
        bob.gate.advance(to: at(Self.day - 1))
        #expect(bob.gate.keys.boxPublicKey == first)
        bob.gate.advance(to: at(Self.day))
        #expect(bob.gate.keys.boxPublicKey != first)
        #expect(bob.hear(request(number: 1), from: alice, now: at(Self.day)) == .live(ping))
        bob.gate.advance(to: at(2 * Self.day - 1))
        #expect(bob.hear(request(number: 2), from: alice, now: at(2 * Self.day - 1)) == .live(ping))
        bob.gate.advance(to: at(2 * Self.day))
        #expect(bob.hear(request(number: 3), from: alice, now: at(2 * Self.day)) == .dropped(.key))
        #expect(!bob.hasCached(boxKey("alice").publicKey, own: first.id))
    }

    @Test func `the gate says when its key is due`() {
        let (_, bob) = friends()
        #expect(bob.gate.nextDeadline == at(Self.day))
        bob.gate.advance(to: at(Self.day))
        #expect(bob.gate.nextDeadline == at(2 * Self.day))
        bob.gate.advance(to: at(2 * Self.day + 500))
        #expect(bob.gate.nextDeadline == at(3 * Self.day + 500))
    }

    @Test func `nothing rotates before its time`() {
        let (_, bob) = friends()
        let first = bob.gate.keys.boxPublicKey
        for second in stride(from: 0, to: Self.day, by: 3600) { bob.gate.advance(to: at(second)) }
        #expect(bob.gate.keys.boxPublicKey == first)
    }

    @Test func `an answer to the key before is still read`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, now: at(Self.day - 1)), from: alice, now: at(Self.day - 1))
        alice.gate.advance(to: at(Self.day))
        #expect(!alice.hear(response, from: bob, now: at(Self.day)).isDropped)
    }

    @Test func `peers follow each other's rotations`() {
        let (alice, bob) = friends()
        for period in 1...4 as ClosedRange<UInt64> {
            let now = at(period * Self.day)
            alice.gate.advance(to: now)
            bob.gate.advance(to: now)
            let response = bob.answer(alice.ask(bob, now: now), from: alice, now: now)
            #expect(!alice.hear(response, from: bob, now: now).isDropped)
            #expect(bob.hear(alice.ask(bob, now: now), from: alice, now: now) == .live(ping))
            #expect(bob.hasCached(alice.gate.keys.boxPublicKey, own: bob.gate.keys.boxPublicKey.id))
        }
    }

    @Test func `a response is for the box key of its request, never for a long-term key`() throws {
        let (alice, bob) = strangers()
        let first = bob.answer(alice.ask(bob), from: alice)
        let network = networkKey("home")
        let opened = network.headerKey(for: alice.identity).open(first[24..<120], nonce: first[0..<24])
        guard case .header(let header) = Header.decode(try #require(opened)) else {
            Issue.record("no header")
            return
        }
        #expect(header.kind == .response)
        #expect(header.recipientKeyID == alice.gate.keys.boxPublicKey.id)
        // The thief of both long-term keys derives what they share, and opens nothing.
        var slab = SharedKeySlab(capacity: 1)
        for (mine, theirs) in [
            ("alice", boxKey("bob").publicKey), ("alice", Identity.named("bob").staticBoxKey!),
        ] {
            #expect(slab.derive(0, from: signingKey(mine).staticBoxKey(), and: theirs) == true)
            let isOpen = unsafe slab.open(0, in: first, from: 120) { _ in }
            #expect(!isOpen)
        }
        // The box keys of that time open it.
        #expect(slab.derive(0, from: boxKey("alice"), and: boxKey("bob").publicKey) == true)
        let isOpen = unsafe slab.open(0, in: first, from: 120) { _ in }
        #expect(isOpen)
    }

    @Test func `a request to a peer already spoken to is not for its long-term key`() {
        let (alice, bob) = friends()
        let request = alice.ask(bob)
        var slab = SharedKeySlab(capacity: 1)
        #expect(
            slab.derive(0, from: signingKey("bob").staticBoxKey(), and: boxKey("alice").publicKey) == true
        )
        let isOpen = unsafe slab.open(0, in: request, from: 120) { _ in }
        #expect(!isOpen)
    }

    @Test func `a restart makes the key of before unknown`() {
        let (alice, bob) = friends()
        let request = alice.ask(bob)
        let reborn = Party("bob", at: .host(2), admitting: members("alice", "bob"), boxKey: "new")
        #expect(reborn.hear(request, from: alice) == .dropped(.key))
    }
}
