import DHTCore
import Glibc
import NIOCore
import NIOPosix

/// Hands each datagram of one socket to the node's loop, on whose thread it runs.
final class DatagramReader: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let loop: NodeLoop
    private let socket: Int

    init(loop: NodeLoop, socket: Int) {
        self.loop = loop
        self.socket = socket
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let endpoint = Endpoint(envelope.remoteAddress) else { return }
        // Copied: a slice would keep the whole batch of a vector read alive.
        let datagram = Array(envelope.data.readableBytesView)
        let socket = socket
        loop.assumeIsolated { $0.received(datagram, from: endpoint, on: socket) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let socket = socket
        loop.assumeIsolated { $0.closed(socket) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of reading. Those that close the channel are followed by `channelInactive`.
        loop.assumeIsolated { $0.socketFailed(error) }
    }
}

/// Sends by a descriptor of its own, a second one of a bound socket.
///
/// NIO, which has the first, closes its channel on most errors of `sendmsg`: a member that named a broadcast
/// address could close the socket with each datagram. Here an error is one datagram lost.
final class DatagramSender: Sendable {
    private let descriptor: Int32

    fileprivate init(of bound: borrowing BoundSocket) throws(IOError) {
        let number = fcntl(bound.descriptor, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
        descriptor = number
    }

    /// The port is free when both descriptors are closed.
    deinit { close(descriptor) }

    /// Gives a datagram to the system, which says at once whether it takes it: `nil`, or its error.
    func send(_ datagram: [UInt8], to address: SocketAddress) -> Int32? {
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return unsafe address.withSockAddr { pointer, size in
            let count = unsafe sendto(descriptor, datagram, datagram.count, flags, pointer, socklen_t(size))
            return count < 0 ? errno : nil
        }
    }
}

/// A UDP socket that has its address and no owner yet; closed if it gets none.
private struct BoundSocket: ~Copyable {
    /// A full queue of the largest datagrams in this many bytes is some 40 ms of cryptography.
    private static let receiveBuffer: Int32 = 4 << 20
    /// Whatever finds no room is lost: a burst to all who are close must not be.
    private static let sendBuffer: Int32 = 1 << 20

    let descriptor: Int32

    private init(owning descriptor: Int32) { self.descriptor = descriptor }

    static func bind(_ address: SocketAddress) throws(IOError) -> BoundSocket {
        let isIPv6 = address.protocol == .inet6
        // NIO takes a socket as it is, so it must not block already.
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(isIPv6 ? AF_INET6 : AF_INET, type, 0)
        guard number >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        let made = BoundSocket(owning: number)
        if isIPv6 { try made.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, to: 1) }
        try made.set(SOL_SOCKET, SO_RCVBUF, to: receiveBuffer)
        try made.set(SOL_SOCKET, SO_SNDBUF, to: sendBuffer)
        let error: Int32? = unsafe address.withSockAddr { pointer, size in
            unsafe Glibc.bind(number, pointer, socklen_t(size)) == 0 ? nil : errno
        }
        if let error { throw IOError(errnoCode: error, reason: "bind") }
        return made
    }

    deinit { close(descriptor) }

    private func set(_ level: Int32, _ option: Int32, to value: Int32) throws(IOError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe setsockopt(descriptor, level, option, &value, size) == 0 else {
            throw IOError(errnoCode: errno, reason: "setsockopt")
        }
    }

    /// The descriptor, for somebody else to close.
    consuming func release() -> Int32 {
        let descriptor = descriptor
        discard self
        return descriptor
    }
}

/// A socket of the node: NIO reads from it, the node itself sends.
struct DatagramSocket: Sendable {
    private static let datagramsPerRead = 16

    let channel: any Channel
    let sender: DatagramSender

    /// Binds a socket whose datagrams go to `loop`. Whatever fails, nothing stays open.
    static func bind(_ address: SocketAddress, loop: NodeLoop, index: Int) async throws -> DatagramSocket {
        let bound = try BoundSocket.bind(address)
        let sender = try DatagramSender(of: bound)
        // From here on it is NIO's: an attempt that fails to make a channel of it closes it.
        let channel = try await DatagramBootstrap(group: loop.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    do {
                        try prepare(channel, DatagramReader(loop: loop, socket: index))
                    } catch {
                        channel.close(promise: nil)
                        throw error
                    }
                }
            }
            .withBoundSocket(bound.release())
            .get()
        return DatagramSocket(channel: channel, sender: sender)
    }

    private static func prepare(_ channel: any Channel, _ reader: DatagramReader) throws {
        let allocator = FixedSizeRecvByteBufferAllocator(capacity: datagramsPerRead * 2048)
        try channel.syncOptions?.setOption(.datagramVectorReadMessageCount, value: datagramsPerRead)
        try channel.syncOptions?.setOption(.recvAllocator, value: allocator)
        try channel.pipeline.syncOperations.addHandler(reader)
    }
}
