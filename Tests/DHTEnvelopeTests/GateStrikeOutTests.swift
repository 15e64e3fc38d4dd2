import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// What a member tells of others' records is believed as far as their signatures go.
@Suite struct GateStrikeOutTests {
    private let alice: Party
    private let bob: Party

    init() {
        let list = members("alice", "bob", "carol", "reader", readers: ["reader"])
        alice = Party("alice", at: .host(1), admitting: list)
        bob = Party("bob", at: .host(2), admitting: list)
        alice.meet(bob)
    }

    /// What is left of a response to that request.
    private func left(of response: Response, to request: Request) -> (response: Response, struckOut: Int)? {
        let datagram = bob.answer(alice.ask(bob, request), from: alice, with: response)
        guard case .answer(let answer) = alice.gate.receive(datagram, from: bob.endpoint, at: at(0)) else {
            return nil
        }
        return (answer.response, answer.struckOut)
    }

    private func find(_ key: String, by author: String? = nil) -> Request {
        .findValue(location: sha1(Array(key.utf8)), author: author.map { .named($0) }, offset: 0)
    }

    @Test func `good records of the location stay`() throws {
        let records = [record(by: "carol", revision: 9 << 30), record(by: "bob", revision: 8 << 30)]
        let answer = try #require(left(of: .values(records, total: 2, closer: []), to: find("key")))
        #expect(answer.response == .values(records, total: 2, closer: []))
        #expect(answer.struckOut == 0)
    }

    @Test(arguments: ["forged", "elsewhere", "stranger", "reader", "other key", "twice"])
    func `a record that has no right to be there is struck out`(fault: String) throws {
        let good = record(by: "carol")
        let bad =
            switch fault {
            case "forged": record(by: "bob").forged
            case "elsewhere": record(by: "bob", network: "elsewhere")
            case "stranger": record(by: "stranger")
            case "reader": record(by: "reader")
            case "other key": record(by: "bob", key: "another")
            default: record(by: "carol", value: [1], revision: 1 << 39)
            }
        let answer = try #require(left(of: .values([good, bad], total: 2, closer: []), to: find("key")))
        #expect(answer.response == .values([good], total: 2, closer: []))
        #expect(answer.struckOut == 1)
    }

    @Test func `of two records by one author the newer stays, whichever comes first`() throws {
        let (old, new) = (record(by: "carol", revision: 8 << 30), record(by: "carol", revision: 9 << 30))
        let other = record(by: "bob", revision: 7 << 30)
        for records in [[old, new, other], [new, old, other]] {
            let answer = try #require(left(of: .values(records, total: 3, closer: []), to: find("key")))
            #expect(answer.response == .values([new, other], total: 3, closer: []))
            #expect(answer.struckOut == 1)
        }
        let forged = try #require(
            left(of: .values([old, new.forged], total: 2, closer: []), to: find("key"))
        )
        #expect(forged.response == .values([old], total: 2, closer: []), "a forged one displaces nothing")
    }

    @Test func `who names us to ourselves says that another process has our key`() throws {
        let target = sha1(Array("key".utf8))
        func verdict(naming contacts: [Contact]) -> Bool? {
            let request = Request.findNode(target: target)
            let datagram = bob.answer(alice.ask(bob, request), from: alice, with: .nodes(contacts))
            guard case .answer(let answer) = alice.gate.receive(datagram, from: bob.endpoint, at: at(0))
            else { return nil }
            #expect(answer.response == .nodes(contacts.filter { $0.identity != .named("alice") }))
            return answer.namesTwin
        }
        func contact(_ name: String) -> Contact {
            Contact(identity: .named(name), id: Identity.named(name).nodeID, endpoint: .host(9))
        }
        let (others, ourselves) = ([contact("carol")], contact("alice"))
        #expect(verdict(naming: others) == false)
        #expect(verdict(naming: [ourselves] + others) == true)
    }

    @Test func `contacts that nobody can send to are struck out, and counted`() throws {
        let addresses: [UInt32] = [0x7F00_0001, 0xFFFF_FFFF, 0xA9FE_0101, 0x0A00_0009]
        let contacts = addresses.map { address in
            Contact(
                identity: .named("carol"),
                id: Identity.named("carol").nodeID,
                endpoint: Endpoint(ipv4: address, port: 4000)
            )
        }
        let response = Response.values([], total: 0, closer: contacts)
        let datagram = bob.answer(alice.ask(bob, find("key")), from: alice, with: response)
        guard case .answer(let answer) = alice.gate.receive(datagram, from: bob.endpoint, at: at(0)) else {
            Issue.record("the answer is dropped")
            return
        }
        #expect(answer.response == .values([], total: 0, closer: [contacts[3]]))
        #expect((answer.struckOut, answer.unusable) == (3, 3))
    }

    @Test func `where one author was asked for no other's record stays`() throws {
        let records = [record(by: "carol"), record(by: "bob")]
        let answer = try #require(
            left(of: .values(records, total: 2, closer: []), to: find("key", by: "bob"))
        )
        #expect(answer.response == .values([records[1]], total: 2, closer: []))
        #expect(answer.struckOut == 1)
    }

    @Test func `a record seen before is struck out again if its author may not write any more`() throws {
        let records = [record(by: "carol")]
        let response = Response.values(records, total: 1, closer: [])
        #expect(try #require(left(of: response, to: find("key"))).struckOut == 0)
        alice.gate.replaceAdmission(members("alice", "bob"))
        #expect(try #require(left(of: response, to: find("key"))).struckOut == 1)
    }

    @Test func `the record in the way of a store must be of its location and signed`() throws {
        let store = Request.store(record(by: "alice"), condition: nil)
        let standing = record(by: "alice", value: [7], revision: 2 << 40)
        #expect(try #require(left(of: .conflict(standing), to: store)).response == .conflict(standing))
        for bad in [standing.forged, record(by: "alice", key: "another"), record(by: "stranger")] {
            let answer = try #require(left(of: .conflict(bad), to: store))
            #expect(answer.response == .conflict(nil))
            #expect(answer.struckOut == 1)
        }
    }
}
