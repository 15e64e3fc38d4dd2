import Glibc
import NIOCore
import NIOPosix

/// Hears of it when links, addresses or routes of this machine change: Linux says so on a netlink socket.
/// The messages themselves are not read.
final class NetworkWatch: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    /// Of links, and of the addresses and routes of both families; see rtnetlink(7).
    private static let groups: UInt32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
    private static let family: UInt16 = 16
    private static let protocolNumber: Int32 = 0

    private let changed: @Sendable () -> Void
    private let closed: @Sendable () -> Void

    private init(changed: @escaping @Sendable () -> Void, closed: @escaping @Sendable () -> Void) {
        (self.changed, self.closed) = (changed, closed)
    }

    /// Calls `changed` on the loop after each change. `closed`: it hears no more, perhaps because there were
    /// too many at once.
    static func start(
        on eventLoop: any EventLoop,
        changed: @escaping @Sendable () -> Void,
        closed: @escaping @Sendable () -> Void
    ) async throws -> any Channel {
        let type = Int32(SOCK_RAW.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(Int32(family), type, protocolNumber)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        // A `sockaddr_nl`: family, padding, a port that the system chooses, groups.
        var address: (UInt16, UInt16, UInt32, UInt32) = (family, 0, 0, groups)
        let size = socklen_t(12)
        let isBound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, size) == 0
            }
        }
        guard isBound else {
            let error = errno
            close(descriptor)
            throw IOError(errnoCode: error, reason: "bind")
        }
        let watch = NetworkWatch(changed: changed, closed: closed)
        return try await NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(watch)
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
            .get()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { changed() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { closed() }
}
