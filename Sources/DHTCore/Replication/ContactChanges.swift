/// Contacts that came and went, from when that was seen until copies have followed them.
///
/// Two turns follow each change, one of the nearest replica and a later one of the farthest: ``RepairRule``.
/// The node tells of a change with ``record(_:)``, and asks ``beginTurn(at:using:)`` whether a turn is due;
/// if so it walks through its catalog by that turn's rule, and then tells ``madeUp(for:)`` of each contact.
struct ContactChanges: Sendable {
    /// Changes are taken together for this long, and as much again by chance.
    static let settling = Interval.seconds(2)
    /// How much later, and as much again by chance, the second of the two givers acts.
    static let secondTurn = Interval.seconds(30)
    /// How long changes are remembered, for replicas that take another's place.
    static let memory = Interval.minutes(60)
    /// Changes of each kind remembered; further ones are left to republishing.
    static let capacity = 1024

    /// How a change was recorded.
    enum Recording: Hashable, Sendable {
        /// The change is to be acted upon. `isFirst`: no turn was arranged for yet.
        case recorded(isFirst: Bool)
        /// A change of the contact that is known already says more.
        case superseded
        /// There are too many changes.
        case overlooked
    }

    /// The changes that a walk through the catalog is to make up for.
    struct DueChanges: Sendable {
        let turn: RepairRule.RepairTurn
        let changes: [ContactChange]
        /// All changes of the last hour.
        let recent: [ContactChange]
    }

    private enum Timer: Int, CaseIterable { case firstTurn, secondTurn }

    /// Changes nobody has acted upon. The timer of the first turn is set once somebody asks for it.
    private var unhandled: [ContactChange] = []
    /// Changes upon which the second giver has not acted.
    private var awaitingSecondTurn: [ContactChange] = []
    private var timers = TimerTable<Timer>()
    /// Changes of the last hour, the oldest first.
    private var recent: [ContactChange] = []
    /// From which second on those who came lack what was offered, until a walk made up for it.
    private var missingSince: [Identity: UInt32] = [:]

    mutating func record(_ change: ContactChange) -> Recording {
        let identity = change.contact.identity
        if change.kind != .went, missingSince[identity] != nil || missingSince.count < Self.capacity {
            missingSince[identity] = change.owedSince
        }
        if let known = unhandled.firstIndex(where: { $0.contact.identity == identity }) {
            let old = unhandled[known]
            // `came` (it has nothing) wins over a later `returned`.
            if case .returned = change.kind, old.kind == .came || old.kind == .emptied { return .superseded }
            unhandled.remove(at: known)
        } else if unhandled.count >= Self.capacity {
            return .overlooked
        }
        unhandled.append(change)
        return .recorded(isFirst: timers[.firstTurn] == nil)
    }

    /// The turn that is due, if one is: it has begun, and its changes are not handed out again.
    mutating func beginTurn(
        at now: Instant,
        using generator: inout any RandomNumberGenerator & Sendable
    ) -> DueChanges? {
        if !unhandled.isEmpty, timers[.firstTurn] == nil {
            timers[.firstTurn] = now + Self.settling.jittered(using: &generator)
        }
        if timers.take(.firstTurn, at: now) { return beginFirst(at: now, using: &generator) }
        guard timers.take(.secondTurn, at: now) else { return nil }
        defer { awaitingSecondTurn = [] }
        return DueChanges(turn: .farthest, changes: awaitingSecondTurn, recent: recent)
    }

    private mutating func beginFirst(
        at now: Instant,
        using generator: inout any RandomNumberGenerator & Sendable
    ) -> DueChanges {
        let changes = unhandled
        unhandled = []
        recent.removeAll { now.since($0.at) > Self.memory }
        recent = (recent + changes).suffix(Self.capacity)
        if awaitingSecondTurn.isEmpty {
            timers[.secondTurn] = now + Self.secondTurn.jittered(using: &generator)
        }
        awaitingSecondTurn = (awaitingSecondTurn + changes).suffix(Self.capacity)
        return DueChanges(turn: .nearest, changes: changes, recent: recent)
    }

    /// When the next turn begins; `nil` if there is none, or it is not decided yet.
    var nextTurn: Instant? { timers.next }

    /// From which second on the contact lacks what was offered; `nil`: nothing is known to be missing there.
    func missingSince(_ identity: Identity) -> UInt32? { missingSince[identity] }

    /// The contact was given what it lacked.
    mutating func madeUp(for identity: Identity) { missingSince[identity] = nil }

    /// Nothing is left to be done for anybody.
    var isEmpty: Bool { unhandled.isEmpty && awaitingSecondTurn.isEmpty }

    /// We leave: nothing is acted upon any more.
    mutating func abandon() {
        unhandled = []
        awaitingSecondTurn = []
        timers.clear()
    }

    var bounds: [Bound] {
        [
            Bound("unhandled changes", unhandled.count, of: Self.capacity),
            Bound("changes that wait", awaitingSecondTurn.count, of: Self.capacity),
            Bound("recent changes", recent.count, of: Self.capacity),
            Bound("contacts that miss records", missingSince.count, of: Self.capacity),
        ]
    }
}

extension Interval {
    /// Between once and twice as long.
    func jittered(using generator: inout any RandomNumberGenerator & Sendable) -> Interval {
        self + Interval(nanoseconds: UInt64.random(in: 0...nanoseconds, using: &generator))
    }
}
