import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

@Suite struct SessionTableTests {
    private var table = SessionTable(members: 3, budgetRate: 10)
    private let alice = Identity.named("alice")
    private let bob = Identity.named("bob")
    private let key = boxKey("alice").publicKey
    private let own: UInt32 = 7

    private mutating func accept(
        _ counter: UInt64,
        _ key: BoxPublicKey? = nil,
        from endpoint: Endpoint = .host(1),
        answers: Bool = false,
        at now: Instant = at(0)
    ) -> SessionTable.Acceptance? {
        table.accept(
            counter,
            of: alice,
            key ?? self.key,
            from: endpoint,
            answersChallenge: answers,
            at: now
        )
    }

    private mutating func answered(
        _ key: BoxPublicKey? = nil,
        from endpoint: Endpoint = .host(1),
        counter: UInt64 = 0,
        challenge: UInt64 = 0,
        at now: Instant = at(0)
    ) -> Bool? {
        table.answered(
            alice,
            key ?? self.key,
            from: endpoint,
            counter: counter,
            challenge: challenge,
            ownKey: own,
            at: now
        )
    }

    private func isNew(_ counter: UInt64, _ key: BoxPublicKey? = nil) -> Bool {
        !table.hasSeen(counter, of: alice, key ?? self.key)
    }

    /// How a request would stand with a counter that was not seen.
    private func familiarity(_ key: BoxPublicKey) -> SessionTable.Familiarity? {
        table.familiarity(of: alice, key, sending: .max)
    }

    // MARK: How a session begins

    @Test mutating func `a first contact changes nothing but that it was`() {
        #expect(familiarity(key) == .unknown)
        #expect(accept(5) == .init())
        #expect(familiarity(key) == .remembered)
        #expect(!isNew(5))
        #expect(isNew(4) && isNew(6))
        #expect(table.sessionCount == 0)
        #expect(!table.hasProved(alice, at: .host(1)))
    }

    @Test mutating func `a challenge answered begins a session, and all before it counts as seen`() {
        _ = accept(3)
        #expect(accept(5, answers: true) == .init(isLive: true, provesAddress: true))
        #expect(familiarity(key) == .known)
        for counter in 0...5 as ClosedRange<UInt64> { #expect(!isNew(counter)) }
        #expect(isNew(6))
        #expect(accept(6) == .init(isLive: true))
        #expect(table.hasProved(alice, at: .host(1)))
        #expect(table.firstContacts.count == 0)
    }

    @Test mutating func `an answer begins a session, and what was sent before it counts as seen`() {
        #expect(answered(counter: 40) == false)
        for counter in 0...40 as ClosedRange<UInt64> { #expect(!isNew(counter)) }
        #expect(accept(41) == .init(isLive: true))
        // Another answer leaves the window as it is: 43 may overtake 42.
        #expect(accept(43) == .init(isLive: true))
        _ = answered(counter: 43)
        #expect(isNew(42))
    }

    @Test mutating func `a first contact that overtook what begins the session is not new afterwards`() {
        for counter in [5, 7, 9] as [UInt64] { #expect(accept(counter) == .init()) }
        #expect(answered(counter: 3) == false, "the answer was sent before them")
        for counter in [3, 5, 7, 9] as [UInt64] { #expect(!isNew(counter)) }
        for counter in [4, 6, 8, 10] as [UInt64] { #expect(isNew(counter)) }
    }

    @Test mutating func `another address of a session is proved by a challenge or an answer`() {
        _ = answered()
        #expect(accept(1, from: .host(2)) == .init())
        #expect(accept(2, from: .host(2), answers: true) == .init(isLive: true, provesAddress: true))
        #expect(accept(3, from: .host(2)) == .init(isLive: true))
        _ = answered(from: .host(3))
        #expect(accept(4, from: .host(3)) == .init(isLive: true))
        #expect(accept(5, from: .host(1)) == .init(isLive: true))
    }

    @Test mutating func `of addresses the four latest are remembered`() {
        for host in 1...6 as ClosedRange<UInt8> { _ = answered(from: .host(host)) }
        for host in 1...6 as ClosedRange<UInt8> {
            #expect(table.isProved(alice, key, at: .host(host)) == (host > 2))
        }
        // One that is used stays.
        _ = accept(1, from: .host(3))
        _ = answered(from: .host(7))
        #expect(table.isProved(alice, key, at: .host(3)))
        #expect(!table.isProved(alice, key, at: .host(4)))
    }

    // MARK: How it ends

    @Test mutating func `its own fifth takes the place of the one heard least lately`() {
        let keys = (0..<5).map { boxKey("process \($0)").publicKey }
        for (second, key) in keys[..<4].enumerated() {
            _ = accept(1, key, answers: true, at: at(UInt64(second)))
        }
        _ = accept(2, keys[0], at: at(9))
        let before = table.generation(of: alice)
        _ = accept(1, keys[4], answers: true, at: at(10))
        #expect(table.sessionCount == 4)
        #expect(familiarity(keys[1]) == .remembered)
        #expect(familiarity(keys[0]) == .known)
        // A challenge of before begins nothing any more.
        #expect(table.generation(of: alice) != before)
    }

    @Test mutating func `others cannot push it out`() {
        _ = accept(1, answers: true)
        for number in 0..<100 {
            _ = table.accept(
                1,
                of: bob,
                boxKey("process \(number)").publicKey,
                from: .host(9),
                answersChallenge: true,
                at: at(1)
            )
        }
        #expect(familiarity(key) == .known)
        #expect(table.sessionCount == 5)
    }

    @Test mutating func `it lasts for a day, and as long as it is heard`() {
        let day: UInt64 = 86_400
        _ = accept(1, answers: true)
        _ = accept(1, boxKey("second").publicKey, answers: true, at: at(day - 1))
        #expect(familiarity(key) == .known)
        _ = accept(2, at: at(day - 1))
        _ = accept(1, boxKey("third").publicKey, answers: true, at: at(day + 4 * 3600 - 2))
        #expect(familiarity(key) == .known)
        _ = accept(1, boxKey("fourth").publicKey, answers: true, at: at(day + 4 * 3600 - 1))
        #expect(familiarity(key) == .remembered)
        #expect(familiarity(boxKey("second").publicKey) == .known)
    }

    @Test mutating func `who is taken off the list is forgotten, and challenges with it`() {
        _ = accept(1, answers: true)
        _ = table.outgoing(for: alice, ownKey: own, at: at(0))
        #expect(table.takeForgotten() == false)
        table.keep(members: 3) { $0 == bob }
        #expect(table.takeForgotten() == true)
        #expect(table.takeForgotten() == false)
        #expect(familiarity(key) == .unknown)
        #expect(table.count == 0)
    }

    @Test mutating func `in open mode an eighth is forgotten at a time, those heard least lately`() {
        table = SessionTable(members: nil, budgetRate: 10)
        func identity(_ number: Int) -> Identity {
            certain(
                Identity(([UInt8(number >> 8), UInt8(number & 255)] + [UInt8](repeating: 1, count: 30))[...])
            )
        }
        for number in 0..<SessionTable.openCapacity {
            _ = table.place(for: identity(number), at: at(UInt64(number)))
        }
        #expect(table.takeForgotten() == false)
        _ = table.place(for: alice, at: at(99_999))
        #expect(table.takeForgotten() == true)
        #expect(table.count == SessionTable.openCapacity * 7 / 8 + 1)
        #expect(table[identity(SessionTable.openCapacity / 8 - 1)] == nil)
        #expect(table[identity(SessionTable.openCapacity / 8)] != nil)
    }

    // MARK: Processes

    @Test mutating func `a new process of a known peer is news, and its first is none`() {
        #expect(answered() == false)
        #expect(answered(boxKey("second").publicKey) == true)
        #expect(answered(boxKey("second").publicKey) == false)
        #expect(accept(1, boxKey("third").publicKey, answers: true)?.isNewProcess == true)
        #expect(accept(2, boxKey("third").publicKey)?.isNewProcess == false)
    }

    @Test mutating func `two processes side by side are told apart from one that follows another`() {
        let second = boxKey("second").publicKey
        _ = accept(1, answers: true)
        _ = accept(1, second, from: .host(2), answers: true, at: at(5))
        // Under way when the second began.
        #expect(accept(2, at: at(9))?.twin == nil)
        #expect(accept(2, second, from: .host(2), at: at(20))?.twin == nil)
        #expect(accept(3, at: at(21))?.twin == .host(2))
        let beside = accept(3, second, from: .host(2), at: at(22))
        #expect(beside?.isNewProcess == false)
        #expect(beside?.twin == .host(1), "the later one is told as well")
        let minutes: UInt64 = 20 * 60
        #expect(accept(4, second, from: .host(2), at: at(20 + minutes))?.twin == .host(1))
        #expect(accept(5, second, from: .host(2), at: at(21 + minutes))?.twin == nil, "it is over")
    }

    // MARK: Our requests

    @Test mutating func `requests are counted for each peer, and anew for each key of ours`() {
        #expect(table.outgoing(for: alice, ownKey: own, at: at(0))?.counter == 1)
        #expect(table.outgoing(for: alice, ownKey: own, at: at(0))?.counter == 2)
        #expect(table.outgoing(for: bob, ownKey: own, at: at(0))?.counter == 1)
        #expect(table.lastCounter(to: alice, ownKey: own) == 2)
        #expect(table.lastCounter(to: alice, ownKey: 8) == 0)
        #expect(table.outgoing(for: alice, ownKey: 8, at: at(0))?.counter == 1)
        #expect(table.lastCounter(to: alice, ownKey: own) == 0)
    }

    @Test mutating func `whoever was forgotten is not sent a counter it may have seen`() {
        for _ in 0..<9 { _ = table.outgoing(for: alice, ownKey: own, at: at(0)) }
        table.keep(members: 3) { _ in false }
        #expect(table.lastCounter(to: alice, ownKey: own) == 9)
        #expect(table.lastCounter(to: bob, ownKey: own) == 9)
        #expect(table.outgoing(for: alice, ownKey: own, at: at(0))?.counter == 10)
    }

    @Test mutating func `the last challenge goes along, and life is expected while it is good`() {
        #expect(!table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(0)))
        _ = answered(challenge: 99)
        #expect(table.outgoing(for: alice, ownKey: own, at: at(0))?.challenge == 99)
        #expect(table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(3599)))
        #expect(!table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(3600)))
        #expect(!table.expectsLife(of: alice, at: .host(2), ownKey: own, now: at(0)))
        #expect(!table.expectsLife(of: alice, at: .host(1), ownKey: 8, now: at(0)))
        _ = answered(at: at(10))
        #expect(table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(1_000_000)))
        #expect(table.outgoing(for: alice, ownKey: own, at: at(0))?.challenge == 99)
        // Another process of the peer knows nothing of us.
        _ = accept(1, boxKey("second").publicKey, answers: true, at: at(11))
        #expect(!table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(11)))
    }

    @Test mutating func `who got our answer to a live request knows us`() {
        _ = accept(1, answers: true)
        #expect(!table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(0)))
        table.answering(alice, key, at: .host(1), ownKey: own, now: at(0))
        #expect(table.expectsLife(of: alice, at: .host(1), ownKey: own, now: at(50_000)))
    }

    // MARK: Budgets and room

    @Test mutating func `a peer has one budget for all its processes`() {
        _ = accept(1, answers: true)
        _ = accept(1, boxKey("second").publicKey, answers: true)
        var granted = 0
        for turn in 0..<60 {
            let key = turn % 2 == 0 ? key : boxKey("second").publicKey
            if table.charge(alice, key, at: at(0)) { granted += 1 }
        }
        #expect(granted == 20)
    }

    @Test func `what a session takes is little`() {
        // 65,536 members with two box keys each: 47 MiB at most, if all of them write to one node.
        let window = 32 + 8 * 32
        let addresses = 32 + Session.addressLimit * MemoryLayout<Endpoint>.stride
        let session = MemoryLayout<Session>.stride + window + addresses
        let bytes = MemoryLayout<PeerState>.stride + 2 * session + 48
        #expect(bytes <= 1600)
    }
}
