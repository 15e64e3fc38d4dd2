import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// A node's mint, in a form that expectations can hold.
private final class Mint {
    private let mint = TokenMint()

    func token(for identity: Identity, at endpoint: Endpoint, epoch: UInt64) -> UInt64 {
        mint.token(for: identity, at: endpoint, epoch: epoch)
    }

    func epoch(of token: UInt64, for identity: Identity, at endpoint: Endpoint, now: Instant) -> UInt64? {
        mint.epoch(of: token, for: identity, at: endpoint, now: now)
    }
}

@Suite struct TokenMintTests {
    private let alice = Identity.named("alice")
    private let bob = Identity.named("bob")

    @Test func `a token is good for its peer at its address`() {
        let mint = Mint()
        let token = mint.token(for: alice, at: .host(1), epoch: 7)
        #expect(mint.epoch(of: token, for: alice, at: .host(1), now: at(7 * 300)) == 7)
    }

    @Test func `it is not another's`() {
        let mint = Mint()
        let token = mint.token(for: alice, at: .host(1), epoch: 7)
        #expect(mint.epoch(of: token, for: bob, at: .host(1), now: at(7 * 300)) == nil)
    }

    @Test(arguments: [Endpoint.host(2), .host(1, port: 4001), .ipv6(subnet: 0, host: 1)])
    func `it is not good at another address`(endpoint: Endpoint) {
        let mint = Mint()
        let token = mint.token(for: alice, at: .host(1), epoch: 7)
        #expect(mint.epoch(of: token, for: alice, at: endpoint, now: at(7 * 300)) == nil)
    }

    @Test(arguments: [(2099, false), (2100, true), (2399, true), (2400, true), (2699, true), (2700, false)])
    func `it is good in its own epoch and the next`(second: UInt64, isGood: Bool) {
        let mint = Mint()
        let token = mint.token(for: alice, at: .host(1), epoch: 7)
        #expect((mint.epoch(of: token, for: alice, at: .host(1), now: at(second)) == 7) == isGood)
    }

    @Test func `no token of an epoch to come is good`() {
        let mint = Mint()
        for epoch in [8, UInt64.max] {
            let token = mint.token(for: alice, at: .host(1), epoch: epoch)
            #expect(mint.epoch(of: token, for: alice, at: .host(1), now: at(7 * 300)) == nil)
        }
    }

    @Test func `in the first epoch there is none before it`() {
        let mint = Mint()
        let token = mint.token(for: alice, at: .host(1), epoch: .max)
        #expect(mint.epoch(of: token, for: alice, at: .host(1), now: at(0)) == nil)
    }

    @Test func `it dies with the process that made it`() {
        let before = Mint()
        let after = Mint()
        let token = before.token(for: alice, at: .host(1), epoch: 7)
        #expect(after.epoch(of: token, for: alice, at: .host(1), now: at(7 * 300)) == nil)
    }

    @Test func `zero is never made and never good`() {
        let mint = Mint()
        #expect(mint.epoch(of: 0, for: alice, at: .host(1), now: at(0)) == nil)
        for epoch in 0..<200 { #expect(mint.token(for: alice, at: .host(1), epoch: UInt64(epoch)) != 0) }
    }

    @Test func `one wrong bit is wrong`() {
        let mint = Mint()
        let token = mint.token(for: alice, at: .host(1), epoch: 0)
        for bit in 0..<64 {
            #expect(mint.epoch(of: token ^ 1 << UInt64(bit), for: alice, at: .host(1), now: at(0)) == nil)
        }
    }
}
