import DHTCore
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
        // Most errors of sending make NIO close the channel, and `channelInactive` has it bound again; the
        // others are one datagram lost.
        loop.assumeIsolated { $0.socketFailed(error) }
    }
}

/// How the node's sockets are made.
enum DatagramSocket {
    /// A full queue of the largest datagrams in this many bytes is some 40 ms of cryptography.
    private static let receiveBuffer: Int = 4 << 20
    private static let datagramsPerRead = 16

    /// Binds one socket whose datagrams go to `loop`.
    static func bind(_ address: SocketAddress, loop: NodeLoop, index: Int) async throws -> any Channel {
        let isIPv6 = address.protocol == .inet6
        return try await DatagramBootstrap(group: loop.eventLoop)
            .channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
            .channelOption(.datagramVectorReadMessageCount, value: datagramsPerRead)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: datagramsPerRead * 2048)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isIPv6 {
                        let option = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
                        try channel.syncOptions?.setOption(option, value: 1)
                    }
                    try channel.pipeline.syncOperations.addHandler(DatagramReader(loop: loop, socket: index))
                }
            }
            .bind(to: address)
            .get()
    }
}
