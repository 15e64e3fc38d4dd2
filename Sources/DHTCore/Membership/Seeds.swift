/// Peers whose addresses the operator named: each is asked until it answers, with growing pauses, and again
/// whenever it is lost.
///
/// ``take(at:paying:own:isWanted:)`` says which are to be asked; how that ended is told with
/// ``failed(_:at:using:)`` or ``answered(_:at:)``. Seeds are named by their place in the operator's list.
struct Seeds: Sendable {
    struct Seed: Sendable {
        let identity: Identity
        let id: NodeID
        fileprivate(set) var attempts: UInt64 = 0
        fileprivate var nextAttempt: Instant
        fileprivate var isInFlight = false
    }

    static let firstBackoff = Interval.milliseconds(500)
    static let longestBackoff = Interval.seconds(15)

    private var seeds: [Seed] = []
    /// How many of the seeds, from the first on, were asked since the operator named them.
    private var asked = 0
    /// When the next seed is to be asked.
    private(set) var nextAttempt = Instant(nanoseconds: 0)
    /// There is a seed that is not ourselves, or there were other contacts to ask.
    private(set) var knowsOthers = false

    /// `knowsOthers`: there are other contacts to ask, whoever the seeds are.
    mutating func replace(
        with peers: [(Identity, NodeID)],
        own: Identity,
        knowsOthers: Bool,
        at now: Instant
    ) {
        seeds = peers.map { Seed(identity: $0.0, id: $0.1, nextAttempt: now) }
        self.knowsOthers = knowsOthers || peers.contains { $0.0 != own }
        asked = 0
        nextAttempt = now
    }

    /// The seed, if it is being asked.
    func underWay(_ index: Int) -> Seed? {
        seeds.indices.contains(index) && seeds[index].isInFlight ? seeds[index] : nil
    }

    /// The seed did not answer, or its name did not resolve. When any seed is to be asked next.
    mutating func failed(
        _ index: Int,
        at now: Instant,
        using generator: inout any RandomNumberGenerator & Sendable
    ) -> Instant {
        guard seeds.indices.contains(index) else { return nextAttempt }
        seeds[index].isInFlight = false
        seeds[index].attempts += 1
        let pause = min(Self.firstBackoff * (1 << min(seeds[index].attempts, 5)), Self.longestBackoff)
        let jitter = Interval(nanoseconds: UInt64.random(in: 0...pause.nanoseconds / 4, using: &generator))
        seeds[index].nextAttempt = now + pause + jitter
        nextAttempt = min(nextAttempt, now + pause + jitter)
        return nextAttempt
    }

    mutating func answered(_ index: Int, at now: Instant) {
        guard seeds.indices.contains(index) else { return }
        seeds[index].isInFlight = false
        seeds[index].attempts = 0
        seeds[index].nextAttempt = now + Self.longestBackoff
        nextAttempt = min(nextAttempt, seeds[index].nextAttempt)
    }

    /// The network changed: all are asked again at once.
    mutating func hurry(at now: Instant) {
        for index in seeds.indices where !seeds[index].isInFlight {
            seeds[index].attempts = 0
            seeds[index].nextAttempt = now
        }
        nextAttempt = now
    }

    /// The seeds to be asked now: in the first round, all as fast as is decent, later those whose turn came
    /// longest ago, as long as there is something left for the absent. `isWanted`: it is not known to be
    /// there. ``nextAttempt`` says when to ask again.
    mutating func take(
        at now: Instant,
        paying absence: inout Absence,
        own: Identity,
        isWanted: (Seed) -> Bool
    ) -> [Int] {
        guard nextAttempt <= now else { return [] }
        func wants(_ seed: inout Seed) -> Bool {
            if seed.identity != own, isWanted(seed) { return true }
            seed.nextAttempt = seed.identity == own ? Instant(nanoseconds: .max) : now + Self.longestBackoff
            return false
        }
        var (next, taken) = (Instant(nanoseconds: .max), [Int]())
        func take(_ index: Int) {
            seeds[index].isInFlight = true
            taken.append(index)
        }
        let share = asked..<seeds.count
        for index in share.prefix(Absence.roundShare) where wants(&seeds[index]) { take(index) }
        asked = min(share.lowerBound + Absence.roundShare, share.upperBound)
        if asked < share.upperBound { next = now + Absence.roundPause }
        while absence.isFree(at: now) {
            guard let first = longestWaiting else { break }
            let due = seeds[first].nextAttempt
            guard due <= now else {
                next = min(next, due)
                break
            }
            guard wants(&seeds[first]), absence.take(at: now) else { continue }
            take(first)
        }
        if !absence.isFree(at: now) { next = min(next, absence.next) }
        nextAttempt = next
        return taken
    }

    /// Of the seeds that were asked before and are not being asked the one whose turn comes first.
    private var longestWaiting: Int? {
        var best: Int?
        for index in 0..<min(asked, seeds.count) where !seeds[index].isInFlight {
            if best.map({ seeds[index].nextAttempt < seeds[$0].nextAttempt }) ?? true { best = index }
        }
        return best
    }
}
