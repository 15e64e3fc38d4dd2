import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Two gates talk, and nobody disturbs them.
@Suite struct GateConversationTests {
    private let target = NodeID(firstByte: 0x42)

    @Test func `a first contact is tokenless and its answer brings a token`() {
        let (alice, bob) = strangers()
        let request = alice.ask(bob)
        #expect(request.count == 256)
        #expect(!alice.hasToken(for: bob))
        let pong = Response.pong(observed: alice.endpoint, endpoints: [bob.endpoint])
        let response = bob.answer(request, from: alice, with: pong)
        #expect(alice.hear(response, from: bob) == .answer(pong))
        #expect(alice.hasToken(for: bob))
        #expect(alice.hasProved(bob))
        #expect(!bob.hasProved(alice))
    }

    @Test func `a first contact is for the static key and what follows for the box key`() {
        let (alice, bob) = strangers()
        #expect(bob.hear(alice.ask(bob), from: alice) == .tokenless(ping))
        #expect(bob.hasCached(boxKey("alice").publicKey, own: 0))
        alice.meet(bob)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        #expect(bob.hasCached(boxKey("alice").publicKey, own: boxKey("bob").publicKey.id))
    }

    @Test func `with a token every request is live`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        let asked: [Request] = [
            ping, .ping(isLeaving: true), .findNode(target: target),
            .findValue(location: target, author: nil, offset: 0), .store(record(by: "alice"), condition: nil),
        ]
        for request in asked { #expect(bob.hear(alice.ask(bob, request), from: alice) == .live(request)) }
    }

    @Test func `the other way round needs a token of its own`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        #expect(alice.hear(bob.ask(alice), from: bob) == .tokenless(ping))
    }

    @Test func `a known peer does not use the first-contact lane`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        for _ in 0..<500 { #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping)) }
    }

    @Test func `a token lasts one epoch with its holder`() {
        let (alice, bob) = friends()
        #expect(bob.hear(alice.ask(bob, now: at(299)), from: alice, now: at(299)) == .live(ping))
        #expect(bob.hear(alice.ask(bob, now: at(300)), from: alice, now: at(300)) == .tokenless(ping))
    }

    @Test func `a token that was under way for long is not good any more`() {
        let (alice, bob) = friends()
        let request = alice.ask(bob, now: at(299))
        #expect(bob.hear(request, from: alice, now: at(600)) != .live(ping))
    }

    @Test func `every answer brings a fresh token`() {
        let (alice, bob) = friends()
        for second in stride(from: 100, through: 3000, by: 100) as StrideThrough<UInt64> {
            let request = alice.ask(bob, now: at(second))
            let response = bob.answer(request, from: alice, now: at(second))
            #expect(!alice.hear(response, from: bob, now: at(second)).isDropped)
            #expect(bob.hear(alice.ask(bob, now: at(second)), from: alice, now: at(second)) == .live(ping))
        }
    }

    @Test func `a store without a token is told to retry and then taken`() {
        let (alice, bob) = strangers()
        let store = Request.store(record(by: "alice"), condition: .absent)
        let first = alice.ask(bob, store)
        #expect(first.count == 512)
        let retry = bob.answer(first, from: alice, with: .retry)
        #expect(retry.count == 256)
        #expect(alice.hear(retry, from: bob) == .answer(.retry))
        #expect(bob.hear(alice.ask(bob, store), from: alice) == .live(store))
    }

    @Test(arguments: [256, 512, 768, 1024, 1232])
    func `a tokenless request is padded to the answer it wants and answered with no more`(length: Int) {
        let (alice, bob) = strangers()
        let request = alice.ask(bob, .findNode(target: target), answerLength: length)
        #expect(request.count == length)
        let contacts = (1...8).map { Contact.named("carol", at: .ipv6(subnet: 1, host: $0)) }
        let response = bob.answer(request, from: alice, with: .nodes(contacts))
        #expect(response.count <= length)
        let expected: Response =
            length == 256 ? .retry : .nodes(Array(contacts.prefix(length == 512 ? 5 : 8)))
        #expect(alice.hear(response, from: bob) == .answer(expected))
    }

    @Test func `a live request is as short as can be and answered with all there is`() {
        let (alice, bob) = friends()
        let request = alice.ask(bob, .findNode(target: target), answerLength: 1232)
        #expect(request.count == 256)
        let contacts = (1...8).map { Contact.named("carol", at: .host(UInt8($0))) }
        let response = bob.answer(request, from: alice, with: .nodes(contacts))
        #expect(response.count == 768)
        #expect(alice.hear(response, from: bob) == .answer(.nodes(contacts)))
    }

    @Test func `every datagram shows a higher counter`() {
        let (alice, bob) = strangers()
        var last = alice.gate.counter
        for _ in 0..<5 {
            let request = alice.ask(bob)
            #expect(alice.gate.counter > last)
            last = alice.gate.counter
            _ = alice.hear(bob.answer(request, from: alice), from: bob)
            #expect(alice.gate.counter == last)
        }
    }

    @Test func `to a peer that started later a first contact is not old`() {
        let (alice, _) = strangers()
        let started = Party.start + 60_000_000
        let late = Party("bob", at: .host(2), admitting: members("alice", "bob"), start: started, now: at(60))
        for second in 61...65 as ClosedRange<UInt64> {
            let now = at(second)
            #expect(late.hear(alice.ask(late, now: now), from: alice, now: now) == .tokenless(ping))
            #expect(alice.gate.counter > Party.start + second * 1_000_000)
        }
    }

    @Test func `a wall clock set back does not set the counter back`() {
        let (alice, bob) = strangers()
        _ = alice.ask(bob, now: at(100))
        let counter = alice.gate.counter
        _ = alice.ask(bob, now: at(50))
        #expect(alice.gate.counter == counter + 1)
    }

    @Test func `an answer to any transmission is taken, and only one`() {
        for answered in 0..<3 {
            let (alice, bob) = friends()
            let requests = (0..<3).map { alice.ask(bob, transaction: 9, usesStaticKey: $0 > 0) }
            let responses = requests.map { bob.answer($0, from: alice) }
            #expect(!alice.hear(responses[answered], from: bob).isDropped)
            for response in responses { #expect(alice.hear(response, from: bob) == .dropped(.unsolicited)) }
        }
    }

    @Test func `a closed request is answered in vain`() {
        let (alice, bob) = friends()
        let response = bob.answer(alice.ask(bob, transaction: 9), from: alice)
        alice.gate.close(9)
        #expect(alice.hear(response, from: bob) == .dropped(.unsolicited))
    }

    @Test func `answers may come in any order`() {
        let (alice, bob) = friends()
        let asked = (0..<6).map { Request.findNode(target: NodeID(firstByte: UInt8($0))) }
        let responses = asked.enumerated().map { number, request in
            let told = [Contact.named("carol", at: .host(UInt8(number + 10)))]
            return bob.answer(alice.ask(bob, request), from: alice, with: .nodes(told))
        }
        for number in [3, 0, 5, 4, 1, 2] {
            let expected = [Contact.named("carol", at: .host(UInt8(number + 10)))]
            #expect(alice.hear(responses[number], from: bob) == .answer(.nodes(expected)))
        }
    }

    @Test func `a peer that restarted is reached by the static key`() {
        let (alice, bob) = friends()
        let reborn = Party(
            "bob",
            at: bob.endpoint,
            admitting: members("alice", "bob"),
            boxKey: "bob reborn",
            start: Party.start + 60_000_000,
            now: at(60)
        )
        let first = alice.ask(reborn, transaction: 5, now: at(61))
        #expect(reborn.hear(first, from: alice, now: at(61)) == .dropped(.key))
        let second = alice.ask(reborn, transaction: 5, usesStaticKey: true, now: at(62))
        let response = reborn.answer(second, from: alice, now: at(62))
        #expect(!alice.hear(response, from: reborn, now: at(62)).isDropped)
        #expect(reborn.hear(alice.ask(reborn, now: at(63)), from: alice, now: at(63)) == .live(ping))
    }

    @Test func `a peer that restarted is heard though its box key is new`() {
        let (alice, _) = friends()
        let reborn = Party(
            "bob",
            at: .host(2),
            admitting: members("alice", "bob"),
            boxKey: "bob reborn",
            start: Party.start + 60_000_000,
            now: at(60)
        )
        reborn.meet(alice, now: at(61))
        #expect(alice.hear(reborn.ask(alice, now: at(62)), from: reborn, now: at(62)) == .live(ping))
        // And alice writes to the new key, without a detour.
        #expect(reborn.hear(alice.ask(reborn, now: at(63)), from: alice, now: at(63)) != .dropped(.key))
    }

    @Test func `a peer whose clock was set back is answered once in 30 seconds, and live at once`() {
        let (_, bob) = friends()
        let late = Party(
            "alice",
            at: .host(1),
            admitting: members("alice", "bob"),
            boxKey: "alice reborn",
            start: Party.start - 3_600_000_000
        )
        #expect(bob.hear(late.ask(bob), from: late) == .tokenless(ping))
        #expect(bob.hear(late.ask(bob), from: late) == .dropped(.stale))
        late.meet(bob, now: at(30))
        #expect(bob.hear(late.ask(bob, now: at(30)), from: late, now: at(30)) == .live(ping))
        #expect(bob.hear(late.ask(bob, now: at(31)), from: late, now: at(31)) == .live(ping))
    }

    @Test func `a peer at another address proves itself anew`() {
        let (alice, bob) = friends()
        #expect(bob.hear(alice.ask(bob), from: alice, at: .host(9)) == .tokenless(ping))
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
    }

    @Test func `a token is not shown to another address`() {
        let (alice, _) = friends()
        let moved = Party("bob", at: .host(9), admitting: members("alice", "bob"))
        #expect(!alice.hasToken(for: moved))
        #expect(moved.hear(alice.ask(moved, answerLength: 512), from: alice) == .tokenless(ping))
    }
}
