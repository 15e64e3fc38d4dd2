import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// The open connections of a server: of one too many, that one is closed which waited longest for its client.
final class ConnectionRoom: Sendable {
    private struct State {
        var count = 0
        /// In the order in which they began to wait.
        var idle: [ObjectIdentifier: (turn: UInt64, channel: any Channel)] = [:]
        var turn: UInt64 = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(_ capacity: Int) { self.capacity = capacity }

    func enter(_ channel: any Channel) {
        wait(channel)
        let surplus: (any Channel)? = state.withLock { state in
            state.count += 1
            guard state.count > capacity, let oldest = state.idle.min(by: { $0.value.turn < $1.value.turn })
            else { return nil }
            return state.idle.removeValue(forKey: oldest.key)?.channel
        }
        surplus?.close(promise: nil)
    }

    /// It waits for its client from now on.
    func wait(_ channel: any Channel) {
        state.withLock { state in
            state.turn += 1
            state.idle[ObjectIdentifier(channel)] = (state.turn, channel)
        }
    }

    /// It does something.
    func work(_ channel: any Channel) {
        state.withLock { _ = $0.idle.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    func leave(_ channel: any Channel) {
        state.withLock { state in
            state.count -= 1
            state.idle[ObjectIdentifier(channel)] = nil
        }
    }
}

/// Closes a connection whose client keeps it waiting for too long.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: WebLimits
    private let room: ConnectionRoom
    private var phase = ConnectionPhase()
    private var alarm: Scheduled<Void>?
    private var isOpen = false

    init(_ limits: WebLimits, _ room: ConnectionRoom) { (self.limits, self.room) = (limits, room) }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { open(context) } }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        if isOpen { room.leave(context.channel) }
        isOpen = false
        context.fireChannelInactive()
    }

    private func open(_ context: ChannelHandlerContext) {
        guard !isOpen else { return }
        isOpen = true
        watch(context)
        room.enter(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: change(context) { $0.headCame() }
        case .body: break
        case .end: change(context) { $0.bodyEnded() }
        }
        // Nobody reads what comes behind the last answer.
        if phase.wait != .farewell { context.fireChannelRead(data) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where phase.answersEarly && head.status.kind != .informational:
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .head, .body: context.write(data, promise: promise)
        case .end:
            context.write(data, promise: promise)
            change(context) { $0.answerEnded() }
            guard phase.wait == .farewell else { return }
            context.flush()
            // A connection closed at once would take the answer with it.
            context.close(mode: .output, promise: nil)
        }
    }

    private func change(_ context: ChannelHandlerContext, _ event: (inout ConnectionPhase) -> Void) {
        let (last, wasIdle) = (phase.wait, phase.isIdle)
        event(&phase)
        guard isOpen, phase.wait != last else { return }
        if phase.isIdle != wasIdle {
            if phase.isIdle { room.wait(context.channel) } else { room.work(context.channel) }
        }
        watch(context)
    }

    private func watch(_ context: ChannelHandlerContext) {
        alarm?.cancel()
        alarm = phase.time(limits).map { time in
            context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
        }
    }
}
