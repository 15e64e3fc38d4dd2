import DHTCore
import Glibc
import NIOCore
import Testing

@testable import SecureDHT

/// The node's sockets, and what the system refuses to do with them.
@Suite struct DatagramSocketTests {
    private static let anywhere = "0.0.0.0:0"

    /// A loop that listens, and its port.
    private func listening(_ address: String = anywhere) async throws -> (loop: NodeLoop, port: UInt16) {
        let loop = try await NodeBuilder(Team(1).configuration(of: 0)).makeLoop()
        let configured = try #require(HostPort(address))
        let socketAddress = try #require(configured.numeric?.socketAddress)
        let bound = try await loop.listen(on: configured, socketAddress)
        return (loop, bound.port)
    }

    private func received(_ loop: NodeLoop) async -> UInt64 {
        await loop.knowledge.counters.named.first { $0.name == "received" }?.count ?? 0
    }

    private static let refused: [Endpoint] = [
        Endpoint(ipv4: 0x7FFF_FFFF, port: 9), Endpoint(ipv4: 0xFFFF_FFFF, port: 9),
        Endpoint(ipv4: 0x7F00_0001, port: 0), Endpoint(ipv4: 0xF000_0001, port: 9),
        Endpoint(ipv4: 0, port: 0),
    ]

    @Test(arguments: refused.indices)
    func `what the system refuses costs no socket and no other datagram`(index: Int) async throws {
        let there = Self.refused[index]
        let (loop, port) = try await listening()
        let peer = try Peer()
        for number in 0..<20 as Range<UInt8> {
            await loop.send([number], to: there)
            await loop.send([number], to: peer.endpoint)
            #expect(peer.receive() == [number])
        }
        // It is still the socket it was.
        #expect(await loop.sockets[0] != nil)
        let before = await received(loop)
        peer.send([1, 2, 3], to: Endpoint(ipv4: 0x7F00_0001, port: port))
        try await eventually("the node reads") { await received(loop) > before }
        await loop.abandon()
    }

    @Test func `what was refused is counted by its error and not tried again at once`() async throws {
        let (loop, _) = try await listening()
        let broadcast = Endpoint(ipv4: 0x7FFF_FFFF, port: 9)
        for _ in 0..<30 { await loop.send([1], to: broadcast) }
        let counters = await loop.knowledge.refusals.counters
        let refused = try #require(counters.first { $0.name == "send_failed.EACCES" }?.count)
        let avoided = try #require(counters.first { $0.name == "send_avoided" }?.count)
        // Pauses double: however slow the machine is, it is asked seldom.
        #expect((1...8).contains(refused))
        #expect(refused + avoided == 30)
        await loop.abandon()
    }

    @Test func `an address is tried again at once when something is heard from it`() async throws {
        let (loop, port) = try await listening()
        let peer = try Peer()
        await loop.refuse(peer.endpoint)
        await loop.send([1], to: peer.endpoint)
        let before = await received(loop)
        peer.send([1, 2, 3], to: Endpoint(ipv4: 0x7F00_0001, port: port))
        try await eventually("the node reads") { await received(loop) > before }
        await loop.send([2], to: peer.endpoint)
        #expect(peer.receive() == [2])
        await loop.abandon()
    }

    @Test func `an address is tried again at once when a user asks for something`() async throws {
        let (loop, _) = try await listening()
        let peer = try Peer()
        await loop.refuse(peer.endpoint)
        await loop.send([1], to: peer.endpoint)
        _ = await loop.run(.ping(NodeKey().identity))
        await loop.send([2], to: peer.endpoint)
        #expect(peer.receive() == [2])
        await loop.abandon()
    }

    @Test func `a socket that closes under the node is bound again, to its port`() async throws {
        let (loop, port) = try await listening()
        let peer = try Peer()
        try await loop.sockets[0]?.channel.close().get()
        try await eventually("it is bound again") { await loop.sockets[0] != nil }
        #expect(await loop.sockets[0]?.channel.localAddress?.port == Int(port))
        let before = await received(loop)
        peer.send([1, 2, 3], to: Endpoint(ipv4: 0x7F00_0001, port: port))
        try await eventually("the node reads") { await received(loop) > before }
        await loop.send([7], to: peer.endpoint)
        #expect(peer.receive() == [7])
        await loop.abandon()
    }

    @Test(arguments: ["127.0.0.1", "[::1]"])
    func `the port is free once the node is gone, and not before`(host: String) async throws {
        let (first, port) = try await listening("\(host):0")
        await #expect(throws: IOError.self) { _ = try await listening("\(host):\(port)") }
        await first.abandon()
        let (second, samePort) = try await listening("\(host):\(port)")
        #expect(samePort == port)
        await second.abandon()
    }

    @Test func `an IPv6 socket leaves IPv4 to others`() async throws {
        let (six, port) = try await listening("[::]:0")
        let (four, samePort) = try await listening("0.0.0.0:\(port)")
        #expect(samePort == port)
        await six.abandon()
        await four.abandon()
    }

    @Test func `an address that is taken leaves nothing open, however often it is tried`() async throws {
        let (loop, port) = try await listening()
        let taken = try #require(Endpoint(ipv4: 0, port: port).socketAddress)
        let before = try openDescriptors()
        var errors: Set<Int32?> = []
        for _ in 0..<2000 {
            do {
                _ = try await DatagramSocket.bind(taken, loop: loop, index: 0)
                errors.insert(nil)
            } catch {
                errors.insert((error as? IOError)?.errnoCode)
            }
        }
        #expect(errors == [EADDRINUSE])
        // Other tests open some meanwhile.
        #expect(try openDescriptors() < before + 1000)
        await loop.abandon()
    }

    /// How many descriptors this process has.
    private func openDescriptors() throws -> Int {
        let directory = try #require(unsafe opendir("/proc/self/fd"))
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        return count
    }
}

extension NodeLoop {
    /// As if the system had refused to send there for some minutes.
    fileprivate func refuse(_ endpoint: Endpoint) {
        let path = SocketSet.Path(socket: 0)
        for _ in 0..<8 { _ = sockets.failed(endpoint, by: path, EPERM, at: SystemClock.now.instant) }
    }
}

extension NodeLoop {
    fileprivate func send(_ datagram: [UInt8], to endpoint: Endpoint) {
        transmit([(.sealed(datagram), endpoint)], at: SystemClock.now.instant)
    }
}
