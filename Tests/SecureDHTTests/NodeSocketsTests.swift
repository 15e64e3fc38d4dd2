import DHTCore
import Glibc
import NIOCore
import Synchronization
import Testing

@testable import SecureDHT

/// Sockets that are none: what goes out by them is written down.
struct NodeSocketsTests {
    private final class Transport: DatagramTransport {
        let sent = Mutex<[[UInt8]]>([])
        /// What the system says, in turn; then it takes everything.
        let errors: Mutex<[Int32]>

        init(_ errors: [Int32] = []) { self.errors = Mutex(errors) }

        func send(_ datagram: [UInt8], to address: SocketAddress, from source: Endpoint?) -> Int32? {
            let error = errors.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if error == nil { sent.withLock { $0.append(datagram) } }
            return error
        }

        var count: Int { sent.withLock { $0.count } }
        let unread = Mutex(false)
        var hasUnread: Bool { unread.withLock { $0 } }
    }

    private var sockets = NodeSockets<Transport>()
    private let peer = Endpoint(ipv4: 0x0A00_0002, port: 9)
    private let bound = Endpoint(ipv4: 0x0A00_0001, port: 4000)
    private let now = Instant(nanoseconds: 0) + .seconds(1000)

    private mutating func add(_ transport: Transport?) throws {
        _ = sockets.reserve()
        sockets.add(try #require(HostPort("10.0.0.1:4000")), at: bound, transport)
    }

    private mutating func send(_ datagram: [UInt8]) -> NodeSockets<Transport>.Loss? {
        sockets.send(datagram, to: peer, at: now) { _ in nil }
    }

    @Test mutating func `a socket whose address is not there yet is closed, and sends nothing`() throws {
        try add(nil)
        #expect(!sockets.isOpen && sockets.closed == [0] && sockets.closedAddresses.count == 1)
        #expect(send([1]) == nil)
        #expect(sockets.unroutable == 1)
        let transport = Transport()
        #expect(sockets.beginRebind(of: 0) != nil)
        #expect(sockets.beginRebind(of: 0) == nil, "it is being bound")
        sockets.opened(0, transport)
        #expect(sockets.openEndpoints == [bound])
        #expect(send([1]) == nil)
        #expect(transport.count == 1)
    }

    @Test mutating func `what waits to be read at any open socket waits to be read`() throws {
        let (first, second) = (Transport(), Transport())
        try add(first)
        try add(second)
        #expect(!sockets.hasUnread)
        second.unread.withLock { $0 = true }
        #expect(sockets.hasUnread)
        let isClosed = sockets.closed(1)
        #expect(isClosed && !sockets.hasUnread)
    }

    @Test mutating func `a socket that closes is bound again at once, then after longer and longer`() throws {
        try add(Transport())
        let closed = [0, 0, 7].map { sockets.closed($0) }
        #expect(closed == [true, false, false])
        var pauses: [Int64] = []
        for _ in 0..<9 {
            pauses.append(sockets.nextRebind(of: 0).nanoseconds / 1_000_000)
            _ = sockets.beginRebind(of: 0)
            sockets.rebindFailed(0)
        }
        #expect(pauses == [0, 100, 200, 400, 800, 1600, 2000, 2000, 2000])
        sockets.opened(0, Transport())
        _ = sockets.closed(0)
        #expect(sockets.nextRebind(of: 0) == .zero)
    }

    @Test mutating func `what the system refuses is lost, and that is news once`() throws {
        try add(Transport([EHOSTUNREACH, EHOSTUNREACH]))
        let losses = [peer, Endpoint(ipv4: 0x0A00_0003, port: 9)].map { peer in
            sockets.send([1], to: peer, at: now) { _ in nil }
        }
        #expect(losses.map { $0?.error } == [EHOSTUNREACH, EHOSTUNREACH])
        #expect(losses.map { $0?.isFirst } == [true, false])
    }

    @Test mutating func `an address that refuses over and over is let be until it is heard from`() throws {
        let transport = Transport([Int32](repeating: EPERM, count: 8))
        try add(transport)
        while !transport.errors.withLock({ $0.isEmpty }) {
            let left = transport.errors.withLock { $0.count }
            _ = send([1])
            if transport.errors.withLock({ $0.count }) == left { break }
        }
        transport.errors.withLock { $0 = [] }
        #expect(send([2]) == nil && transport.count == 0)
        sockets.heard(from: peer, at: now)
        #expect(send([3]) == nil && transport.count == 1)
    }

    @Test mutating func `when the node ends every open socket is handed out once`() throws {
        try add(Transport())
        try add(nil)
        #expect(sockets.removeAll().count == 1)
        #expect(sockets.removeAll().isEmpty && !sockets.isOpen)
    }
}
