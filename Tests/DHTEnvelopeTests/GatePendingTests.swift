import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Responses that cost a public-key operation in vain: three to a request, and no more are looked at.
@Suite struct GatePendingTests {
    /// Responses by somebody who holds the network key and saw where the request went.
    private func forged(_ number: Int, transaction: UInt64) -> [UInt8] {
        Forgery.response(
            .retry,
            from: "bob",
            to: "alice",
            transaction: transaction,
            digest: [UInt8](repeating: 0, count: 32)
        ).boxed(by: "mallory \(number)").with(\.signer, "mallory").datagram
    }

    @Test func `three in vain and the answer is not looked at`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        for number in 0..<3 {
            #expect(alice.hear(forged(number, transaction: 7), from: bob) == .dropped(.signature))
        }
        #expect(alice.hear(forged(3, transaction: 7), from: bob) == .dropped(.unsolicited))
        #expect(alice.hear(response, from: bob) == .dropped(.unsolicited))
    }

    @Test func `two in vain do no harm`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        for number in 0..<2 {
            #expect(alice.hear(forged(number, transaction: 7), from: bob) == .dropped(.signature))
        }
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `the next request is not affected`() {
        let (alice, bob) = friends()
        _ = alice.ask(bob, transaction: 7)
        for number in 0..<4 { _ = alice.hear(forged(number, transaction: 7), from: bob) }
        let response = bob.answer(alice.ask(bob, transaction: 8), from: alice)
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `a request to another peer is not affected`() {
        let (alice, bob) = friends()
        let carol = Party("carol", at: .host(3), admitting: members("alice", "bob", "carol"))
        _ = alice.ask(bob, transaction: 7)
        let response = carol.answer(alice.ask(carol, transaction: 8), from: alice)
        for number in 0..<4 { _ = alice.hear(forged(number, transaction: 7), from: bob) }
        #expect(!alice.hear(response, from: carol).isDropped)
    }

    @Test func `forgeries from elsewhere do not count`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        for number in 0..<9 {
            let verdict = alice.hear(forged(number, transaction: 7), from: bob, at: .host(UInt8(10 + number)))
            #expect(verdict == .dropped(.unsolicited))
        }
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `garbage does not count`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        var generator = SplitMix64(seed: 1)
        for _ in 0..<20 { #expect(alice.hear(generator.bytes(256), from: bob) == .dropped(.header)) }
        for index in 120..<140 {
            #expect(alice.hear(response.flipping(1, at: index), from: bob) == .dropped(.box))
        }
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `a forged response leaves the caches alone`() {
        let (alice, bob) = friends()
        _ = alice.ask(bob, transaction: 7)
        let before = alice.memory
        for number in 0..<4 { _ = alice.hear(forged(number, transaction: 7), from: bob) }
        #expect(alice.memory == before)
        for number in 0..<4 {
            #expect(
                !alice.hasCached(boxKey("mallory \(number)").publicKey, own: boxKey("alice").publicKey.id)
            )
        }
        #expect(alice.hasProved(bob))
    }
}
