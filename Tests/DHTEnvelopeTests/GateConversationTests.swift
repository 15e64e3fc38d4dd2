import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Two gates talk, and nobody disturbs them.
@Suite struct GateConversationTests {
    private let target = NodeID(firstByte: 0x42)

    @Test func `the answer to a first contact brings a challenge, which makes the next request live`() {
        let (alice, bob) = strangers()
        let request = alice.ask(bob)
        #expect(request.count == 256)
        #expect(!alice.expectsLife(of: bob))
        let pong = Response.pong(observed: alice.endpoint, endpoints: [bob.endpoint])
        let response = bob.answer(request, from: alice, with: pong)
        #expect(alice.hear(response, from: bob) == .answer(pong))
        #expect(alice.expectsLife(of: bob))
        #expect(alice.hasProved(bob))
        #expect(!bob.hasProved(alice))
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        #expect(bob.hasProved(alice))
    }

    @Test func `a first contact is for the static key and what follows for the box key`() {
        let (alice, bob) = strangers()
        #expect(bob.hear(alice.ask(bob), from: alice) == .firstContact(ping))
        #expect(bob.hasCached(boxKey("alice").publicKey, own: 0))
        alice.meet(bob)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        #expect(bob.hasCached(boxKey("alice").publicKey, own: boxKey("bob").publicKey.id))
    }

    @Test func `once known every request is live`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        let asked: [Request] = [
            ping, .ping(isLeaving: true), .findNode(target: target),
            .findValue(location: target, author: nil, offset: 0), .store(record(by: "alice"), condition: nil),
        ]
        for request in asked { #expect(bob.hear(alice.ask(bob, request), from: alice) == .live(request)) }
    }

    @Test func `whoever answered is known to the asker`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        #expect(alice.hear(bob.ask(alice), from: bob) == .live(ping))
        // At another address it is not.
        #expect(alice.hear(bob.ask(alice), from: bob, at: .host(9)) == .firstContact(ping))
    }

    @Test func `two that ask each other at once know each other after one exchange each`() {
        let (alice, bob) = strangers()
        let (one, two) = (alice.ask(bob), bob.ask(alice))
        let (first, second) = (bob.answer(one, from: alice), alice.answer(two, from: bob))
        #expect(!alice.hear(first, from: bob).isDropped)
        #expect(!bob.hear(second, from: alice).isDropped)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        #expect(alice.hear(bob.ask(alice), from: bob) == .live(ping))
    }

    @Test func `a known peer does not use the first-contact lane`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        for _ in 0..<500 { #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping)) }
    }

    @Test func `hours later requests are live, with nothing said in between`() {
        let (alice, bob) = friends()
        for hour in [1, 5, 20] as [UInt64] {
            let now = at(hour * 3600)
            #expect(alice.expectsLife(of: bob, now: now) || hour > 0)
            #expect(bob.hear(alice.ask(bob, now: now), from: alice, now: now) == .live(ping))
        }
    }

    @Test func `a challenge answered too late is none`() {
        let (alice, bob) = strangers()
        alice.meet(bob)
        let request = alice.ask(bob, now: at(7200))
        #expect(bob.hear(request, from: alice, now: at(7200)) == .firstContact(ping))
    }

    @Test func `answers to live requests bring no challenge, and change nothing about that`() {
        let (alice, bob) = friends()
        for second in stride(from: 100, through: 3000, by: 100) as StrideThrough<UInt64> {
            let request = alice.ask(bob, now: at(second))
            let response = bob.answer(request, from: alice, now: at(second))
            guard case .answer(let answer) = alice.gate.receive(response, from: bob.endpoint, at: at(second))
            else {
                Issue.record("the answer was dropped")
                return
            }
            #expect(answer.wasLive)
            #expect(bob.hear(alice.ask(bob, now: at(second)), from: alice, now: at(second)) == .live(ping))
        }
    }

    @Test func `a store that is a first contact is told to retry and then taken`() {
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
    func `a first contact is padded to the answer it wants and answered with no more`(length: Int) {
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

    @Test func `to each peer requests are counted one by one`() {
        let (alice, bob) = strangers()
        let carol = Party("carol", at: .host(3), admitting: members("alice", "bob", "carol"))
        for count in 1...5 as ClosedRange<UInt64> {
            _ = alice.ask(bob)
            if count.isMultiple(of: 2) { _ = alice.ask(carol) }
            #expect(
                alice.gate.sessions.lastCounter(to: bob.identity, ownKey: boxKey("alice").publicKey.id)
                    == count
            )
        }
        #expect(
            alice.gate.sessions.lastCounter(to: carol.identity, ownKey: boxKey("alice").publicKey.id) == 2
        )
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
            now: at(60)
        )
        reborn.meet(alice, now: at(61))
        #expect(alice.hear(reborn.ask(alice, now: at(62)), from: reborn, now: at(62)) == .live(ping))
        // And alice writes to the new key, without a detour.
        #expect(reborn.hear(alice.ask(reborn, now: at(63)), from: alice, now: at(63)) != .dropped(.key))
    }

    @Test func `a peer at another address proves itself anew`() {
        let (alice, bob) = friends()
        #expect(bob.hear(alice.ask(bob), from: alice, at: .host(9)) == .firstContact(ping))
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
    }

    @Test func `at another address a peer is not expected to know us`() {
        let (alice, _) = friends()
        let moved = Party("bob", at: .host(9), admitting: members("alice", "bob"))
        #expect(!alice.expectsLife(of: moved))
        #expect(moved.hear(alice.ask(moved, answerLength: 512), from: alice) == .firstContact(ping))
    }

    @Test func `a peer that moved is answered at its new address, and known there from its next request on`()
    {
        let (alice, bob) = friends()
        let there = Party("alice", at: .host(9), admitting: members("alice", "bob"), boxKey: "alice")
        let request = alice.ask(bob, .findNode(target: target), answerLength: 768)
        guard case .request(let inbound) = bob.gate.receive(request, from: there.endpoint, at: at(1)) else {
            Issue.record("the request was dropped")
            return
        }
        #expect(!inbound.isLive)
        let answer = certain(bob.gate.seal(.nodes([]), to: inbound, now: at(1)))
        #expect(!alice.hear(answer, from: bob, now: at(1)).isDropped)
        #expect(bob.hear(alice.ask(bob), from: alice, at: there.endpoint, now: at(2)) == .live(ping))
        #expect(bob.hear(alice.ask(bob), from: alice, now: at(3)) == .live(ping))
    }

    @Test func `one that keeps its address and starts anew is known after one exchange`() {
        let (_, bob) = friends()
        for life in 1...6 {
            let list = members("alice", "bob")
            let alice = Party("alice", at: .host(1), admitting: list, boxKey: "life \(life)")
            #expect(bob.hear(alice.ask(bob), from: alice) == .firstContact(ping))
            alice.meet(bob)
            #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        }
    }

}
