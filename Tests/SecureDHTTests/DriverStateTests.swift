import DHTCore
import DHTCrypto
import DHTEngine
import DHTStorage
import NIOCore
import Testing

@testable import SecureDHT

/// What the driver keeps besides the engine, without a node.
struct DriverStateTests {
    private func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000_000) + .milliseconds(milliseconds)
    }

    private func address(_ number: UInt32) -> Endpoint { Endpoint(ipv4: 0x0A00_0000 + number, port: 0) }

    private func contact(_ number: UInt8) throws -> RememberedContact {
        let identity = try #require(Identity([UInt8](repeating: number, count: 32)))
        return .init(identity: identity, endpoint: address(UInt32(number)), answered: 1_700_000_000_000)
    }

    // MARK: The network

    @Test func `a crowd of changes is looked at once, and one that follows soon after a while`() {
        var network = NetworkState()
        network.start([address(1)])
        #expect(network.changed(at: at(0)) == NetworkState.changePause)
        #expect(network.changed(at: at(1)) == nil)
        let change = network.review([address(1)], at: at(200))
        #expect(network.changed(at: at(300)) == NetworkState.longestChangePause)
        #expect(network.isLatest(change))
        _ = network.review([address(1)], at: at(1300))
        #expect(!network.isLatest(change))
        #expect(network.changed(at: at(3000)) == NetworkState.changePause)
    }

    @Test func `a machine has moved for a while after its addresses changed, not after its routes did`() {
        var network = NetworkState()
        network.start([address(1)])
        _ = network.review([address(1)], at: at(0))
        #expect(!network.hasMoved(at: at(0)))
        _ = network.review([address(2), address(3)], at: at(1000))
        _ = network.review([address(2), address(3)], at: at(5000))
        #expect(network.hasMoved(at: at(8000)))
        #expect(!network.hasMoved(at: at(9001)))
        let bound = Endpoint(ipv4: 0, port: 7)
        #expect(network.endpoints(of: bound).map(\.port) == [7, 7])
        #expect(network.endpoints(of: bound).map(\.withoutPort) == [address(2), address(3)])
    }

    // MARK: Storage

    @Test func `memory answers at once`() throws {
        var storage = RecordStorage(nil)
        let ticket = Ticket.core(1)
        guard case .applied? = storage.apply(ticket, []) else {
            Issue.record("nothing is not stored")
            return
        }
        let identity = try contact(1).identity
        guard case .loaded(let records)? = storage.load(ticket, at: identity.nodeID, by: [identity]) else {
            Issue.record("nothing is not loaded")
            return
        }
        #expect(records.isEmpty && !storage.isOnDisk && storage.problem == nil)
    }

    // MARK: Who there is

    @Test func `those heard of before count as expected, and those not admitted do not`() throws {
        let now: UInt64 = 1_700_000_000_000
        let (first, second) = (try contact(1), try contact(2))
        var keeper = StateKeeper([first, second], unixMilliseconds: now)
        func company(_ good: [RememberedContact]) -> Company {
            keeper.company(good, named: 9, members: nil, unixMilliseconds: now) {
                $0 != second.identity
            }
        }
        #expect(company([]) == Company(expected: 1, members: nil, up: 0))
        keeper.forget { $0 == first.identity }
        #expect(company([]).expected == 9, "nobody was heard")
        #expect(company([first]) == Company(expected: 1, members: nil, up: 1))
    }

    @Test func `contacts are written when somebody new answers, and all but the lost at the end`() throws {
        let now: UInt64 = 1_700_000_000_000
        var keeper = StateKeeper()
        func written(_ good: [RememberedContact], age: UInt64, isLast: Bool = false) -> Int? {
            keeper.contactsToWrite(good, age: .seconds(age), isLast: isLast, unixMilliseconds: now)?.count
        }
        let (first, second) = (try contact(1), try contact(2))
        #expect(written([first], age: 1) == 1)
        #expect(written([first, second], age: 2) == nil, "too soon")
        #expect(written([first, second], age: 7) == 2)
        #expect(written([second], age: 100, isLast: true) == nil, "the other one is still remembered")
        #expect(written([], age: 101, isLast: true) == nil)
    }

    // MARK: Users

    @Test func `an operation ends once, and those that wait when the node stops end without outcome`() async {
        var users = WaitingUsers(limit: 8)
        let (first, second) = (users.newOperation(), users.newOperation())
        #expect(first != second)
        let began = SystemClock.now.instant
        let outcome: Ending = await withCheckedContinuation { continuation in
            let user = WaitingUser(.leave, began: began)
            #expect(user.wait(by: continuation))
            #expect(users.wait(for: first, user) == true)
            #expect(users.isWaiting(for: first) && !users.isWaiting(for: second))
            #expect(users.take(first)?.end(.outcome(.left)) == true)
            #expect(users.take(first) == nil && !users.isAnyWaiting)
            #expect(user.hasEnded && !user.end(.cancelled))
        }
        guard case .outcome(.left) = outcome else {
            Issue.record("it did not end as it was said to")
            return
        }
        let none: Ending = await withCheckedContinuation { continuation in
            let user = WaitingUser(.ping(NodeKey().identity), began: began)
            #expect(user.wait(by: continuation))
            #expect(users.wait(for: second, user) == true)
            users.abandonOperations()
        }
        guard case .stopped = none else {
            Issue.record("it ended otherwise")
            return
        }
        // An end before anybody waits is not lost.
        let early: Ending = await withCheckedContinuation { continuation in
            let user = WaitingUser(.leave, began: began)
            #expect(user.end(.cancelled) && !user.end(.timedOut))
            #expect(!user.wait(by: continuation))
        }
        guard case .cancelled = early else {
            Issue.record("it ended by what came later")
            return
        }
        let pulled: Pulled = await withCheckedContinuation { user in
            users.pull(first, user)
            users.deliver(.end, of: second)
            users.deliver(.piece([1]), of: first)
        }
        guard case .piece([1]) = pulled else {
            Issue.record("it got another piece")
            return
        }
        #expect(!users.isPulling(first))
    }

    // MARK: Seeds

    @Test func `a name that does not resolve is news once, and again once it did`() throws {
        let address = try #require(HostPort("nowhere.invalid:1"))
        let peer = PeerAddress(identity: try contact(1).identity, address: address)
        var seeds = SeedList()
        seeds.replace([peer])
        #expect(seeds[0] == peer && seeds[1] == nil)
        let news = [false, false, true, true, false].map { seeds.resolved(peer, isFound: $0) }
        #expect(
            news == [
                .unresolved(isFirst: true), .unresolved(isFirst: false), .resolved, nil,
                .unresolved(isFirst: true),
            ]
        )
    }
}
