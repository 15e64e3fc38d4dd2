import DHTCore
import NIOCore

/// The loop's timers: one for the engine, and those that repeat as long as the node runs.
struct LoopTimers {
    private var engine: (timer: Scheduled<Void>, due: Instant)?
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

    /// The engine's timer fired.
    mutating func fired() { engine = nil }

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
