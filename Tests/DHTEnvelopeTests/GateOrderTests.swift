import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// The checks of section 4 come in their order: of a datagram wrong in several ways, the first way is named.
@Suite struct GateOrderTests {
    /// Wrong in all ways that the hand can make, mended one after the other.
    @Test func `a request wrong in every way is dropped for the first`() {
        let (alice, bob) = friends()
        // The counter of the last live request: a replay.
        let seen = alice.ask(bob)
        #expect(bob.hear(seen, from: alice) == .live(ping))
        var forgery = Forgery.request(from: "alice", to: "bob", keyID: 99, counter: 2)
        forgery.network = "elsewhere"
        forgery.version = 2
        forgery.kind = 7
        forgery.sender = bob.identity
        forgery.signer = "mallory"
        forgery.body = Forgery.body(operation: 9, number: 1, payload: [0])
        forgery.boxPeer = boxKey("carol").publicKey

        func verdict() -> Outcome { bob.hear(forgery.datagram, from: alice) }
        #expect(bob.hear(forgery.datagram + [0], from: alice) == .dropped(.length))
        #expect(verdict() == .dropped(.header))
        forgery.network = "home"
        #expect(verdict() == .dropped(.version))
        forgery.version = 1
        #expect(verdict() == .dropped(.kind))
        forgery.kind = 1
        #expect(verdict() == .dropped(.self))
        forgery.sender = .named("mallory")
        #expect(verdict() == .dropped(.admission))
        forgery.sender = alice.identity
        #expect(verdict() == .dropped(.replay))
        forgery.number = 3
        #expect(verdict() == .dropped(.key))
        forgery.recipientKeyID = boxKey("bob").publicKey.id
        #expect(verdict() == .dropped(.box))
        forgery.boxPeer = boxKey("bob").publicKey
        #expect(verdict() == .dropped(.malformed))
        forgery.body = Forgery.body(operation: 1, number: 1, payload: [0])
        #expect(verdict() == .dropped(.signature))
        forgery.signer = "alice"
        #expect(verdict() == .live(ping))
    }

    @Test func `a response wrong in every way is dropped for the first`() {
        let (alice, bob) = friends()
        _ = alice.ask(bob, transaction: 5)
        let digest = alice.digest(of: 5)
        var forgery = Forgery.response(.retry, from: "bob", to: "alice", transaction: 6, digest: digest)
        forgery.sender = .named("mallory")
        forgery.recipientKeyID = 99
        forgery.boxPeer = boxKey("carol").publicKey
        forgery.body = Forgery.body(operation: 9, number: 6, payload: [0])
        forgery.signer = "mallory"

        func verdict(_ endpoint: Endpoint? = nil) -> Outcome {
            alice.hear(forgery.datagram, from: bob, at: endpoint)
        }
        #expect(verdict(.host(9)) == .dropped(.admission))
        forgery.sender = bob.identity
        #expect(verdict(.host(9)) == .dropped(.unsolicited))
        #expect(verdict() == .dropped(.unsolicited))
        forgery.number = 5
        #expect(verdict(.host(9)) == .dropped(.unsolicited))
        #expect(verdict() == .dropped(.key))
        forgery.recipientKeyID = boxKey("alice").publicKey.id
        #expect(verdict() == .dropped(.box))
        forgery.boxPeer = boxKey("alice").publicKey
        #expect(verdict() == .dropped(.malformed))
        forgery.body = Forgery.body(operation: 2, status: 1, number: 5, payload: [])
        #expect(verdict() == .dropped(.mismatch))
        forgery.body = Forgery.body(operation: 1, status: 1, number: 5, payload: [])
        #expect(verdict() == .dropped(.signature))
        forgery.signer = "bob"
        #expect(verdict() == .answer(.retry))
    }

    @Test func `a flood of strangers does not touch the lane`() {
        let (alice, bob) = strangers()
        for number in 0..<200 {
            let forgery = Forgery.request(from: "stranger \(number)", to: "bob", counter: 1)
            #expect(bob.hear(forgery.datagram, from: alice) == .dropped(.admission))
        }
        // All 20 of the source's first contacts are still there.
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.signer,
            "mallory"
        )
        let verdicts = (0..<21).map { bob.hear(forgery.boxed(by: "mallory \($0)").datagram, from: alice) }
        #expect(verdicts == Array(repeating: .dropped(.signature), count: 20) + [.dropped(.lane)])
    }

    @Test func `neither replays nor requests for keys long gone touch the lane`() {
        let (alice, bob) = strangers()
        let request = alice.ask(bob)
        #expect(bob.hear(request, from: alice) == .firstContact(ping))
        let lost = Forgery.request(from: "alice", to: "bob", keyID: 99, counter: 5000)
            .boxed(by: "mallory").datagram
        for _ in 0..<50 {
            #expect(bob.hear(request, from: alice) == .dropped(.replay))
            #expect(bob.hear(lost, from: alice) == .dropped(.key))
        }
        // One of 20 was used, by the request that passed.
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.signer,
            "mallory"
        )
        let verdicts = (0..<20).map { bob.hear(forgery.boxed(by: "mallory \($0)").datagram, from: alice) }
        #expect(verdicts == Array(repeating: .dropped(.signature), count: 19) + [.dropped(.lane)])
    }

    @Test func `a process remembered whose shared key had to make room takes the lane again`() {
        let list = members("alice", "bob")
        var limits = Gate.Limits()
        limits.firstContacts = 66
        let bob = Party("bob", at: .host(2), admitting: list, limits: limits)
        // Two more than there is room for keys.
        let processes = (0..<66).map { number in
            Party("alice", at: .host(10 + number), admitting: list, boxKey: "alice \(number)")
        }
        for alice in processes { #expect(bob.hear(alice.ask(bob), from: alice) == .firstContact(ping)) }
        let (first, last) = (processes[0], processes[65])
        #expect(bob.hear(last.ask(bob), from: last) == .firstContact(ping))
        #expect(bob.hear(first.ask(bob), from: first) == .dropped(.lane))
        let later = first.ask(bob, now: at(1))
        #expect(bob.hear(later, from: first, now: at(1)) == .firstContact(ping))
    }

    @Test func `a forged box in the known lane costs the lane nothing`() {
        let (alice, bob) = friends()
        let forgery = Forgery.request(
            from: "alice",
            to: "bob",
            keyID: boxKey("bob").publicKey.id,
            counter: 5000
        )
        for _ in 0..<50 {
            let datagram = forgery.with(\.boxPeer, boxKey("carol").publicKey).datagram
            #expect(bob.hear(datagram, from: alice) == .dropped(.box))
        }
        #expect(bob.hear(forgery.datagram, from: alice) == .live(ping))
    }

    @Test func `a replay does not spend the peer's budget`() {
        var limits = Gate.Limits()
        limits.requestsByPeer = 5
        let list = members("alice", "bob")
        let alice = Party("alice", at: .host(1), admitting: list)
        let bob = Party("bob", at: .host(2), admitting: list, limits: limits)
        let old = (0..<40).map { _ in alice.ask(bob) }
        alice.meet(bob)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        for datagram in old { #expect(bob.hear(datagram, from: alice) == .dropped(.replay)) }
        let verdicts = (0..<11).map { _ in bob.hear(alice.ask(bob), from: alice) }
        #expect(verdicts == Array(repeating: .live(ping), count: 10) + [.dropped(.budget)])
    }

    @Test func `what is beyond a peer's budget is not verified`() {
        var limits = Gate.Limits()
        limits.requestsByPeer = 1
        let list = members("alice", "bob")
        let alice = Party("alice", at: .host(1), admitting: list)
        let bob = Party("bob", at: .host(2), admitting: list, limits: limits)
        alice.meet(bob)
        for _ in 0..<3 { _ = bob.hear(alice.ask(bob), from: alice) }
        // A bad signature is not even looked at, as a good one is not.
        let forgery = Forgery.request(
            from: "alice",
            to: "bob",
            keyID: boxKey("bob").publicKey.id,
            counter: 50
        )
        #expect(bob.hear(forgery.with(\.signer, "mallory").datagram, from: alice) == .dropped(.budget))
        #expect(bob.hear(forgery.datagram, from: alice) == .dropped(.budget))
    }

    @Test func `a budget is for one peer`() {
        var limits = Gate.Limits()
        limits.requestsByPeer = 1
        let list = members("alice", "bob", "carol")
        let bob = Party("bob", at: .host(2), admitting: list, limits: limits)
        let (alice, carol) = (
            Party("alice", at: .host(1), admitting: list), Party("carol", at: .host(3), admitting: list)
        )
        alice.meet(bob)
        carol.meet(bob)
        let verdicts = (0..<4).map { _ in bob.hear(alice.ask(bob), from: alice) }
        #expect(verdicts == [.live(ping), .live(ping), .live(ping), .dropped(.budget)])
        #expect(bob.hear(carol.ask(bob), from: carol) == .live(ping))
        #expect(bob.hear(alice.ask(bob, now: at(1)), from: alice, now: at(1)) == .live(ping))
    }
}
