import NIOCore

/// Closes a connection whose client takes nothing, for too long, of its answer: the answer's writer would
/// wait for ever, at its last part as at its first.
final class StallGuard: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = Any
    typealias OutboundOut = Any

    /// A look at the client: as long as it changes, it takes something, or something else is written.
    private struct Sight: Equatable {
        var waitingBytes = 0
        var writes = 0
    }

    /// So many looks in a row that see no change end the connection. They are counted, not timed: a process
    /// that had no processor itself for a while must not take that for its client's doing.
    private static let looks = 4

    /// The kernel's buffer for answers, in bytes, which the system doubles. Progress is seen whenever the
    /// client has taken what is in it, 8,064 bytes; of the usual buffer these would be 182,720.
    private static let sendBufferLength: SocketOptionValue = 4096

    private let time: TimeAmount
    private var writes = 0
    private var last = Sight()
    private var unchangedLooks = 0
    private var isWatching = false

    init(after time: TimeAmount) { self.time = time }

    func handlerAdded(context: ChannelHandlerContext) {
        // If the system refuses, slow clients are taken for clients that take nothing.
        try? context.channel.syncOptions?.setOption(.socketOption(.so_sndbuf), value: Self.sendBufferLength)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writes += 1
        context.write(data, promise: promise)
        guard !isWatching else { return }
        isWatching = true
        look(context)
    }

    private func look(_ context: ChannelHandlerContext) {
        let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        guard let waiting, waiting > 0 else {
            isWatching = false
            return
        }
        let sight = Sight(waitingBytes: waiting, writes: writes)
        unchangedLooks = sight == last ? unchangedLooks + 1 : 0
        last = sight
        guard unchangedLooks < Self.looks else { return context.close(promise: nil) }
        let pause = TimeAmount.nanoseconds(time.nanoseconds / Int64(Self.looks))
        context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            guard context.channel.isActive else { return }
            self.look(context)
        }
    }
}
