import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Promises P1, P2 and P8: who stands outside meets silence.
@Suite struct GateOutsiderTests {
    // MARK: P1: without the network key

    @Test func `garbage of every length is dropped by the first MAC`() {
        let (alice, bob) = friends()
        var generator = SplitMix64(seed: 1)
        let before = bob.memory
        for length in Datagram.lengths {
            for _ in 0..<50 { #expect(bob.hear(generator.bytes(length), from: alice) == .dropped(.header)) }
        }
        #expect(bob.memory == before)
    }

    @Test func `a member of another overlay is an outsider here`() {
        let (alice, bob) = friends()
        let list = members("alice", "bob")
        let other = Party("alice", at: .host(1), admitting: list, network: "elsewhere")
        #expect(bob.hear(other.ask(bob), from: alice) == .dropped(.header))
        let stored = other.ask(bob, .store(record(by: "alice", network: "elsewhere"), condition: nil))
        #expect(bob.hear(stored, from: alice) == .dropped(.header))
    }

    @Test func `a captured first contact replayed at once is dropped, and later never alters anything`() {
        let (alice, bob) = strangers()
        let captured = alice.ask(bob)
        #expect(bob.hear(captured, from: alice) == .firstContact(ping))
        let before = bob.memory
        for host in 3...40 as ClosedRange<UInt8> {
            #expect(bob.hear(captured, from: alice, at: .host(host)) == .dropped(.replay))
        }
        #expect(bob.memory == before)
    }

    @Test func `parts of captured datagrams put together are garbage`() {
        let (alice, bob) = friends()
        let (one, two) = (alice.ask(bob), alice.ask(bob))
        let cuts = [24, 120]
        for cut in cuts {
            let spliced = Array(one[..<cut]) + Array(two[cut...])
            #expect(bob.hear(spliced, from: alice) == .dropped(cut == 24 ? .header : .box))
        }
        let nonceOfTwo = Array(two[..<24]) + Array(one[24...])
        #expect(bob.hear(nonceOfTwo, from: alice) == .dropped(.header))
        #expect(bob.hear(one, from: alice) == .live(ping))
        #expect(bob.hear(two, from: alice) == .live(ping))
    }

    @Test func `datagrams show nothing that repeats`() {
        let (alice, bob) = friends()
        let datagrams = (0..<20).map { _ in alice.ask(bob) }
        for offset in stride(from: 0, to: 256, by: 8) {
            let words = Set(datagrams.map { Array($0[offset..<offset + 8]) })
            #expect(words.count == 20)
        }
    }

    // MARK: P2: with the network key, but not listed

    @Test func `whoever is not listed is dropped, whatever it says`() {
        let list = members("alice", "bob")
        let bob = Party("bob", at: .host(2), admitting: list)
        let mallory = Party("mallory", at: .host(9), admitting: .open)
        let before = bob.memory
        let requests: [Request] = [
            ping, .findNode(target: NodeID(firstByte: 1)), .store(record(by: "mallory"), condition: nil),
        ]
        for request in requests {
            #expect(bob.hear(mallory.ask(bob, request), from: mallory) == .dropped(.admission))
        }
        #expect(bob.memory == before)
    }

    @Test func `an empty list admits nobody`() {
        let bob = Party("bob", at: .host(2), admitting: .members(Allowlist()))
        let alice = Party("alice", at: .host(1), admitting: .open)
        #expect(bob.hear(alice.ask(bob), from: alice) == .dropped(.admission))
    }

    @Test func `nothing is sealed to whoever is not listed`() {
        let (alice, _) = strangers()
        let mallory = Party("mallory", at: .host(9), admitting: .open)
        let before = alice.memory
        let datagram = alice.gate.seal(
            ping,
            to: mallory.identity,
            at: mallory.endpoint,
            Gate.SealOptions(transaction: 1),
            now: at(0)
        )
        #expect(datagram == nil)
        #expect(alice.memory == before)
    }

    @Test func `nothing is sealed to ourselves`() {
        let (alice, _) = strangers()
        let datagram = alice.gate.seal(
            ping,
            to: alice.identity,
            at: alice.endpoint,
            Gate.SealOptions(transaction: 1),
            now: at(0)
        )
        #expect(datagram == nil)
        #expect(alice.gate.pending.count == 0)
    }

    @Test func `nothing is sealed to an identity that is no key`() throws {
        let alice = Party("alice", at: .host(1), admitting: .open)
        let nobody = try #require(Identity([UInt8](repeating: 0, count: 32)))
        let datagram = alice.gate.seal(
            ping,
            to: nobody,
            at: .host(9),
            Gate.SealOptions(transaction: 1),
            now: at(0)
        )
        #expect(datagram == nil)
        #expect(alice.gate.pending.count == 0)
    }

    @Test func `contacts that are not listed, are ourselves, or are nowhere are struck out`() throws {
        let (alice, bob) = friends()
        let told: [Contact] = [
            .named("carol", at: .host(3)), .named("mallory", at: .host(4)), .named("alice", at: .host(1)),
            .named("carol", at: Endpoint(ipv4: 0xE000_0001, port: 1)), .named("carol", at: .host(3, port: 0)),
            .named("bob", at: .host(2)),
        ]
        let kept = [told[0], told[5]]
        let nodes = bob.answer(
            alice.ask(bob, .findNode(target: NodeID(firstByte: 1))),
            from: alice,
            with: .nodes(told)
        )
        #expect(alice.hear(nodes, from: bob) == .answer(.nodes(kept)))
        let find = Request.findValue(location: NodeID(firstByte: 1), author: nil, offset: 0)
        let values = bob.answer(alice.ask(bob, find), from: alice, with: .values([], total: 0, closer: told))
        guard case .answer(let answer) = alice.gate.receive(values, from: bob.endpoint, at: at(0)) else {
            Issue.record("the answer was dropped")
            return
        }
        #expect(answer.response == .values([], total: 0, closer: kept))
        #expect(answer.struckOut == 4)
    }

    @Test func `the claim to be a member, without its key, goes no further than the lane`() {
        let (alice, bob) = friends()
        let before = bob.memory
        let claim = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.signer,
            "mallory"
        )
        for number in 0..<30 {
            let verdict = bob.hear(claim.boxed(by: "mallory \(number)").datagram, from: alice, at: .host(9))
            #expect(verdict == .dropped(number < 20 ? .signature : .lane))
        }
        #expect(bob.memory == before)
    }

    @Test func `no claim, however often made, stops the one whose name is used`() {
        let (alice, bob) = friends()
        let claim = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.signer,
            "mallory"
        )
        for number in 0..<300 {
            let source = Endpoint(ipv4: 0x0B00_0000 + UInt32(number), port: 4000)
            _ = bob.hear(claim.boxed(by: "mallory \(number % 7)").datagram, from: alice, at: source)
        }
        // The lane is full for everybody; Alice does not need it.
        let carol = Party("carol", at: .host(3), admitting: members("alice", "bob", "carol"))
        #expect(bob.hear(carol.ask(bob), from: carol) == .dropped(.lane))
        for _ in 0..<50 { #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping)) }
    }

    // MARK: P8: one suite, and its version

    @Test(arguments: [0, 2, 3, 127, 255] as [UInt8])
    func `a datagram of another version is dropped, though it is well signed`(version: UInt8) {
        let (alice, bob) = friends()
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.version,
            version
        )
        #expect(bob.hear(forgery.datagram, from: alice) == .dropped(.version))
    }

    @Test func `a version changed on the way is not what was signed`() {
        // As a holder of the network key, who can mask headers anew, would change it; or of the box key too.
        let (alice, bob) = friends()
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 5000).with(
            \.version,
            2
        )
        let remasked = forgery.with(\.version, 1).boxing(forgery.contents)
        #expect(bob.hear(Array(remasked[..<120]) + forgery.datagram[120...], from: alice) == .dropped(.box))
        #expect(bob.hear(remasked, from: alice) == .dropped(.signature))
    }
}
