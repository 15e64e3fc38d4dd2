/// Copies on their way to those who ought to have them: paced, and each peer only so many at once.
///
/// The node appends repairs, and takes them with ``take(_:at:)`` for as long as that hands one out; of one it
/// really makes it tells ``begin(_:weight:)``, and for each STORE that is over, or will not be made,
/// ``end(_:to:)``. How a peer took a copy goes to `backoff`.
struct RepairQueue: Sendable {
    /// Repairs that wait, at most.
    static let capacity = 512
    /// A peer is given so much of what may be under way at once, lest one that is never done hold up all.
    static let peerShare = 4

    /// A record that is to be given away.
    struct Repair: Hashable, Sendable {
        let id: RecordID
        let digest: Digest
        /// `nil`: republish it.
        let targets: [Contact]?

        fileprivate func to(_ targets: [Contact]) -> Self {
            .init(id: id, digest: digest, targets: targets)
        }
    }

    struct Limits: Sendable {
        /// STOREs under way at once.
        let parallelism: Int
        /// STOREs a second, and as many at once after a pause as ``parallelism``; `nil`: no pace.
        let rate: UInt64?
        /// STOREs of which a republish counts as many.
        let replicas: Int
    }

    enum Next: Sendable {
        case repair(Repair, weight: Int)
        /// The pace allows the next at this time.
        case wait(until: Instant)
        case nothing
    }

    /// Repairs that wait, in the order in which they are sent.
    private var repairs: [Repair] = []
    /// STOREs under way, or about to be.
    private(set) var inFlight = 0
    /// Of the STOREs in flight, copies by the peer that is to take them.
    private var giving: [Identity: Int] = [:]
    /// When the next STORE may go out, if they went out evenly.
    private var nextStore = Instant(nanoseconds: 0)
    var backoff = RepairBackoff()

    var count: Int { repairs.count }
    var isFull: Bool { repairs.count >= Self.capacity }
    /// Nothing waits, and nothing is under way.
    var isIdle: Bool { repairs.isEmpty && inFlight <= 0 }

    mutating func append(_ repair: Repair) { repairs.append(repair) }

    /// Drops what waits.
    mutating func removeAll() { repairs = [] }

    /// The next repair of which somebody may be given a copy now, for those who may; the others' copies wait.
    mutating func take(_ limits: Limits, at now: Instant) -> Next {
        let share = max(limits.parallelism / Self.peerShare, 1)
        guard inFlight < limits.parallelism, let (index, repair, later) = first(share: share) else {
            return .nothing
        }
        let weight = repair.targets?.count ?? limits.replicas
        if let rate = limits.rate {
            let gap = Interval(nanoseconds: 1_000_000_000 / max(rate, 1))
            let burst = gap * UInt64(limits.parallelism)
            guard nextStore <= now + burst else { return .wait(until: now + nextStore.since(now + burst)) }
            nextStore = max(nextStore, now) + gap * UInt64(weight)
        }
        repairs.remove(at: index)
        if let later { repairs.insert(later, at: index) }
        return .repair(repair, weight: weight)
    }

    private func first(share: Int) -> (index: Int, now: Repair, later: Repair?)? {
        for (index, repair) in repairs.enumerated() {
            guard let targets = repair.targets else { return (index, repair, nil) }
            let free = targets.filter { giving[$0.identity, default: 0] < share }
            if free.count == targets.count { return (index, repair, nil) }
            if free.isEmpty { continue }
            let held = targets.filter { giving[$0.identity, default: 0] >= share }
            return (index, repair.to(free), repair.to(held))
        }
        return nil
    }

    /// The repair is made.
    mutating func begin(_ repair: Repair, weight: Int) {
        inFlight += weight
        for target in repair.targets ?? [] { giving[target.identity, default: 0] += 1 }
    }

    /// So many STOREs that were not asked of the queue are made.
    mutating func begin(stores: Int) { inFlight += stores }

    /// So many STOREs are over, or will not be made; `targets`: of copies, whose they were to be.
    mutating func end(_ stores: Int, to targets: [Contact]) {
        inFlight -= stores
        for target in targets {
            let left = giving[target.identity, default: 1] - 1
            giving[target.identity] = left > 0 ? left : nil
        }
    }

    /// `copies`: STOREs that may be under way.
    func bounds(copies: Int) -> [Bound] {
        [
            Bound("repairs that wait", repairs.count, of: Self.capacity),
            Bound("copies under way", inFlight, of: copies),
            Bound("peers given copies", giving.count, of: copies),
            Bound("repair back-offs", backoff.count, of: RepairBackoff.capacity),
        ]
    }
}
