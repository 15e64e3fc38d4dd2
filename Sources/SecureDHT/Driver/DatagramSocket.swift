import DHTCore
import DHTEngine
import Glibc
import NIOCore
import NIOPosix

/// Hands the datagrams of one socket to the node's loop, on whose thread it runs.
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
        let local = envelope.metadata?.packetInfo.flatMap { Endpoint($0.destinationAddress) }
        let socket = socket
        let read = ReadDatagram(Arrival(datagram, from: endpoint), on: socket, at: local)
        loop.assumeIsolated { $0.desk.add(read) }
    }

    /// All that one read brought.
    func channelReadComplete(context: ChannelHandlerContext) {
        loop.assumeIsolated { $0.receive() }
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
    /// `source`: the address of ours it is to come from.
    func send(_ datagram: [UInt8], to address: SocketAddress, from source: Endpoint? = nil) -> Int32? {
        if let source { return send(datagram, to: address, control: SourceControl.bytes(for: source)) }
        let flags = Self.flags
        return unsafe address.withSockAddr { pointer, size in
            let count = unsafe sendto(descriptor, datagram, datagram.count, flags, pointer, socklen_t(size))
            return count < 0 ? errno : nil
        }
    }

    private static let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)

    /// Whether datagrams have arrived that were not read yet.
    var hasUnread: Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&poll, 1, 0) > 0
    }

    private func send(_ datagram: [UInt8], to address: SocketAddress, control: [UInt8]) -> Int32? {
        var (datagram, control) = (datagram, control)
        let size = control.count
        let count = unsafe address.withSockAddr { pointer, length in
            unsafe datagram.withUnsafeMutableBytes { bytes in
                unsafe control.withUnsafeMutableBytes { control in
                    var part = unsafe iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                    return unsafe withUnsafeMutablePointer(to: &part) { part in
                        var message = unsafe msghdr()
                        unsafe message.msg_name = UnsafeMutableRawPointer(mutating: pointer)
                        unsafe message.msg_namelen = socklen_t(length)
                        unsafe message.msg_iov = part
                        unsafe message.msg_iovlen = 1
                        unsafe message.msg_control = control.baseAddress
                        unsafe message.msg_controllen = size
                        return unsafe sendmsg(descriptor, &message, Self.flags)
                    }
                }
            }
        }
        return count < 0 ? errno : nil
    }
}

/// The control message by which a datagram gets its source address: `IP_PKTINFO` or `IPV6_PKTINFO`, see ip(7)
/// and ipv6(7).
enum SourceControl {
    private static let ipv4 = (type: Int32(8), length: 12)
    private static let ipv6 = (type: Int32(50), length: 20)

    /// A `cmsghdr` and what belongs to it, up to the next multiple of its alignment.
    static func bytes(for source: Endpoint) -> [UInt8] {
        let isIPv6 = source.family == .ipv6
        let level = isIPv6 ? Int32(IPPROTO_IPV6) : Int32(IPPROTO_IP)
        let (type, length) = isIPv6 ? ipv6 : ipv4
        let header = MemoryLayout<Int>.size + 2 * MemoryLayout<Int32>.size
        var bytes: [UInt8] = []
        unsafe withUnsafeBytes(of: header + length) { unsafe bytes.append(contentsOf: $0) }
        unsafe withUnsafeBytes(of: level) { unsafe bytes.append(contentsOf: $0) }
        unsafe withUnsafeBytes(of: type) { unsafe bytes.append(contentsOf: $0) }
        // The number of an interface, 0 for any, goes before an IPv4 address and after an IPv6 address.
        if !isIPv6 { bytes.append(contentsOf: [0, 0, 0, 0]) }
        bytes.append(contentsOf: source.addressBytes)
        let alignment = MemoryLayout<Int>.alignment
        let end = (header + length + alignment - 1) / alignment * alignment
        bytes.append(contentsOf: [UInt8](repeating: 0, count: end - bytes.count))
        return bytes
    }
}

/// A UDP socket that has its address and no owner yet; closed if it gets none.
private struct BoundSocket: ~Copyable {
    /// A full queue of the largest datagrams in this many bytes is some 40 ms of cryptography.
    private static let receiveBuffer: Int32 = 4 << 20
    /// A datagram that finds no room in these bytes is lost: a burst to all close peers fits.
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

/// Whether sockets of IPv6 can be made at all.
func systemHasIPv6() -> Bool {
    let scratch = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if scratch >= 0 { close(scratch) }
    return scratch >= 0
}

/// From which of our addresses the system would send there now, by its routing table.
func localAddress(towards endpoint: Endpoint) -> Endpoint? {
    guard let address = endpoint.socketAddress else { return nil }
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    let scratch = socket(endpoint.family == .ipv6 ? AF_INET6 : AF_INET, type, 0)
    guard scratch >= 0 else { return nil }
    defer { close(scratch) }
    guard unsafe address.withSockAddr({ unsafe connect(scratch, $0, socklen_t($1)) == 0 }) else { return nil }
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { named in
            guard unsafe getsockname(scratch, named, &size) == 0 else { return nil }
            // Behind the family and the port, and in IPv6 the flow.
            let isIPv6 = endpoint.family == .ipv6
            let bytes = unsafe UnsafeRawBufferPointer(start: named, count: Int(size))
            return unsafe Endpoint(
                addressBytes: Array(isIPv6 ? bytes[8..<24] : bytes[4..<8]),
                port: 0
            )
        }
    }
}

/// A socket of the node: NIO reads from it, the node itself sends.
struct DatagramSocket: DatagramTransport, Sendable {
    private static let datagramsPerRead = 32

    let channel: any Channel
    private let sender: DatagramSender

    func send(_ datagram: [UInt8], to address: SocketAddress, from source: Endpoint?) -> Int32? {
        sender.send(datagram, to: address, from: source)
    }

    var hasUnread: Bool { sender.hasUnread }

    /// Binds a socket whose datagrams go to `loop`. If no channel comes of it, no descriptor stays open.
    static func bind(_ address: SocketAddress, loop: NodeLoop, index: Int) async throws -> DatagramSocket {
        let bound = try BoundSocket.bind(address)
        let sender = try DatagramSender(of: bound)
        // From here on the descriptor is NIO's, which closes it if it makes no channel of it.
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
        // Each costs its cryptography: for more of them, whoever cancels a call would wait milliseconds.
        try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
        try channel.syncOptions?.setOption(.recvAllocator, value: allocator)
        // To answer from the address that was asked.
        try channel.syncOptions?.setOption(.receivePacketInfo, value: true)
        try channel.pipeline.syncOperations.addHandler(reader)
    }
}
