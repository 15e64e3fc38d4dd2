import DHTCore
import NIOCore

/// The loop's timers: one for the engine, and those that repeat as long as the node runs.
struct LoopTimers {
    /// A lateness below this is no sign of anything.
    private static let usualLateness = Interval.milliseconds(2)
    /// The longest grace: peers that are dead are not to be waited for any longer.
    private static let longestGrace = Interval.seconds(1)
    /// The grace for each unit of lateness: whoever was asked may have waited for us as often as we for it.
    private static let graceShare: UInt64 = 4

    private var engine: (timer: Scheduled<Void>, due: Instant)?
    /// Until when those whose time is over have some more.
    private var graceEnd: Instant?
    private var repeated: [Job: RepeatedTask] = [:]
    private var tidying: Scheduled<Void>?

    /// A job that is done over and over.
    enum Job: Hashable, Sendable {
        case savingState
        case watchingHealth
    }

    /// Whether the engine's timer fires at `deadline` at the latest. One that fires too early costs one look;
    /// to re-arm it for each request would cost more.
    func isArmed(for deadline: Instant) -> Bool { engine.map { $0.due <= deadline } ?? false }

    /// The engine's timer fires at `deadline`, and no other time.
    mutating func arm(_ timer: Scheduled<Void>, at deadline: Instant) {
        engine?.timer.cancel()
        engine = (timer, deadline)
    }

    /// The engine's timer fired, and is to fire again after the pause returned; `nil`: its time has come.
    ///
    /// An answer that waits to be read is not late: that is our own queue. And if the timer fires late
    /// itself, this loop was busy, and maybe this machine, with all the nodes that run on it: they get more
    /// time.
    mutating func grace(at now: Instant, hasUnread: Bool) -> TimeAmount? {
        guard let due = engine?.due else { return nil }
        let lateness = now.since(due)
        let length = lateness < Self.usualLateness ? Interval(nanoseconds: 0) : lateness * Self.graceShare
        let end = graceEnd ?? now + min(length, Self.longestGrace)
        graceEnd = end
        guard now < end || hasUnread && now < due + Self.longestGrace else { return nil }
        return .nanoseconds(Int64(max(end.since(now).nanoseconds, 1_000_000)))
    }

    /// The engine's timer fired.
    mutating func fired() { (engine, graceEnd) = (nil, nil) }

    func isRunning(_ job: Job) -> Bool { repeated[job] != nil }

    mutating func start(_ job: Job, _ timer: RepeatedTask) { repeated[job] = timer }

    /// When the file of the database is looked at next.
    mutating func scheduleTidying(_ timer: Scheduled<Void>) { tidying = timer }

    /// The node ends.
    mutating func cancelAll() {
        engine?.timer.cancel()
        for timer in repeated.values { timer.cancel() }
        tidying?.cancel()
    }
}
