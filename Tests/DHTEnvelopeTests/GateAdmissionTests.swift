import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Who is admitted may change while the node runs.
@Suite struct GateAdmissionTests {
    @Test func `an expelled peer is dropped, not written to, and forgotten`() {
        let (alice, bob) = friends()
        let request = alice.ask(bob)
        bob.gate.replaceAdmission(members("bob", "carol"))
        #expect(bob.hear(request, from: alice) == .dropped(.admission))
        #expect(!bob.hasProved(alice))
        #expect(!bob.expectsLife(of: alice))
        #expect(bob.gate.sessions.count == 0)
        let datagram = bob.gate.seal(
            ping,
            to: alice.identity,
            at: alice.endpoint,
            Gate.SealOptions(transaction: 1),
            now: at(0)
        )
        #expect(datagram == nil)
    }

    @Test func `an answer from a peer expelled meanwhile is dropped`() {
        let (alice, bob) = friends()
        let response = alice.answer(bob.ask(alice), from: bob)
        bob.gate.replaceAdmission(members("bob", "carol"))
        #expect(bob.hear(response, from: alice) == .dropped(.admission))
    }

    @Test func `a request that waited until its sender was expelled is not answered`() {
        let (alice, bob) = friends()
        guard case .request(let inbound) = bob.gate.receive(alice.ask(bob), from: alice.endpoint, at: at(0))
        else {
            Issue.record("bob did not take the request")
            return
        }
        bob.gate.replaceAdmission(members("bob", "carol"))
        let datagram = bob.gate.seal(
            .pong(observed: alice.endpoint, endpoints: []),
            to: inbound,
            now: at(0)
        )
        #expect(datagram == nil)
    }

    @Test func `who stays is not affected`() {
        let (alice, bob) = friends()
        bob.gate.replaceAdmission(members("bob", "alice"))
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        #expect(bob.hasProved(alice))
        #expect(bob.expectsLife(of: alice))
    }

    @Test func `a newcomer is let in`() {
        let (alice, bob) = (
            Party("alice", at: .host(1), admitting: members("alice", "bob")),
            Party("bob", at: .host(2), admitting: members("bob"))
        )
        #expect(bob.hear(alice.ask(bob), from: alice) == .dropped(.admission))
        bob.gate.replaceAdmission(members("bob", "alice"))
        alice.meet(bob)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
    }

    @Test func `a peer admitted again begins anew`() {
        let (alice, bob) = friends()
        bob.gate.replaceAdmission(members("bob"))
        bob.gate.replaceAdmission(members("bob", "alice"))
        #expect(!bob.hasProved(alice))
        #expect(bob.hear(alice.ask(bob), from: alice) == .firstContact(ping))
        alice.meet(bob)
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
        #expect(bob.hasProved(alice))
    }

    @Test func `an open overlay admits whoever holds its key`() {
        let bob = Party("bob", at: .host(2), admitting: .open)
        let anybody = Party("anybody", at: .host(1), admitting: .open)
        anybody.meet(bob)
        #expect(bob.hear(anybody.ask(bob), from: anybody) == .live(ping))
    }

    @Test func `when an open overlay is closed the others are forgotten`() {
        let bob = Party("bob", at: .host(2), admitting: .open)
        let (alice, other) = (
            Party("alice", at: .host(1), admitting: .open), Party("other", at: .host(3), admitting: .open)
        )
        alice.meet(bob)
        alice.meet(bob)
        other.meet(bob)
        bob.gate.replaceAdmission(members("alice", "bob"))
        #expect(bob.gate.sessions.count == 1)
        #expect(bob.hear(other.ask(bob), from: other) == .dropped(.admission))
        #expect(bob.hear(alice.ask(bob), from: alice) == .live(ping))
    }

    @Test func `records count if their author may write`() {
        let list = members("alice", "bob", "reader", readers: ["reader"])
        let bob = Party("bob", at: .host(2), admitting: list)
        let accepted = ["alice", "bob", "reader", "nobody"].map { bob.gate.accepts(record(by: $0)) }
        #expect(accepted == [true, true, false, false])
        let forged = bob.gate.accepts(record(by: "alice").forged)
        #expect(!forged)
        bob.gate.replaceAdmission(members("bob"))
        let afterwards = bob.gate.accepts(record(by: "alice"))
        #expect(!afterwards)
    }

    @Test func `a record that was signed here is accepted here`() {
        let bob = Party("bob", at: .host(2), admitting: members("bob"))
        let draft = RecordCodec.Draft(
            kind: .value,
            key: [1],
            revision: Revision(rawValue: 1),
            lifetime: 60,
            value: [2]
        )
        let record = bob.gate.sign(draft)
        let isAccepted = bob.gate.accepts(record)
        #expect(isAccepted)
        #expect(RecordCodec.verifies(record, network: networkKey("home").id))
        #expect(record.author == bob.identity)
    }
}
