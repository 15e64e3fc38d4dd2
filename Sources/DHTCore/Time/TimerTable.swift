/// When a machine has something to do, under a name for each reason.
///
/// The machine sets its timers; whoever holds it asks ``next``, and calls again then.
package struct TimerTable<Timer: CaseIterable & RawRepresentable & Sendable>: Sendable
where Timer.RawValue == Int {
    /// By the timer's number; `nil`: it is not set.
    private var times: [Instant?] = Array(repeating: nil, count: Timer.allCases.count)
    /// The earliest of them.
    package private(set) var next: Instant?

    package init() {}

    package subscript(_ timer: Timer) -> Instant? {
        get { times[timer.rawValue] }
        set {
            times[timer.rawValue] = newValue
            next = times.lazy.compactMap(\.self).min()
        }
    }

    /// Sets the timer, unless it is set to an earlier time.
    package mutating func set(_ timer: Timer, noLaterThan time: Instant) {
        if let old = times[timer.rawValue], old <= time { return }
        times[timer.rawValue] = time
        next = next.map { min($0, time) } ?? time
    }

    /// Sets the timer, unless it is set.
    package mutating func start(_ timer: Timer, at time: Instant) {
        if times[timer.rawValue] == nil { set(timer, noLaterThan: time) }
    }

    package func isDue(_ timer: Timer, at now: Instant) -> Bool {
        times[timer.rawValue].map { $0 <= now } ?? false
    }

    /// Whether any timer is due.
    package func isDue(at now: Instant) -> Bool { next.map { $0 <= now } ?? false }

    /// Whether the timer was due; then it is not set any more.
    package mutating func take(_ timer: Timer, at now: Instant) -> Bool {
        guard isDue(timer, at: now) else { return false }
        self[timer] = nil
        return true
    }

    package mutating func clear() {
        for index in times.indices { times[index] = nil }
        next = nil
    }

    /// No timer is due before `time`.
    package mutating func postpone(to time: Instant) {
        for index in times.indices { times[index] = times[index].map { max($0, time) } }
        next = next.map { max($0, time) }
    }
}
