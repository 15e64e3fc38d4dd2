import DHTCore
import Glibc
import Testing

@testable import SecureDHT

/// Which socket, which address of ours, and what after an error: without any socket, with errors made up.
@Suite struct SocketSetTests {
    private static let everywhere = Endpoint(ipv4: 0, port: 4100)
    private static let left = Endpoint(ipv4: 0x0A51_0001, port: 4100)
    private static let right = Endpoint(ipv4: 0x0A52_0001, port: 4100)
    private static let home = Endpoint(ipv4: 0x7F00_0001, port: 4100)

    private let peer = Endpoint(ipv4: 0x0A52_0003, port: 4100)
    private let other = Endpoint(ipv4: 0x0A51_0002, port: 4100)

    private func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 5_000_000_000) + .milliseconds(milliseconds)
    }

    private func set(_ bound: Endpoint...) -> SocketSet {
        var set = SocketSet()
        for (index, endpoint) in bound.enumerated() {
            set.add()
            set.opened(index, at: endpoint)
        }
        return set
    }

    /// How a datagram goes out, if the system would send it from `local`.
    private func choice(
        _ set: inout SocketSet,
        _ endpoint: Endpoint,
        _ local: Endpoint? = nil,
        ms: UInt64 = 0
    )
        -> SocketSet.Choice
    {
        set.choose(for: endpoint, at: at(ms)) { _ in local }
    }

    // MARK: Which socket, which address

    @Test func `whoever is answered is answered from the address that was asked`() {
        var set = set(Self.everywhere)
        #expect(choice(&set, peer) == .send(.init(socket: 0)))
        set.accepted(from: peer, on: 0, at: Self.right)
        #expect(choice(&set, peer) == .send(.init(socket: 0, source: Self.right.withoutPort)))
        #expect(choice(&set, other) == .send(.init(socket: 0)))
    }

    @Test func `an address that is many machines' is nothing to answer from`() {
        var set = set(Self.everywhere)
        for address in [0xE000_0001, 0xFFFF_FFFF, 0] as [UInt32] {
            set.accepted(from: peer, on: 0, at: Endpoint(ipv4: address, port: 4100))
            #expect(choice(&set, peer) == .send(.init(socket: 0)))
        }
    }

    private static let several = [
        [left, right], [right, left], [home, left, right], [left, everywhere, right],
    ]

    @Test(arguments: several.indices)
    func `of several sockets the one is taken from whose address the system would send`(index: Int) {
        let bound = Self.several[index]
        var set = SocketSet()
        for (index, endpoint) in bound.enumerated() {
            set.add()
            set.opened(index, at: endpoint)
        }
        let expected = bound.firstIndex(of: Self.right) ?? -1
        #expect(choice(&set, peer, Self.right) == .send(.init(socket: expected)))
        // The system is not asked twice.
        #expect(choice(&set, peer, Self.left) == .send(.init(socket: expected)))
        set.accepted(from: other, on: expected, at: nil)
        #expect(choice(&set, other, Self.left) == .send(.init(socket: expected)))
    }

    @Test func `what the system does not know of the socket that is everywhere has to do`() {
        var set = set(Self.left, Self.everywhere)
        #expect(choice(&set, peer, Self.right) == .send(.init(socket: 1)))
        #expect(choice(&set, peer, nil) == .send(.init(socket: 1)))
    }

    @Test func `without an open socket of its family there is no way, and that is counted`() {
        var set = set(Self.home)
        #expect(choice(&set, peer) == .unroutable)
        #expect(choice(&set, Endpoint(ipv4: 0x7F00_0002, port: 1)) == .send(.init(socket: 0)))
        set.closed(0)
        #expect(choice(&set, Endpoint(ipv4: 0x7F00_0002, port: 1)) == .unroutable)
        #expect(set.unroutable == 2)
    }

    @Test func `a socket that closed is used no more until it is open again`() {
        var set = set(Self.left, Self.right)
        set.accepted(from: peer, on: 1, at: nil)
        set.closed(1)
        #expect(choice(&set, peer) == .send(.init(socket: 0)))
        set.opened(1, at: Self.right)
        #expect(choice(&set, peer, Self.right) == .send(.init(socket: 1)))
    }

    // MARK: What after an error

    @Test(arguments: [EINVAL, ENETUNREACH, EADDRNOTAVAIL])
    func `if the address that was asked is gone the system chooses, and the peer learns it`(error: Int32) {
        var set = set(Self.everywhere)
        set.accepted(from: peer, on: 0, at: Self.right)
        let pinned = SocketSet.Path(socket: 0, source: Self.right.withoutPort)
        #expect(set.failed(peer, by: pinned, error, at: at(0)) == .send(.init(socket: 0)))
        set.sent(to: peer, by: .init(socket: 0))
        #expect(choice(&set, peer) == .send(.init(socket: 0)))
        #expect(set.refusals.count == 0)
    }

    @Test func `if no way leads there the address is avoided, and how it was asked is remembered`() {
        var set = set(Self.everywhere)
        set.accepted(from: peer, on: 0, at: Self.right)
        let pinned = SocketSet.Path(socket: 0, source: Self.right.withoutPort)
        #expect(set.failed(peer, by: pinned, ENETUNREACH, at: at(0)) == .send(.init(socket: 0)))
        #expect(set.failed(peer, by: .init(socket: 0), ENETUNREACH, at: at(0)) == .lose(isFirst: true))
        #expect(choice(&set, peer) == .avoid)
        #expect(choice(&set, peer, ms: 1000) == .send(pinned))
    }

    @Test(arguments: [ENOBUFS, EAGAIN, ENETDOWN, EMSGSIZE])
    func `an error of this moment costs one datagram`(error: Int32) {
        var set = set(Self.everywhere)
        #expect(set.failed(peer, by: .init(socket: 0), error, at: at(0)) == .lose(isFirst: true))
        #expect(set.failed(peer, by: .init(socket: 0), error, at: at(0)) == .lose(isFirst: false))
        #expect(choice(&set, peer) == .send(.init(socket: 0)))
    }

    // MARK: When it is tried again

    /// A set whose peers are both avoided for a minute.
    private func refused() -> SocketSet {
        var set = set(Self.everywhere)
        for _ in 0..<8 {
            for endpoint in [peer, other] {
                _ = set.failed(endpoint, by: .init(socket: 0), EPERM, at: at(0))
            }
        }
        return set
    }

    private func avoided(_ set: inout SocketSet, ms: UInt64 = 1) -> [Bool] {
        [peer, other].map { choice(&set, $0, ms: ms) == .avoid }
    }

    @Test func `no pause is longer than a minute`() {
        var set = refused()
        #expect(avoided(&set, ms: 59_999) == [true, true])
        #expect(avoided(&set, ms: 60_000) == [false, false])
    }

    @Test func `what a user asks for is tried at once, and once`() {
        var set = refused()
        set.userAsks(at: at(1))
        #expect(avoided(&set) == [false, false])
        _ = set.failed(peer, by: .init(socket: 0), EPERM, at: at(1))
        #expect(avoided(&set, ms: 2) == [true, false])
        // The pause goes on as if nobody had asked.
        #expect(avoided(&set, ms: 60_000) == [true, false])
    }

    @Test func `a hint has one address tried`() {
        var set = refused()
        set.retry(other, at: at(1))
        #expect(avoided(&set) == [true, false])
    }

    @Test func `one that is heard again has all tried`() {
        var set = refused()
        set.heard(from: Endpoint(ipv4: 0x0A00_0009, port: 1), at: at(1))
        #expect(avoided(&set) == [true, true])
        set.heard(from: peer, at: at(1))
        #expect(avoided(&set) == [false, false])
    }

    @Test func `a change of the network has all tried, and forgets addresses that are gone`() {
        var set = refused()
        set.accepted(from: peer, on: 0, at: Self.right)
        set.accepted(from: other, on: 0, at: Self.left)
        set.networkChanged(addresses: [Self.left.withoutPort], at: at(1))
        #expect(choice(&set, peer, ms: 1) == .send(.init(socket: 0)))
        #expect(choice(&set, other, ms: 1) == .send(.init(socket: 0, source: Self.left.withoutPort)))
    }

    @Test func `so many ways are remembered, then all are forgotten`() {
        var set = set(Self.everywhere)
        for number in 0..<SocketSet.capacity + 1 {
            let endpoint = Endpoint(ipv4: 0x0B00_0000 + UInt32(number), port: 1)
            set.accepted(from: endpoint, on: 0, at: Self.right)
        }
        let last = Endpoint(ipv4: 0x0B00_0000 + UInt32(SocketSet.capacity), port: 1)
        #expect(choice(&set, Endpoint(ipv4: 0x0B00_0000, port: 1)) == .send(.init(socket: 0)))
        #expect(choice(&set, last) == .send(.init(socket: 0, source: Self.right.withoutPort)))
    }
}
