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
        // At each of the two one tokenless request is older than others, and may be answered once.
        var answered: Set<String> = []
        for replay in captured + captured {
            let verdict = replay.to.hear(replay.datagram, from: replay.from)
            #expect(!verdict.isLive)
            if !verdict.isDropped { #expect(answered.insert(replay.to.name).inserted) }
        }
        #expect((alice.gate.pending.count, bob.gate.pending.count) == (0, 0))
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `replayed in any order, from anywhere, at any time, nothing is live and answers are rare`(
        seed: UInt64
    ) {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob)
        var generator = SplitMix64(seed: seed)
        var answered: [String: Instant] = [:]
        var now = at(0)
        for _ in 0..<150 {
            now = now + .milliseconds(generator.next() % 30_000)
            let replay = generator.pick(captured)
            let endpoint = generator.pick([replay.from.endpoint, .host(77), .ipv6(subnet: 7, host: 7)])
            let verdict = replay.to.hear(replay.datagram, from: replay.from, at: endpoint, now: now)
            #expect(!verdict.isLive)
            guard !verdict.isDropped else { continue }
            if let last = answered[replay.to.name] { #expect(now.since(last) >= .seconds(30)) }
            answered[replay.to.name] = now
        }
        // Nor has any of it disturbed the two.
        alice.meet(bob, now: now)
        #expect(bob.hear(alice.ask(bob, now: now), from: alice, now: now) == .live(ping))
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `replayed after restarts nothing is live and answers are rare`(seed: UInt64) {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob)
        // Same identities, later starts; Bob even has the box key of before, Alice a new one.
        let later = Party.start + 60_000_000
        let reborn = [
            "alice": Party("alice", at: .host(1), admitting: list, boxKey: "new", start: later, now: at(60)),
            "bob": Party("bob", at: .host(2), admitting: list, start: later, now: at(60)),
        ]
        var generator = SplitMix64(seed: seed)
        var answered: [String: Instant] = [:]
        var now = at(60)
        for _ in 0..<100 {
            now = now + .milliseconds(generator.next() % 20_000)
            let replay = generator.pick(captured)
            guard let receiver = reborn[replay.to.name] else { continue }
            let verdict = receiver.hear(replay.datagram, from: replay.from, now: now)
            #expect(!verdict.isLive)
            guard !verdict.isDropped else { continue }
            if let last = answered[receiver.name] { #expect(now.since(last) >= .seconds(30)) }
            answered[receiver.name] = now
        }
    }

    @Test func `to another node every replay is garbage`() {
        let (alice, bob) = strangers()
        let carol = Party("carol", at: .host(3), admitting: list)
        for replay in conversation(alice, bob) {
            #expect(carol.hear(replay.datagram, from: replay.from) == .dropped(.header))
        }
    }

    @Test func `an old request that is answered leaves no trace but that it was`() {
        let (alice, bob) = strangers()
        let old = alice.ask(bob)
        // Bob got something later first; so to him this one may be a replay.
        let reborn = Party(
            "alice",
            at: .host(1),
            admitting: list,
            boxKey: "new",
            start: Party.start + 1_000_000
        )
        reborn.meet(bob)
        #expect(bob.hear(reborn.ask(bob), from: reborn) == .live(ping))
        let place = bob.gate.sessions.index(of: alice.identity)!
        let before = bob.gate.sessions[place]
        #expect(bob.hear(old, from: alice) == .tokenless(ping))
        let after = bob.gate.sessions[place]
        #expect(after.laneKey == before.laneKey)
        #expect(after.sendKey == before.sendKey)
        #expect(after.proved == before.proved)
        #expect(!bob.hasCached(boxKey("alice").publicKey, own: 0))
        #expect(bob.hear(alice.ask(bob), from: alice, now: at(1)) == .dropped(.stale))
        #expect(bob.hear(reborn.ask(bob), from: reborn) == .live(ping))
    }

    @Test func `replays of a former life do not push a peer out of the known lane`() {
        let (alice, bob) = strangers()
        let old = (0..<3).map { _ in alice.ask(bob) }
        let reborn = Party(
            "alice",
            at: .host(1),
            admitting: list,
            boxKey: "new",
            start: Party.start + 1_000_000
        )
        reborn.meet(bob)
        // Somebody exhausts the lane, and replays as often as there is an answer to be had.
        let claim = Forgery.request(from: "alice", to: "bob", counter: Party.start + 9_000_000)
            .with(\.signer, "mallory")
        for round in 0..<3 {
            let now = at(UInt64(round) * 40)
            #expect(bob.hear(old[round], from: alice, now: now) == .tokenless(ping))
            for number in 0..<210 {
                let source = Endpoint(ipv4: 0x0B00_0000 + UInt32(number / 15), port: 1)
                _ = bob.hear(claim.boxed(by: "mallory").datagram, from: alice, at: source, now: now)
            }
            #expect(bob.hear(reborn.ask(bob, now: now), from: reborn, now: now) == .live(ping))
        }
    }

    @Test func `what was captured of a member who was expelled is no good when it is admitted again`() {
        let (alice, bob) = strangers()
        let captured = conversation(alice, bob).filter { $0.to === bob }
        bob.gate.replaceAdmission(members("bob"))
        bob.gate.replaceAdmission(list)
        var answered = 0
        for replay in captured {
            let verdict = bob.hear(replay.datagram, from: alice)
            #expect(!verdict.isLive)
            if !verdict.isDropped { answered += 1 }
        }
        #expect(answered <= 1)
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
        for answer in late { #expect(alice.hear(answer, from: bob) == .dropped(.mismatch)) }
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
            boxKey: "new",
            start: Party.start + 1_000_000
        )
        for asker in [alice, reborn] {
            let response = bob.answer(asker.ask(bob, transaction: 99), from: asker)
            for answer in captured { #expect(asker.hear(answer, from: bob).isDropped) }
            #expect(!asker.hear(response, from: bob).isDropped)
        }
    }
}
