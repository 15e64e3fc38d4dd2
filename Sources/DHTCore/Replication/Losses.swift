/// How often a claim is believed that costs us much each time: at once at first, then after pauses that
/// double for as long as it goes on.
struct Credulity<Key: Hashable & Comparable & Sendable>: Sendable {
    private struct Belief {
        var times: Int
        var last: Instant
        var pause: Interval
    }

    private var beliefs: [Key: Belief] = [:]

    var count: Int { beliefs.count }

    /// How often the claim has been believed, this time included; `nil`: it is not, for now.
    mutating func believe(_ key: Key, at now: Instant) -> Int? {
        guard var belief = recall(key, at: now) else {
            makeRoom(at: now)
            beliefs[key] = Belief(times: 1, last: now, pause: Losses.firstPause)
            return 1
        }
        guard now.since(belief.last) >= belief.pause else { return nil }
        belief.pause = belief.times == 0 ? Losses.firstPause : min(belief.pause * 2, Losses.longestPause)
        belief.times += 1
        belief.last = now
        beliefs[key] = belief
        return belief.times
    }

    /// The claim may come to be believed: the first time at once.
    mutating func expect(_ key: Key, at now: Instant) {
        guard recall(key, at: now) == nil else { return }
        makeRoom(at: now)
        beliefs[key] = Belief(times: 0, last: now, pause: .seconds(0))
    }

    /// Whether the claim would be believed now.
    func isBelievable(_ key: Key, at now: Instant) -> Bool {
        recall(key, at: now).map { now.since($0.last) >= $0.pause } ?? true
    }

    /// How often the claim has been believed, and when last; `nil`: not of late.
    func history(of key: Key, at now: Instant) -> (times: Int, last: Instant)? {
        recall(key, at: now).map { ($0.times, $0.last) }
    }

    private func recall(_ key: Key, at now: Instant) -> Belief? {
        beliefs[key].flatMap { now.since($0.last) < Losses.memory ? $0 : nil }
    }

    private mutating func makeRoom(at now: Instant) {
        guard beliefs.count >= Losses.capacity else { return }
        beliefs = beliefs.filter { now.since($0.value.last) < Losses.memory }
        guard beliefs.count >= Losses.capacity else { return }
        let oldest = beliefs.min { ($0.value.last, $0.key) < ($1.value.last, $1.key) }
        if let oldest { beliefs[oldest.key] = nil }
    }
}

/// Records that peers had acknowledged and lost, by their own word or as their answers show. A member that
/// loses everything over and over, or says so, would have us give it all there is without end.
struct Losses: Sendable {
    /// Between the first two times.
    static let firstPause = Interval.minutes(1)
    static let longestPause = Interval.minutes(60)
    /// A peer of which no loss was believed for so long is believed at once again.
    static let memory = Interval.minutes(24 * 60)
    /// Peers remembered, and as many single copies.
    static let capacity = 1024
    /// From so many losses on they are an offence.
    static let offence = 3

    /// A copy that a peer took because it lacked it.
    struct Copy: Hashable, Comparable, Sendable {
        let peer: Identity
        let digest: Digest

        static func < (lhs: Copy, rhs: Copy) -> Bool {
            (lhs.peer, lhs.digest) < (rhs.peer, rhs.digest)
        }
    }

    /// Losses of all that a peer had.
    var everything = Credulity<Identity>()
    var copies = Credulity<Copy>()
}

extension KademliaNode {
    /// A peer says, or shows, that it has nothing any more. Whether that is acted upon now.
    mutating func believesLoss(of peer: Identity, at now: Instant) -> Bool {
        guard let times = replication.losses.everything.believe(peer, at: now) else {
            let known = replication.losses.everything.history(of: peer, at: now)
            if let known, known.times >= Losses.offence { record(.lostOverAndOver, of: peer, at: now) }
            return false
        }
        if times >= Losses.offence { record(.lostOverAndOver, of: peer, at: now) }
        return true
    }

    /// Whether a peer that answered a read without a record is given it.
    func mayRepair(_ record: Record, at peer: Identity, now: Instant) -> Bool {
        replication.losses.copies.isBelievable(.init(peer: peer, digest: record.digest), at: now)
    }

    /// The peer took the record that it lacked, and says that it keeps it.
    mutating func onRepaired(_ digest: Digest, at peer: Identity, now: Instant) {
        let times = replication.losses.copies.believe(.init(peer: peer, digest: digest), at: now)
        if let times, times >= Losses.offence { record(.lostOverAndOver, of: peer, at: now) }
    }
}
