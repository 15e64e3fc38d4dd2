/// How far a node is with finding its neighbours, and operations of users that wait for that.
///
/// Our own place is looked up when the first contact is met (``begin()``), and again a few times after
/// (``takeRejoin(at:)``) for those who joined at the same time; each lookup that ends is told with
/// ``ended(at:)``.
struct Joining: Sendable {
    /// After joining, our own place is looked up again this much later, for those who joined at the same
    /// time; the last time when those who asked in vain whether we are there may ask again.
    static let rejoinDelays = [Interval.seconds(1), .seconds(4), .seconds(15), .seconds(60)]
    /// As long as so many others are met between two looks, a crowd is starting. They make themselves known
    /// and tell of each other: until that is over, looking for them is in vain.
    static let crowd = 8
    /// How often the first look is put off for that.
    static let longestCrowd = 10
    /// After joining, parts of the key space that are still hardly known are looked up this much later: most
    /// become known by then as contacts are asked who else there is.
    static let refreshDelay = Interval.seconds(20)

    enum State: Sendable {
        case none
        case underWay
        case done
    }

    /// A lookup of our own place that is due once more.
    struct Rejoin: Hashable, Sendable {
        let isFirst: Bool
        let isLast: Bool
    }

    /// Whether all parts of the key space are to be looked through for the first time.
    enum FirstRefresh: Hashable, Sendable {
        case due
        case later(Instant)
        case done
    }

    /// Of the first lookup of our own place.
    private(set) var state: State
    private var rejoins = 0
    private(set) var nextRejoin: Instant?
    /// Others met since our own place was last looked up, or that was put off.
    private var met = 0
    private var postponements = 0
    /// When the parts of the key space are first looked through; `nil` once that was done.
    private var firstRefresh: Instant?
    /// Since when operations wait; `nil` before the node was told of its seeds.
    private(set) var startedAt: Instant?
    private var waiting: [(name: OperationID, operation: KademliaOperation)] = []

    /// `isDone`: the neighbours are known from before.
    init(isDone: Bool = false) { state = isDone ? .done : .none }

    /// The node was told of its seeds.
    mutating func start(at now: Instant) {
        if startedAt == nil { startedAt = now }
    }

    /// A contact entered the table.
    mutating func meet() { met += 1 }

    /// Whether our own place is to be looked up for the first time; it is now.
    mutating func begin() -> Bool {
        guard state == .none else { return false }
        state = .underWay
        return true
    }

    /// Whether our own place is to be looked up once more; it is now.
    mutating func takeRejoin(at now: Instant) -> Rejoin? {
        guard let due = nextRejoin, due <= now else { return nil }
        if rejoins == 1, met >= Self.crowd, postponements < Self.longestCrowd {
            (met, postponements) = (0, postponements + 1)
            nextRejoin = now + Self.rejoinDelays[0]
            return nil
        }
        nextRejoin = nil
        met = 0
        return Rejoin(isFirst: rejoins == 1, isLast: rejoins == Self.rejoinDelays.count)
    }

    /// A lookup of our own place has ended. When the next one is due; `nil`: never.
    mutating func ended(at now: Instant) -> Instant? {
        if state != .done {
            state = .done
            firstRefresh = now + Self.refreshDelay
        }
        let last = Self.rejoinDelays.count - 1
        guard rejoins <= last else { return nil }
        // A lookup that met nobody new is not repeated soon.
        if rejoins > 0, met == 0 { rejoins = last }
        nextRejoin = now + Self.rejoinDelays[rejoins]
        rejoins += 1
        return nextRejoin
    }

    /// Asked for as long as it is not done; once it says that it is due it is done.
    mutating func takeFirstRefresh(at now: Instant) -> FirstRefresh {
        guard let due = firstRefresh else { return .done }
        guard due <= now else { return .later(due) }
        firstRefresh = nil
        return .due
    }

    // MARK: Operations

    /// When operations need not wait any more, though the neighbours are not known.
    func patienceEnd(_ patience: Interval) -> Instant? { startedAt.map { $0 + patience } }

    /// Whether operations need not wait: the neighbours are known, or were long enough waited for.
    func isSettled(at now: Instant, patience: Interval) -> Bool {
        guard state != .done, let startedAt else { return true }
        return now.since(startedAt) >= patience
    }

    var hasWaiting: Bool { !waiting.isEmpty }

    mutating func wait(_ operation: KademliaOperation, as name: OperationID) {
        waiting.append((name, operation))
    }

    /// All that waited, in the order in which it came.
    mutating func takeWaiting() -> [(name: OperationID, operation: KademliaOperation)] {
        defer { waiting = [] }
        return waiting
    }

    /// Whether an operation of that name waited, which is wanted no more. Leaving is not taken back.
    mutating func cancel(_ name: OperationID) -> Bool {
        let count = waiting.count
        waiting.removeAll { $0.name == name && $0.operation != .leave }
        return waiting.count < count
    }
}
