import DHTCore
import DHTStorage
import Testing

@testable import SecureDHT

/// What a node writes down of its contacts.
struct ContactSnapshotTests {
    private let ada = Self.contact(1)
    private let bob = Self.contact(2)
    private let cyd = Self.contact(3)

    private static func contact(_ number: UInt8, port: UInt16 = 4100) -> RememberedContact {
        let identity = certain(Identity([UInt8](repeating: number, count: 32)))
        let endpoint = Endpoint(ipv4: 0x0A00_0000 + UInt32(number), port: port)
        return RememberedContact(identity: identity, endpoint: endpoint, answered: UInt64(number))
    }

    @Test func `the first contacts are written at once, others soon`() {
        var memory = ContactSnapshot()
        #expect(memory.revise([], age: .seconds(1)) == nil)
        #expect(memory.revise([ada], age: .seconds(1)) == [ada])
        #expect(memory.revise([ada, bob], age: .seconds(2)) == nil)
        #expect(memory.revise([ada, bob], age: .seconds(6)) == [ada, bob])
        #expect(memory.revise([ada, bob, cyd], age: .seconds(62)) == nil)
        #expect(memory.revise([ada, bob, cyd], age: .seconds(66)) == [ada, bob, cyd])
    }

    @Test func `what has not changed is not written`() {
        var memory = ContactSnapshot([ada, bob])
        #expect(memory.revise([bob, ada], age: .seconds(1)) == nil)
        #expect(memory.revise([ada, bob], age: .minutes(59)) == nil)
        #expect(memory.revise([ada, bob], age: .minutes(60)) == [ada, bob], "when they answered is news")
        let moved = Self.contact(1, port: 4200)
        #expect(memory.revise([moved, bob], age: .minutes(61)) == [moved, bob])
    }

    @Test func `who has just come back does not forget those it has not met again`() {
        var memory = ContactSnapshot([ada, bob])
        #expect(memory.revise([cyd], age: .seconds(1)) == [cyd, ada, bob])
        #expect(memory.revise([cyd, bob], age: .seconds(10)) == nil)
        #expect(memory.revise([cyd, bob], age: .minutes(16)) == [cyd, bob])
    }

    @Test func `those who answered within a day are written as well`() {
        var memory = ContactSnapshot()
        #expect(memory.revise([ada], lately: [ada, bob], age: .seconds(1)) == [ada, bob])
        #expect(memory.revise([ada], lately: [ada, bob], age: .seconds(10)) == nil)
        #expect(memory.revise([ada], lately: [ada], age: .minutes(20)) == [ada])
    }

    @Test func `who lost everybody remembers whom it knew`() {
        var memory = ContactSnapshot([ada])
        #expect(memory.revise([], age: .minutes(60)) == nil)
        #expect(memory.revise([], age: .minutes(60), isLast: true) == nil)
    }

    @Test func `before it ends a node writes what is new whatever was written a moment ago`() {
        var memory = ContactSnapshot()
        #expect(memory.revise([ada], age: .minutes(20)) == [ada])
        #expect(memory.revise([bob], age: .minutes(20)) == nil)
        #expect(memory.revise([bob], age: .minutes(20), isLast: true) == [bob])
    }

    @Test func `what is inherited over and over does not grow without end`() {
        let many = (0..<300).map { Self.contact(9, port: 4100 + UInt16($0)) }
        var memory = ContactSnapshot(many)
        #expect(memory.revise([ada], age: .seconds(1))?.count == 1 + ContactSnapshot.inheritedLimit)
    }
}
