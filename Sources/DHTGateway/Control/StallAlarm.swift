import NIOCore
import Synchronization

/// Closes a connection on which nothing moves for too long.
final class StallAlarm: Sendable {
    private let channel: any Channel
    private let time: TimeAmount
    /// `nil`: nothing is waited for.
    private let deadline = Mutex<NIODeadline?>(nil)
    private let isArmed = Mutex(false)

    init(_ channel: any Channel, after time: TimeAmount) { (self.channel, self.time) = (channel, time) }

    deinit { end() }

    /// Something moved, or begins to be waited for.
    func moved() {
        let end = NIODeadline.now() + time
        deadline.withLock { $0 = end }
        let isFirst = isArmed.withLock { isArmed in
            defer { isArmed = true }
            return !isArmed
        }
        if isFirst { watch(until: end) }
    }

    /// Nothing is waited for.
    func end() { deadline.withLock { $0 = nil } }

    private func watch(until end: NIODeadline) {
        channel.eventLoop.scheduleTask(deadline: end) { [weak self] in
            guard let alarm = self else { return }
            let next = alarm.deadline.withLock { deadline in
                if deadline == nil { alarm.isArmed.withLock { $0 = false } }
                return deadline
            }
            guard let next else { return }
            if next > .now() { alarm.watch(until: next) } else { alarm.channel.close(promise: nil) }
        }
    }
}
