import DHTCore

/// The content to be looked at, and to be brought again, of all that records here refer to.
///
/// A disk forgets without a word. Parts are looked at when they are read; where one is not what it must be,
/// the others of that content are looked at too, and those that are lost are asked of other members and
/// written back. So that this does not wait for a reader, all content is looked at a while after the start
/// and then once a day, slowly.
struct Mending: Sendable {
    /// Content of which parts are lost.
    private struct Wound: Sendable {
        /// When the content may be brought again.
        var due: Instant
        var failures: UInt64 = 0
        /// The content is being brought.
        var isUnderWay = false
        /// Without its outline its pieces could not be looked at.
        var isBlind = false
    }

    /// The next piece to look at, the next round of all, and when the next of the wounds may be due.
    enum Timer: Int, CaseIterable, Sendable { case piece, round, wound }

    /// Other members are found first.
    static let settling = Interval.seconds(5)
    static let firstPause = Interval.seconds(30)
    static let longestPause = Interval.minutes(60)
    /// Until content is tried again that could not be brought at once.
    static let queuePause = Interval.seconds(1)
    /// Content brought again at once: it takes the places of what others offer.
    static let parallelism = 2
    /// Between two pieces that are looked at without a reason.
    static let patrolPause = Interval.milliseconds(250)
    static let patrolInterval = Interval.minutes(24 * 60)

    private var wounds: [Digest: Wound] = [:]
    /// Content with damage: all of it is to be looked at, the first last.
    private var suspects: [Digest] = []
    /// Content that is looked at in turn, the first last.
    private var round: [Digest] = []
    /// The content being looked at, and the pieces that are left, the first last.
    private(set) var looking: (content: Digest, pieces: [Int], isUrgent: Bool)?
    /// Neither the next piece nor the next round is due while nothing is kept, or a piece is being read.
    private var timers = TimerTable<Timer>()
    /// Parts that the store turned out not to have, and such as it was given again.
    private(set) var lost: UInt64 = 0
    private(set) var mended: UInt64 = 0

    // MARK: Events

    /// There is content that is to be looked at.
    mutating func start(at now: Instant) {
        timers.start(.round, at: now + Self.settling * 2)
    }

    /// So many parts of content that a record refers to are lost. `isSeen`: it is known which parts are.
    mutating func recordLoss(_ count: Int, of content: Digest, isSeen: Bool, at now: Instant) {
        lost += UInt64(count)
        if wounds[content] == nil {
            wounds[content] = Wound(due: isSeen ? now + Self.settling : now)
            timers.set(.wound, noLaterThan: isSeen ? now + Self.settling : now)
        }
        if !isSeen { suspect(content, at: now) }
    }

    private mutating func suspect(_ content: Digest, at now: Instant) {
        if looking?.content == content {
            looking?.isUrgent = true
        } else if !suspects.contains(content) {
            suspects.insert(content, at: 0)
        }
        // While a piece is being read the next one follows it.
        if looking == nil || timers[.piece] != nil { timers[.piece] = now }
    }

    /// A part was written back, if it was lost.
    mutating func recordWrite(_ part: ContentPart, of content: Digest) {
        guard wounds[content] != nil else { return }
        mended += 1
        if part == .outline { wounds[content]?.isBlind = true }
    }

    /// All of the content is there, or none of it is wanted any more.
    mutating func heal(_ content: Digest, at now: Instant) {
        guard let wound = wounds.removeValue(forKey: content) else { return }
        if wound.isBlind { suspect(content, at: now) }
    }

    /// The content could not be had.
    mutating func recordFailure(of content: Digest, at now: Instant) {
        guard let failures = wounds[content]?.failures else { return }
        let pause = min(Self.firstPause * (1 << min(failures, 10)), Self.longestPause)
        wounds[content]?.due = now + pause
        wounds[content]?.failures = failures + 1
        wounds[content]?.isUnderWay = false
        timers.set(.wound, noLaterThan: now + pause)
    }

    /// The content cannot be brought now, for want of sources or room, which counts as no failure.
    mutating func postpone(_ content: Digest, at now: Instant) {
        wounds[content]?.due = now + Self.queuePause
        wounds[content]?.isUnderWay = false
        timers.set(.wound, noLaterThan: now + Self.queuePause)
    }

    // MARK: Looking

    /// The next piece to be read, if it is time for one. `content`: all that is kept.
    mutating func nextLook(
        among content: () -> [Digest],
        pieces: (Digest) -> [Int],
        at now: Instant
    ) -> (content: Digest, piece: Int)? {
        if timers.take(.round, at: now) {
            round = content().reversed()
            if !round.isEmpty { timers[.round] = now + Self.patrolInterval }
            timers.start(.piece, at: now)
        }
        guard timers.take(.piece, at: now) else { return nil }
        while true {
            if let suspect = suspects.last, looking?.isUrgent != true {
                if let looking { round.append(looking.content) }
                suspects.removeLast()
                looking = (suspect, pieces(suspect).reversed(), true)
            }
            if let piece = looking?.pieces.popLast(), let content = looking?.content {
                return (content, piece)
            }
            looking = nil
            if !suspects.isEmpty { continue }
            guard let content = round.popLast() else { return nil }
            looking = (content, pieces(content).reversed(), false)
        }
    }

    /// The piece was read, and looked at.
    mutating func looked(at now: Instant) {
        let isUrgent = looking?.isUrgent == true && looking?.pieces.isEmpty == false
        if looking?.pieces.isEmpty == true { looking = nil }
        timers[.piece] = isUrgent || !suspects.isEmpty ? now : now + Self.patrolPause
    }

    // MARK: Bringing

    /// The content to be brought again now; none before all of it was looked at.
    mutating func begin(at now: Instant) -> [Digest] {
        guard timers.isDue(.wound, at: now) else { return [] }
        var open = wounds.filter { !$0.value.isUnderWay && !isSuspect($0.key) }
        let begun = Array(open.filter { $0.value.due <= now }.keys.sorted().prefix(free))
        for content in begun {
            open[content] = nil
            wounds[content]?.isUnderWay = true
        }
        // Content that waits for its turn, or to be looked at, is asked about again.
        let rest = wounds.contains { isSuspect($0.key) } ? now + Self.queuePause : nil
        let due = open.map { max($0.value.due, now + Self.queuePause) }.min()
        timers[.wound] = earlier(rest, due)
        return begun
    }

    private var free: Int { max(Self.parallelism - wounds.values.count(where: \.isUnderWay), 0) }

    private func isSuspect(_ content: Digest) -> Bool {
        suspects.contains(content) || looking.map { $0.content == content && $0.isUrgent } ?? false
    }

    func isWounded(_ content: Digest) -> Bool { wounds[content] != nil }

    /// Content of which parts are lost.
    var count: Int { wounds.count }

    /// When there is something to do.
    var deadline: Instant? { timers.next }
}
