import NIOCore
import Synchronization

/// How long somebody waits for an answer: longer, as long as it is seen to come nearer.
final class ProgressDeadline: Sendable {
    private let span: TimeAmount
    private let deadline: Mutex<NIODeadline>

    init(_ span: TimeAmount) {
        self.span = span
        deadline = Mutex(.now() + span)
    }

    /// It came nearer.
    func renew() { deadline.withLock { $0 = .now() + span } }

    var end: NIODeadline { deadline.withLock { $0 } }
}

/// A deadline of ours passed.
struct TimedOut: Error {}

extension EventLoopFuture where Value: Sendable {
    /// This future's outcome, or ``TimedOut`` if it has none when the deadline has passed.
    func orFail(when deadline: ProgressDeadline, on loop: any EventLoop) -> EventLoopFuture<Value> {
        let promise = loop.makePromise(of: Value.self)
        @Sendable func wait(until end: NIODeadline) {
            loop.scheduleTask(deadline: end) {
                let renewed = deadline.end
                if renewed > end { wait(until: renewed) } else { promise.fail(TimedOut()) }
            }
        }
        wait(until: deadline.end)
        hop(to: loop).whenComplete { promise.completeWith($0) }
        return promise.futureResult
    }
}
