/// Authors who may not write here any more, and have records here from when they might.
///
/// Their records are treated as absent, at once: they stand in nobody's way, are not counted, shown, given to
/// others or put again, and go first where room is needed. They are kept for a while all the same, since the
/// next allowlist may let their authors write again.
struct Muted: Sendable {
    /// How long the records are kept, of the time that the node runs.
    static let grace = Interval.minutes(24 * 60)

    /// Since when each author is muted; the end of time: since the last patrol.
    private var authors: [Identity: Instant] = [:]
    /// Where records of muted authors are, as the last patrol met them.
    private(set) var places: [RecordID] = []

    var isEmpty: Bool { authors.isEmpty }
    var count: Int { authors.count }

    func contains(_ author: Identity) -> Bool { !authors.isEmpty && authors[author] != nil }

    /// Replaces who is muted; those that were, still are since when they were.
    mutating func replace(with muted: some Sequence<Identity>) {
        var replaced: [Identity: Instant] = [:]
        for author in muted { replaced[author] = authors[author] ?? Instant(nanoseconds: .max) }
        authors = replaced
        if authors.isEmpty { places = [] }
    }

    mutating func insert(_ author: Identity) {
        authors[author] = authors[author] ?? Instant(nanoseconds: .max)
    }

    /// A patrol begins.
    mutating func beginPatrol(at now: Instant) {
        places = []
        authors = authors.mapValues { min($0, now) }
    }

    /// A patrol met a record of a muted author.
    mutating func meet(_ place: RecordID) { places.append(place) }

    /// At the last of the places there is no record of a muted author any more.
    mutating func dropLastPlace() { places.removeLast() }

    /// Whether the author's records need not be kept any longer.
    func isForfeit(_ author: Identity, at now: Instant) -> Bool {
        guard let since = authors[author], since <= now else { return false }
        return now.since(since) >= Self.grace
    }
}
