import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// A datagram that Bob, who has met Alice, must drop for one reason.
private struct Provocation {
    let bob: Party
    let datagram: [UInt8]
    var endpoint = Endpoint.host(1)
    var now = at(1)

    /// The case of that reason, and nothing else wrong with it where checks after it are concerned.
    init(_ reason: DropReason) {
        let (alice, bob) = reason == .budget ? Provocation.miserly() : friends()
        self.bob = bob
        let forgery = Forgery.request(
            from: "alice",
            to: "bob",
            keyID: boxKey("bob").publicKey.id,
            counter: 100_000
        )
        switch reason {
        case .length: datagram = alice.ask(bob) + [0]
        case .header: datagram = forgery.with(\.network, "elsewhere").datagram
        case .version: datagram = forgery.with(\.version, 2).datagram
        case .kind: datagram = forgery.with(\.kind, 3).datagram
        case .self: datagram = forgery.with(\.sender, bob.identity).with(\.signer, "bob").datagram
        case .admission:
            datagram = forgery.with(\.sender, .named("mallory")).with(\.signer, "mallory").datagram
        case .replay:
            datagram = alice.ask(bob)
            _ = bob.hear(datagram, from: alice)
        case .unsolicited: datagram = alice.answer(bob.ask(alice), from: bob, with: .retry)
        case .key: datagram = forgery.with(\.recipientKeyID, 12345).datagram
        case .lane:
            for number in 1...20 as ClosedRange<UInt64> {
                let forged = forgery.boxed(by: "mallory \(number)").with(\.signer, "mallory")
                _ = bob.hear(forged.datagram, from: alice, now: at(1))
            }
            datagram = forgery.boxed(by: "mallory").datagram
        case .box: datagram = forgery.with(\.boxPeer, boxKey("carol").publicKey).datagram
        case .malformed:
            let body = Forgery.body(operation: 9, number: 1, payload: [0])
            datagram = forgery.with(\.body, body).datagram
        case .mismatch:
            _ = bob.ask(alice, transaction: 5)
            let digest = bob.digest(of: 5)
            datagram =
                Forgery.response(
                    .retry,
                    operation: .findNode,
                    from: "alice",
                    to: "bob",
                    transaction: 5,
                    digest: digest
                ).datagram
        case .signature: datagram = forgery.with(\.signer, "mallory").datagram
        case .budget:
            for _ in 0..<3 { _ = bob.hear(alice.ask(bob), from: alice, now: at(1)) }
            datagram = alice.ask(bob)
        case .record: datagram = alice.ask(bob, .store(record(by: "carol").forged, condition: nil))
        case .capacity:
            // Who is admitted in the middle of it all has no place yet.
            bob.gate.sessions.keep(members: 0) { $0 == alice.identity }
            datagram = Party("carol", at: .host(3), admitting: .open).ask(bob)
            endpoint = .host(3)
        }
        // What goes unanswered on purpose is no news any more.
        if reason == .unsolicited {
            for transaction in 0...9 as ClosedRange<UInt64> { bob.gate.close(transaction) }
        }
    }

    /// Friends of whom Bob grants one request a second.
    private static func miserly() -> (Party, Party) {
        var limits = Gate.Limits()
        limits.requestsByPeer = 1
        let list = members("alice", "bob")
        let alice = Party("alice", at: .host(1), admitting: list)
        let bob = Party("bob", at: .host(2), admitting: list, limits: limits)
        alice.meet(bob)
        return (alice, bob)
    }
}

/// `docs/protocol.md`, section 4: each failure drops the datagram and changes nothing.
@Suite struct GateDropTests {
    @Test(arguments: DropReason.allCases)
    func `each reason has its datagram, which changes nothing`(reason: DropReason) {
        let provocation = Provocation(reason)
        let bob = provocation.bob
        let before = bob.memory
        let verdict = Outcome(
            bob.gate.receive(provocation.datagram, from: provocation.endpoint, at: provocation.now)
        )
        #expect(verdict == .dropped(reason))
        // The request itself was good, and is not to come again.
        if reason != .record { #expect(bob.memory == before) }
        #expect(!bob.hasCached(boxKey("mallory").publicKey, own: boxKey("bob").publicKey.id))
        // And Alice, whoever wrote in her name, is heard as before.
        if reason != .budget {
            let alice = Party("alice", at: .host(1), admitting: members("alice", "bob"), boxKey: "new")
            #expect(bob.hear(alice.ask(bob, now: at(5)), from: alice, now: at(5)) == .firstContact(ping))
        }
    }

    @Test func `reasons are called what the protocol calls them`() {
        let names = """
            length header version kind self admission replay unsolicited key lane box malformed mismatch \
            budget signature capacity record
            """
        #expect(DropReason.allCases.map(\.name).joined(separator: " ") == names)
    }

    @Test(arguments: [0, 1, 24, 120, 255, 257, 511, 513, 1023, 1231, 1233, 1500, 65_507])
    func `a datagram of another length is dropped unseen`(length: Int) {
        let (alice, bob) = friends()
        let datagram = alice.ask(bob) + [UInt8](repeating: 0, count: 70_000)
        #expect(bob.hear(Array(datagram[..<length]), from: alice) == .dropped(.length))
    }

    @Test(
        arguments: [
            (1, 0, 1), (1, 1, 0), (1, 0, 0x100), (4, 0, 0), (0, 0, 0), (6, 0, 0), (255, 0, 0),
        ] as [(UInt8, UInt8, UInt16)]
    )
    func `a body that says what it must not is malformed`(operation: UInt8, status: UInt8, reserved: UInt16) {
        let (alice, bob) = friends()
        let body = Forgery.body(
            operation: operation,
            status: status,
            reserved: reserved,
            number: 1,
            payload: [0]
        )
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 100_000).with(
            \.body,
            body
        )
        #expect(bob.hear(forgery.datagram, from: alice) == .dropped(.malformed))
    }

    @Test func `a response that is malformed is dropped`() {
        let (alice, bob) = friends()
        _ = bob.ask(alice, transaction: 5)
        let body = Forgery.body(operation: 1, status: 8, number: 5, payload: [])
        let response = Forgery.response(
            .retry,
            from: "alice",
            to: "bob",
            transaction: 5,
            digest: bob.digest(of: 5)
        )
        #expect(bob.hear(response.with(\.body, body).datagram, from: alice) == .dropped(.malformed))
        #expect(bob.hear(response.datagram, from: alice) == .answer(.retry))
    }

    @Test func `reserved bytes of a header are zero`() {
        let (alice, bob) = friends()
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 100_000)
        #expect(bob.hear(forgery.with(\.reserved, 1).datagram, from: alice) == .dropped(.kind))
        #expect(bob.hear(forgery.datagram, from: alice) == .live(ping))
    }

    @Test func `a box key of small order is no key`() throws {
        let (alice, bob) = friends()
        let zero = try #require(BoxPublicKey([UInt8](repeating: 0, count: 32)[...]))
        let forgery = Forgery.request(from: "alice", to: "bob", counter: 100_000)
        #expect(bob.hear(forgery.with(\.shownBoxKey, zero).datagram, from: alice) == .dropped(.box))
    }

    @Test func `the record of a store is verified if the request is live`() {
        let (alice, bob) = strangers()
        let store = Request.store(record(by: "carol").forged, condition: nil)
        // Told to retry anyway, so that nobody looks.
        #expect(bob.hear(alice.ask(bob, store), from: alice) == .firstContact(store))
        alice.meet(bob)
        #expect(bob.hear(alice.ask(bob, store), from: alice) == .dropped(.record))
        let good = Request.store(record(by: "carol"), condition: nil)
        #expect(bob.hear(alice.ask(bob, good), from: alice) == .live(good))
    }

    @Test func `the record of somebody who may not write is let through, to be refused by name`() {
        let list = members("alice", "bob", "reader", readers: ["reader"])
        let (alice, bob) = (
            Party("alice", at: .host(1), admitting: list), Party("bob", at: .host(2), admitting: list)
        )
        alice.meet(bob)
        for author in ["reader", "nobody"] {
            let store = Request.store(record(by: author).forged, condition: nil)
            #expect(bob.hear(alice.ask(bob, store), from: alice) == .live(store))
        }
    }

    @Test func `a flood of random datagrams is garbage and no more`() {
        let (alice, bob) = friends()
        var generator = SplitMix64(seed: 1)
        let before = bob.memory
        for _ in 0..<1000 {
            let length = generator.pick(Datagram.lengths + [generator.number(0...1500)])
            let verdict = bob.hear(generator.bytes(length), from: alice)
            #expect(verdict == .dropped(Datagram.lengths.contains(length) ? .header : .length))
        }
        #expect(bob.memory == before)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
    }
}
