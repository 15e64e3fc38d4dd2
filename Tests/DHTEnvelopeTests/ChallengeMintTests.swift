import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// A node's mint, in a form that expectations can hold.
private final class Mint {
    private var mint = ChallengeMint()

    func challenge(for subject: ChallengeMint.Subject, at now: Instant) -> UInt64 {
        mint.challenge(for: subject, at: now)
    }

    func accepts(_ challenge: UInt64, for subject: ChallengeMint.Subject, at now: Instant) -> Bool {
        mint.accepts(challenge, for: subject, at: now)
    }

    func renew() { mint.renew() }
}

@Suite struct ChallengeMintTests {
    private let mint = Mint()
    private let alice = ChallengeMint.Subject(
        identity: .named("alice"),
        boxKey: boxKey("alice").publicKey,
        endpoint: .host(1),
        generation: 0
    )

    private func alice<Value>(
        _ field: WritableKeyPath<ChallengeMint.Subject, Value>,
        _ value: Value
    ) -> ChallengeMint.Subject {
        var other = alice
        other[keyPath: field] = value
        return other
    }

    @Test func `a challenge is good for its process at its address, and for no other`() {
        let challenge = mint.challenge(for: alice, at: at(7))
        #expect(mint.accepts(challenge, for: alice, at: at(7)))
        let others = [
            alice(\.identity, .named("bob")), alice(\.boxKey, boxKey("bob").publicKey),
            alice(\.endpoint, .host(2)), alice(\.endpoint, .host(1, port: 4001)),
            alice(\.endpoint, .ipv6(subnet: 0, host: 1)), alice(\.generation, 1),
        ]
        for other in others { #expect(!mint.accepts(challenge, for: other, at: at(7))) }
    }

    @Test(arguments: [
        (3599, false), (3600, true), (7199, true), (7200, true), (10_799, true), (10_800, false),
    ])
    func `it is good in its own epoch and the next`(second: UInt64, isGood: Bool) {
        let challenge = mint.challenge(for: alice, at: at(5000))
        #expect(mint.accepts(challenge, for: alice, at: at(second)) == isGood)
    }

    @Test func `in the first epoch there is none before it`() {
        let last = Instant(nanoseconds: .max)
        let challenge = mint.challenge(for: alice, at: last)
        #expect(!mint.accepts(challenge, for: alice, at: at(0)))
    }

    @Test func `it dies with the process that made it, and with the secret`() {
        let challenge = mint.challenge(for: alice, at: at(0))
        #expect(!Mint().accepts(challenge, for: alice, at: at(0)))
        mint.renew()
        #expect(!mint.accepts(challenge, for: alice, at: at(0)))
        #expect(mint.accepts(mint.challenge(for: alice, at: at(0)), for: alice, at: at(0)))
    }

    @Test func `zero is never made and never good`() {
        #expect(!mint.accepts(0, for: alice, at: at(0)))
        for epoch in 0..<200 as Range<UInt64> {
            #expect(mint.challenge(for: alice, at: at(epoch * 3600)) != 0)
        }
    }

    @Test func `one wrong bit is wrong`() {
        let challenge = mint.challenge(for: alice, at: at(0))
        for bit in 0..<64 as Range<UInt64> {
            #expect(!mint.accepts(challenge ^ 1 << bit, for: alice, at: at(0)))
        }
    }
}
