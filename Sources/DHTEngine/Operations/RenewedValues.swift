import DHTCore

/// Values of our own that are signed anew when half of their lifetime is over.
///
/// The expiry of a record is absolute, so that nobody can extend it but its author, with a new revision. The
/// values are not held here; they are read again when they are due.
///
/// The value that ends first is renewed first. Half a lifetime is left for a renewal, and a second one should
/// the first fail: a value of L seconds needs at most 4 / L renewals a second. The sum of that over all
/// values stays within ``promisedPace``, so that all are renewed in time even if all fall due at once.
struct RenewedValues: Sendable {
    static let capacity = 16_384
    /// Renewals under way at once: the pace is held though each takes three seconds.
    static let parallelism = 256
    /// Renewals begun at once, and the time between two such beginnings: 80 a second.
    static let batch = 4
    static let interval = Interval.milliseconds(50)
    /// Renewals a second that values may need in all. The rest of the pace makes up for what a failure takes.
    static let promisedPace: UInt64 = 64
    /// The longest time between two looks, even if no value falls due so soon: the calendar may jump.
    static let longestLook = Interval.seconds(10)
    static let longestPause = Interval.minutes(10)
    /// Values kept no more that are remembered.
    static let stoppedCapacity = 1024
    /// Between two words to the operator: of one key, and at all.
    static let newsPause = Interval.minutes(60)
    static let newsInterval = Interval.minutes(1)

    struct Entry: Hashable, Sendable {
        var value: RenewedValue
        /// No renewal is tried before.
        var rest: Instant
        /// Renewals that failed in a row.
        var failures: UInt32 = 0
        /// When the operator was last told of a failure.
        var told: Instant?
        /// Operations of users on this key: none of ours may come between.
        var users = 0

        /// The pause after the next failure. Several fit into the time left at half the lifetime.
        var pause: Interval {
            let lifetime = Interval.seconds(UInt64(value.lifetime))
            let first = min(max(lifetime / 16, .seconds(1)), .seconds(30))
            let longest = min(max(lifetime / 8, .seconds(1)), RenewedValues.longestPause)
            return min(first * (1 << UInt64(min(failures, 10))), longest)
        }

        /// When the value may be renewed. A revision far ahead of the clock is due as well: it was written
        /// when the clock was ahead, and others would not take it.
        func readiness(at now: Now) -> Instant {
            let clock = now.unixMilliseconds
            if value.due <= clock || value.revision.isFarAhead(of: clock) { return rest }
            return max(rest, now.instant + .milliseconds(value.due -| clock))
        }
    }

    private(set) var entries: [NodeID: Entry] = [:]
    /// Values kept no more, the oldest first.
    private(set) var stopped: [(location: NodeID, state: RenewalState)] = []
    /// Changes that the driver has not stored yet, by key; `nil`: the value is kept no more.
    private(set) var changes: [[UInt8]: RenewedValue?] = [:]
    /// When to look for values that are due.
    private(set) var nextLook: Instant?
    /// Values being read or put.
    private(set) var underWay: Set<NodeID> = []
    /// Values that are due, the most urgent last.
    private var queue: [NodeID] = []
    /// The shares of the pace that all values need, and those of values being put, in 2⁻³⁰ renewals a second.
    private var load: UInt64 = 0
    private var promised: [NodeID: (puts: Int, share: UInt64)] = [:]
    private var promisedLoad: UInt64 = 0
    private var news = RenewalNews()
    private var lastNews: Instant?

    subscript(location: NodeID) -> Entry? { entries[location] }

    // MARK: Kept values

    /// The share of the pace that a value needs, in 2⁻³⁰ renewals a second.
    private static func share(_ lifetime: UInt32) -> UInt64 { (1 << 32) / UInt64(max(lifetime, 1)) }

    /// A user is about to put a value that is to be kept: its place is held until ``release(_:)``.
    mutating func promise(_ lifetime: UInt32, at location: NodeID) -> KeepingRefusal? {
        let isKnown = entries[location] != nil || promised[location] != nil
        guard isKnown || entries.count + promised.count < Self.capacity else { return .capacity }
        let own = entries[location].map { Self.share($0.value.lifetime) } ?? 0
        let others = load - own + promisedLoad
        let free = (Self.promisedPace << 30) -| others
        guard lifetime >= RenewedValue.leastLifetime, Self.share(lifetime) <= free else {
            // The least whose share, rounded down, is free.
            guard let least = UInt32(exactly: (1 << 32) / (free + 1) + 1),
                least <= RecordLayout.lifetimes.upperBound
            else { return .capacity }
            return .lifetime(atLeast: max(least, RenewedValue.leastLifetime))
        }
        promised[location, default: (0, 0)].puts += 1
        promised[location, default: (0, 0)].share += Self.share(lifetime)
        promisedLoad += Self.share(lifetime)
        return nil
    }

    /// A put that was to be kept is over.
    mutating func release(_ location: NodeID) {
        guard let held = promised[location] else { return }
        guard held.puts == 1 else {
            promised[location] = (held.puts - 1, held.share)
            return
        }
        promised[location] = nil
        promisedLoad -= held.share
    }

    /// Keeps a value. `isAhead`: others took a record that is ahead of our clock, so that it is our clock
    /// that is behind.
    mutating func keep(_ value: RenewedValue, at location: NodeID, _ now: Now, isAhead: Bool = false) {
        let users = entries[location]?.users ?? 0
        drop(location)
        guard entries.count < Self.capacity else { return }
        var entry = Entry(value: value, rest: now.instant, users: users)
        if isAhead { entry.rest = now.instant + .milliseconds(UInt64(value.lifetime) *| 500) }
        entries[location] = entry
        load += Self.share(value.lifetime)
        changes.updateValue(value, forKey: value.key)
        look(at: max(entry.readiness(at: now), now.instant + Self.interval), now)
    }

    /// Goes on with a value that a process before us kept, and stored.
    mutating func restore(_ value: RenewedValue, at location: NodeID, _ now: Now) {
        keep(value, at: location, now)
        changes.removeValue(forKey: value.key)
    }

    /// The value is kept no more, as the user wants it.
    mutating func drop(_ location: NodeID) {
        stopped.removeAll { $0.location == location }
        remove(location)
    }

    private mutating func remove(_ location: NodeID) {
        underWay.remove(location)
        guard let entry = entries.removeValue(forKey: location) else { return }
        load -= Self.share(entry.value.lifetime)
        changes.updateValue(nil, forKey: entry.value.key)
    }

    /// The value is kept no more, which nobody wanted.
    mutating func stop(_ location: NodeID, _ phase: RenewalState.Phase, _ now: Now) {
        guard let entry = entries[location] else { return }
        remove(location)
        recordStop(RenewalState(value: entry.value, phase: phase), at: location, now)
    }

    private mutating func recordStop(_ state: RenewalState, at location: NodeID, _ now: Now) {
        stopped.removeAll { $0.location == location }
        if stopped.count >= Self.stoppedCapacity { stopped.removeFirst() }
        stopped.append((location, state))
        switch state.phase {
        case .superseded: news.superseded += 1
        case .ended: news.ended += 1
        case .kept: break
        }
        look(at: now.instant + Self.interval, now)
    }

    /// A value that a process before us kept was not renewed in time.
    mutating func recordEnd(_ value: RenewedValue, at location: NodeID, _ now: Now) {
        changes.updateValue(nil, forKey: value.key)
        recordStop(RenewalState(value: value, phase: .ended), at: location, now)
    }

    mutating func beginUse(_ location: NodeID) { entries[location]?.users += 1 }

    mutating func endUse(_ location: NodeID, _ now: Now) {
        guard let users = entries[location]?.users, users > 0 else { return }
        entries[location]?.users = users - 1
        look(at: now.instant + Self.interval, now)
    }

    /// The changes that the driver is to store since it last asked.
    mutating func takeChanges() -> [[UInt8]: RenewedValue?] {
        defer { changes = [:] }
        return changes
    }

    // MARK: Renewals

    private mutating func look(at instant: Instant, _ now: Now) {
        let latest = min(instant, now.instant + Self.longestLook)
        nextLook = nextLook.map { min($0, latest) } ?? latest
    }

    /// The values to be renewed now. ``nextLook`` says when to ask again.
    mutating func begin(at now: Now) -> [NodeID] {
        nextLook = nil
        if queue.isEmpty { fill(at: now) }
        var begun: [NodeID] = []
        while begun.count < Self.batch, underWay.count < Self.parallelism, let location = queue.popLast() {
            guard isReady(location, now) else { continue }
            underWay.insert(location)
            begun.append(location)
        }
        if !queue.isEmpty {
            look(at: now.instant + Self.interval, now)
        } else if !entries.isEmpty || !news.isEmpty {
            look(at: max(earliest(at: now), now.instant + Self.interval), now)
        }
        return begun
    }

    /// When the next of the values may be renewed.
    private func earliest(at now: Now) -> Instant {
        var earliest = Instant(nanoseconds: .max)
        for (location, entry) in entries where entry.users == 0 && !underWay.contains(location) {
            earliest = min(earliest, entry.readiness(at: now))
        }
        return earliest
    }

    private func isReady(_ location: NodeID, _ now: Now) -> Bool {
        guard let entry = entries[location], entry.users == 0, !underWay.contains(location) else {
            return false
        }
        return entry.readiness(at: now) <= now.instant
    }

    /// Queues a second's worth of the values that are due, by when they end: values that fall due meanwhile
    /// may be more urgent.
    private mutating func fill(at now: Now) {
        let due = entries.keys.filter { isReady($0, now) }.map { ($0, entries[$0]?.value.expiry ?? 0) }
        let second = due.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(Self.batch * 20)
        queue = second.map(\.0).reversed()
    }

    /// A renewal gave way to a user.
    mutating func giveWay(_ location: NodeID, _ now: Now) {
        underWay.remove(location)
        guard let pause = entries[location]?.pause else { return }
        entries[location]?.rest = now.instant + pause
        look(at: now.instant + pause, now)
    }

    mutating func recordFailure(at location: NodeID, _ now: Now) {
        giveWay(location, now)
        guard let entry = entries[location] else { return }
        entries[location]?.failures = min(entry.failures, .max - 1) + 1
        if let told = entry.told, now.instant.since(told) < Self.newsPause { return }
        entries[location]?.told = now.instant
        news.failing += 1
    }

    // MARK: News for the operator

    var failing: Int { entries.values.count { $0.failures > 0 } }

    /// The states of all values, by location.
    var states: [RenewalState] {
        let live = entries.map { ($0, RenewalState(value: $1.value, phase: .kept(failures: $1.failures))) }
        return (live + stopped.map { ($0.location, $0.state) }).sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// The news since the last time; `nil`: there are none, or it is too early.
    mutating func takeNews(at now: Instant) -> RenewalNews? {
        guard !news.isEmpty, lastNews.map({ now.since($0) >= Self.newsInterval }) ?? true else { return nil }
        lastNews = now
        defer { news = RenewalNews() }
        return news
    }
}
