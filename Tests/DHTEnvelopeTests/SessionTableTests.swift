import DHTCore
import Testing

@testable import DHTEnvelope

@Suite struct SessionTableTests {
    private var table = SessionTable(capacity: 2, start: 1000, budgetRate: 10)
    private let alice = Identity.named("alice")
    private let bob = Identity.named("bob")
    private let carol = Identity.named("carol")

    @Test mutating func `a peer has one place`() {
        #expect(table.place(for: alice, at: at(0)) == 0)
        #expect(table.place(for: bob, at: at(0)) == 1)
        #expect(table.place(for: alice, at: at(1)) == 0)
        #expect(table.count == 2)
        #expect(table[bob]?.identity == bob)
    }

    @Test mutating func `a full table refuses the newcomer`() {
        _ = table.place(for: alice, at: at(0))
        _ = table.place(for: bob, at: at(0))
        #expect(table.place(for: carol, at: at(599)) == nil)
        #expect(table.index(of: carol) == nil)
    }

    @Test mutating func `a peer idle for two epochs makes room`() {
        _ = table.place(for: alice, at: at(0))
        _ = table.place(for: bob, at: at(0))
        table[0].lastAccepted = at(50)
        #expect(table.place(for: carol, at: at(600)) == 1)
        #expect(table.index(of: bob) == nil)
        #expect(table[carol]?.identity == carol)
        #expect(table[alice]?.identity == alice)
    }

    @Test mutating func `those not kept are forgotten and the others found`() {
        _ = table.place(for: alice, at: at(0))
        _ = table.place(for: bob, at: at(0))
        table.keep { $0 == bob }
        #expect(table.index(of: alice) == nil)
        #expect(table.index(of: bob) == 0)
        #expect(table[0].identity == bob)
    }

    @Test mutating func `what a forgotten peer had sent stays a replay when it comes back`() {
        let place = table.place(for: alice, at: at(0))!
        table[place].replay.commit(5000, liveEpoch: 0, currentEpoch: 0, at: at(0))
        table[place].replay.commit(5001, liveEpoch: 0, currentEpoch: 0, at: at(0))
        table.keep { _ in false }
        #expect(table[alice] == nil)
        #expect(table.fresh(for: alice, at: at(1)).replay.hasSeen(5000))
        let again = table.place(for: alice, at: at(1))!
        #expect(table[again].replay.hasSeen(5000))
        #expect(!table.fresh(for: bob, at: at(1)).replay.hasSeen(5000))
    }

    @Test mutating func `a token is put into requests to where it came from, for one epoch`() {
        let place = table.place(for: alice, at: at(0))!
        #expect(table[place].token(for: .host(1), at: at(0)) == nil)
        table[place].answered(from: .host(1), boxKey: boxKey("alice").publicKey, token: 9, at: at(10))
        #expect(table[place].token(for: .host(1), at: at(10)) == 9)
        #expect(table[place].token(for: .host(2), at: at(10)) == nil)
        #expect(table[place].token(for: .host(1), at: at(309)) == 9)
        #expect(table[place].token(for: .host(1), at: at(310)) == nil)
    }

    @Test mutating func `a token of zero is none`() {
        let place = table.place(for: alice, at: at(0))!
        table[place].answered(from: .host(1), boxKey: boxKey("alice").publicKey, token: 0, at: at(0))
        #expect(table[place].token(for: .host(1), at: at(0)) == nil)
    }
}
