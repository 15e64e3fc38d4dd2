import DHTCore

/// The contacts that are still to be told of a roster, and when.
///
/// A rumour: each node that comes to hold it tells a few contacts at once and others little by little, until
/// it meets several in a row that had it. Its publisher tells all, and again those that still lack it.
struct RosterTelling: Sendable {
    private var waiting: [Contact] = []
    /// Told, and not known to have it.
    private var told: [Contact] = []
    /// Told by us, and yet to show what they had: each counts once.
    private var asked: Set<Identity> = []
    /// So many of those told in a row had it.
    private var streak = 0
    private var isFirst = true
    private var pause = RosterDesk.pace
    /// Its publisher does not leave it at a rumour before then.
    private var end: Instant?
    private(set) var due: Instant?

    init() {}

    /// `end`: until then whoever lacks it is told again.
    init(_ contacts: [Contact], of mark: RosterMark, until end: Instant?) {
        // An order of its own for each roster, so that not all begin with the same.
        waiting = contacts.sorted {
            (Self.order($0, mark), $0.identity) < (Self.order($1, mark), $1.identity)
        }
        self.end = end
    }

    private static func order(_ contact: Contact, _ mark: RosterMark) -> UInt32 {
        (contact.identity.prefix ^ mark.stamp) &* 0x9E37_79B1
    }

    /// Whether the peer is about to be told, perhaps again.
    func isToTell(_ peer: Identity) -> Bool {
        waiting.contains { $0.identity == peer } || told.contains { $0.identity == peer }
    }

    /// Those to be told now.
    mutating func next(at now: Instant) -> [Contact] {
        let isPublisher = end.map { now < $0 } ?? false
        if !isPublisher {
            told = []
            if streak >= RosterDesk.enoughHadIt { waiting = [] }
        }
        if waiting.isEmpty, isPublisher, !told.isEmpty {
            (waiting, told) = (told, [])
            pause = min(pause * 2, RosterDesk.longestPause)
        }
        let count = isFirst || isPublisher ? RosterDesk.firstTold : RosterDesk.toldAtOnce
        isFirst = false
        let next = Array(waiting.prefix(count))
        waiting.removeFirst(next.count)
        asked.formUnion(next.map(\.identity))
        if isPublisher { told += next }
        let isDone = waiting.isEmpty && told.isEmpty
        due = isDone ? nil : now + (waiting.isEmpty ? pause : RosterDesk.pace)
        return next
    }

    /// A contact has it.
    mutating func hadIt(_ peer: Identity) {
        if asked.remove(peer) != nil { streak += 1 }
        waiting.removeAll { $0.identity == peer }
        told.removeAll { $0.identity == peer }
    }

    /// A contact has an older one: it is news still.
    mutating func lacked(_ peer: Identity) { if asked.remove(peer) != nil { streak = 0 } }

    mutating func forget(where isGone: (Identity) -> Bool) {
        waiting.removeAll { isGone($0.identity) }
        told.removeAll { isGone($0.identity) }
    }
}
