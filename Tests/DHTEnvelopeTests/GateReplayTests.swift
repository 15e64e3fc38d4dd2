import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// A datagram somebody copied from the line.
private struct Captured {
    let datagram: [UInt8]
    let from: Party
    let to: Party
}

/// Promise P4: a captured datagram, sent again, changes nothing.
@Suite struct GateReplayTests {
    private let list = members("alice", "bob", "carol")

    /// All that Alice and Bob say to each other: first contacts, live requests, retransmissions, answers.
    private func conversation(_ alice: Party, _ bob: Party, now: Instant = at(0)) -> [Captured] {
        var captured: [Captured] = []
        func exchange(_ asker: Party, _ other: Party, _ request: Request, usesStaticKey: Bool = false) {
            let asked = asker.ask(other, request, usesStaticKey: usesStaticKey, now: now)
            let answered = other.answer(asked, from: asker, now: now)
            captured.append(Captured(datagram: asked, from: asker, to: other))
            captured.append(Captured(datagram: answered, from: other, to: asker))
            #expect(!asker.hear(answered, from: other, now: now).isDropped)
        }
        let store = Request.store(record(by: "alice"), condition: nil)
        exchange(alice, bob, store)
        for request in [ping, store, .findNode(target: NodeID(firstByte: 1))] {
            exchange(alice, bob, request)
        }
        exchange(bob, alice, ping)
        for request in [.ping(isLeaving: true), store] { exchange(bob, alice, request) }
        exchange(alice, bob, ping, usesStaticKey: true)
        return captured
    }

    @Test func `everything replayed at once is dropped`() {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob)
        for replay in captured + captured {
            #expect(replay.to.hear(replay.datagram, from: replay.from).isDropped)
        }
        #expect((alice.gate.pending.count, bob.gate.pending.count) == (0, 0))
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `replayed in any order, from anywhere, at any age, all of it is dropped`(seed: UInt64) {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob)
        var generator = SplitMix64(seed: seed)
        var now = at(0)
        for _ in 0..<150 {
            now = now + .seconds(generator.next() % 4000)
            let replay = generator.pick(captured)
            let endpoint = generator.pick([replay.from.endpoint, .host(77), .ipv6(subnet: 7, host: 7)])
            #expect(replay.to.hear(replay.datagram, from: replay.from, at: endpoint, now: now).isDropped)
        }
        // Nor has any of it disturbed the two.
        #expect(bob.hear(alice.ask(bob, now: now), from: alice, now: now) == .live(ping))
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `replayed after restarts nothing is live, and everything is answered once at most`(seed: UInt64) {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob)
        // Same identities, later starts; Bob even has the box key of before, Alice a new one.
        let reborn = [
            "alice": Party("alice", at: .host(1), admitting: list, boxKey: "new", now: at(60)),
            "bob": Party("bob", at: .host(2), admitting: list, now: at(60)),
        ]
        var generator = SplitMix64(seed: seed)
        var answered: Set<[UInt8]> = []
        var now = at(60)
        for turn in 0..<100 {
            now = now + .milliseconds(generator.next() % 20_000)
            let replay = generator.pick(captured)
            guard let receiver = reborn[replay.to.name] else { continue }
            let verdict = receiver.hear(replay.datagram, from: replay.from, now: now)
            #expect(!verdict.isLive)
            if !verdict.isDropped { #expect(answered.insert(replay.datagram).inserted) }
            // The two meet meanwhile: what they begin is not begun with what was said before.
            if turn == 50, let alice = reborn["alice"], let bob = reborn["bob"] {
                alice.meet(bob, now: now)
                bob.meet(alice, now: now)
            }
        }
    }

    @Test func `to another node every replay is garbage`() {
        let (alice, bob) = strangers()
        let carol = Party("carol", at: .host(3), admitting: list)
        for replay in conversation(alice, bob) {
            #expect(carol.hear(replay.datagram, from: replay.from) == .dropped(.header))
        }
    }

    @Test func `what was said before a session began does not count in it`() throws {
        // Alice goes on with her box key; Bob starts anew, and his challenge is answered out of turn.
        let (alice, _) = friends()
        let old = (0..<20).map { _ in
            alice.ask(Party("bob", at: .host(2), admitting: list), usesStaticKey: true)
        }
        let reborn = Party("bob", at: .host(2), admitting: list, boxKey: "new", now: at(60))
        #expect(reborn.hear(old[7], from: alice, now: at(61)) == .firstContact(ping))
        let first = alice.ask(reborn, usesStaticKey: true, now: at(62))
        let answer = reborn.answer(first, from: alice, now: at(62))
        #expect(!alice.hear(answer, from: reborn, now: at(62)).isDropped)
        #expect(reborn.hear(alice.ask(reborn, now: at(63)), from: alice, now: at(63)) == .live(ping))
        for request in old { #expect(reborn.hear(request, from: alice, now: at(64)) == .dropped(.replay)) }
    }

    @Test func `an answer begins a session above all that was sent before it`() {
        let (alice, _) = friends()
        let old = (0..<20).map { _ in
            alice.ask(Party("bob", at: .host(2), admitting: list), usesStaticKey: true)
        }
        let reborn = Party("bob", at: .host(2), admitting: list, boxKey: "new", now: at(60))
        reborn.meet(alice, now: at(61))
        for request in old { #expect(reborn.hear(request, from: alice, now: at(62)) == .dropped(.replay)) }
        let next = alice.ask(reborn, usesStaticKey: true, now: at(63))
        #expect(reborn.hear(next, from: alice, now: at(63)) == .live(ping))
    }

    @Test func `replays of former lives use up nothing that the present one needs`() {
        let bob = Party("bob", at: .host(2), admitting: list)
        let lives = (0..<20).map { Party("alice", at: .host(1), admitting: list, boxKey: "life \($0)") }
        let old = lives.flatMap { life in (0..<20).map { _ in life.ask(bob) } }
        for (number, request) in old.enumerated() {
            let source = Endpoint.host(UInt8(10 + number % 200))
            #expect(!bob.hear(request, from: lives[0], at: source).isLive)
        }
        let present = Party("alice", at: .host(1), admitting: list, boxKey: "present")
        present.meet(bob, now: at(1))
        #expect(bob.hear(present.ask(bob, now: at(1)), from: present, now: at(1)) == .live(ping))
        for request in old {
            #expect(!bob.hear(request, from: present, now: at(2)).isLive)
        }
        #expect(bob.hear(present.ask(bob, now: at(9)), from: present, now: at(9)) == .live(ping))
    }

    @Test func `a captured founding does not found again what was pushed out`() {
        let bob = Party("bob", at: .host(2), admitting: list)
        var foundings: [[UInt8]] = []
        for life in 0..<5 {
            let alice = Party("alice", at: .host(1), admitting: list, boxKey: "life \(life)")
            alice.meet(bob)
            let founding = alice.ask(bob, .ping(isLeaving: true))
            #expect(bob.hear(founding, from: alice).isLive)
            foundings.append(founding)
        }
        #expect(bob.sessions(of: Party("alice", at: .host(1), admitting: list)) == 4)
        // Nor is it answered.
        for founding in foundings {
            #expect(Outcome(bob.gate.receive(founding, from: .host(1), at: at(1))) == .dropped(.replay))
        }
    }

    @Test func `what was captured of a member who was expelled is no good when it is admitted again`() {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob).filter { $0.to === bob }
        bob.gate.replaceAdmission(members("bob"))
        bob.gate.replaceAdmission(list)
        for replay in captured { #expect(!bob.hear(replay.datagram, from: alice).isLive) }
    }

    @Test func `in open mode what was forgotten is not begun again by what was captured`() {
        let bob = Party("bob", at: .host(2), admitting: .open)
        let alice = Party("alice", at: .host(1), admitting: .open)
        alice.meet(bob)
        let founding = alice.ask(bob, .ping(isLeaving: true))
        #expect(bob.hear(founding, from: alice).isLive)
        var generator = SplitMix64(seed: 1)
        for _ in 0..<SessionTable.openCapacity {
            _ = bob.gate.sessions.place(for: generator.identity(), at: at(1))
        }
        bob.gate.renewChallenges()
        #expect(bob.sessions(of: alice) == 0)
        #expect(bob.hear(alice.ask(bob, now: at(2)), from: alice, now: at(2)) == .firstContact(ping))
        #expect(!bob.hear(founding, from: alice, now: at(3)).isLive)
    }

    @Test func `live requests that overtake each other are all taken, once`() {
        let (alice, bob) = friends()
        let requests = (0..<200).map { _ in alice.ask(bob) }
        var generator = SplitMix64(seed: 1)
        for request in requests.shuffled(using: &generator) {
            #expect(bob.hear(request, from: alice) == .live(ping))
        }
        for request in requests { #expect(bob.hear(request, from: alice) == .dropped(.replay)) }
    }

    @Test func `a live request held back for a thousand others is dropped`() {
        let (alice, bob) = friends()
        let held = alice.ask(bob)
        for _ in 0..<1023 { #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping)) }
        let justIn = alice.ask(bob)
        #expect(bob.hear(justIn, from: alice) == .live(ping))
        #expect(bob.hear(held, from: alice) == .dropped(.replay))
    }

    @Test func `late answers do not spoil the one to come`() {
        // Each request was sent twice and answered twice, and all second answers come late.
        let (alice, bob) = friends()
        let late = (1...6 as ClosedRange<UInt64>).map { transaction in
            let answers = (0..<2).map { _ in bob.answer(alice.ask(bob, transaction: transaction), from: alice)
            }
            #expect(!alice.hear(answers[0], from: bob).isDropped)
            return answers[1]
        }
        let response = bob.answer(alice.ask(bob), from: alice)
        for answer in late { #expect(alice.hear(answer, from: bob) == .dropped(.unsolicited)) }
        #expect(!alice.hear(response, from: bob).isDropped)
    }

    @Test func `replayed answers do not spoil the one to come, not even of a former life`() {
        let (alice, bob) = friends()
        let captured = (1...5 as ClosedRange<UInt64>).map { transaction in
            let answer = bob.answer(alice.ask(bob, transaction: transaction), from: alice)
            _ = alice.hear(answer, from: bob)
            return answer
        }
        let reborn = Party(
            "alice",
            at: .host(1),
            admitting: list,
            boxKey: "new"
        )
        for asker in [alice, reborn] {
            let response = bob.answer(asker.ask(bob, transaction: 99), from: asker)
            for answer in captured { #expect(asker.hear(answer, from: bob).isDropped) }
            #expect(!asker.hear(response, from: bob).isDropped)
        }
    }
}
