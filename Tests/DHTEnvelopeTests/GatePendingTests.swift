import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Limits on junk limit junk only.
@Suite struct GatePendingTests {
    /// A response by somebody who holds the network key, saw the request's header and its answer's, and so
    /// knows where it went and what it is called.
    private func forged(_ number: Int, transaction: UInt64, box name: String? = nil) -> [UInt8] {
        Forgery.response(
            .retry,
            from: "bob",
            to: "alice",
            transaction: transaction,
            digest: [UInt8](repeating: 0, count: 32)
        ).boxed(by: name ?? "mallory \(number)").with(\.signer, "mallory").datagram
    }

    @Test func `who does not know what the request is called gets no further than its header`() {
        let (alice, bob) = strangers()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        for number in 0..<1000 {
            let junk = forged(number, transaction: UInt64(1000 + number))
            #expect(alice.hear(junk, from: bob) == .dropped(.unsolicited))
        }
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `three in vain under unknown keys, and no more of those are looked at`() {
        let (alice, bob) = strangers()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        for number in 0..<3 {
            #expect(alice.hear(forged(number, transaction: 7), from: bob) == .dropped(.signature))
        }
        #expect(alice.hear(forged(3, transaction: 7), from: bob) == .dropped(.lane))
        // Of a peer whose box key is not known the answer is one of those.
        #expect(alice.hear(response, from: bob) == .dropped(.lane))
    }

    @Test func `an answer under a known key is never shut out by them`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, transaction: 7), from: alice)
        for number in 0..<10 {
            let verdict = alice.hear(forged(number, transaction: 7), from: bob)
            #expect(verdict == .dropped(number < 3 ? .signature : .lane))
        }
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `what a peer signs badly under its own key is looked at three times`() {
        let (alice, bob) = friends()
        _ = alice.ask(bob, transaction: 7)
        for number in 0..<5 {
            let verdict = alice.hear(forged(number, transaction: 7, box: "bob"), from: bob)
            #expect(verdict == .dropped(number < 3 ? .signature : .unsolicited))
        }
    }

    @Test func `failures under unknown keys have a rate of their own, in all`() {
        let (alice, bob) = strangers()
        var verdicts: [Outcome: Int] = [:]
        for transaction in 0..<80 as Range<UInt64> {
            _ = alice.ask(bob, transaction: 100 + transaction)
            for number in 0..<3 {
                let junk = forged(number, transaction: 100 + transaction)
                verdicts[alice.hear(junk, from: bob), default: 0] += 1
            }
        }
        #expect(verdicts == [.dropped(.signature): 200, .dropped(.lane): 40])
        // A second later there is room again.
        _ = alice.ask(bob, transaction: 999, now: at(1))
        #expect(alice.hear(forged(0, transaction: 999), from: bob, now: at(1)) == .dropped(.signature))
    }

    @Test func `the next request is not affected, nor one to another peer`() {
        let (alice, bob) = strangers()
        let carol = Party("carol", at: .host(3), admitting: members("alice", "bob", "carol"))
        _ = alice.ask(bob, transaction: 7)
        for number in 0..<4 { _ = alice.hear(forged(number, transaction: 7), from: bob) }
        let response = bob.answer(alice.ask(bob, transaction: 8), from: alice)
        #expect(!alice.hear(response, from: bob).isDropped)
        let other = carol.answer(alice.ask(carol, transaction: 9), from: alice)
        #expect(!alice.hear(other, from: carol).isDropped)
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
