/// Where a record stands among those of several authors under one key: the greatest is the newest.
///
/// A revision is its author's clock, which may be up to five minutes ahead of everybody's. A record that is
/// ahead of the judge's clock ranks below all that are not, so that a wrong clock beats nobody who writes
/// meanwhile. `docs/protocol.md`, section 8.
package struct Precedence: Comparable, Sendable {
    /// How far ahead of the judge's clock a revision may be, in milliseconds: clocks differ a little.
    package static let tolerance: UInt64 = 5000

    private let rank: (isTimely: Int, revision: Revision, author: Identity)

    package init(_ revision: Revision, by author: Identity, unixMilliseconds now: UInt64) {
        rank = (revision.unixMilliseconds <= now +| Self.tolerance ? 1 : 0, revision, author)
    }

    package init(_ record: Record, unixMilliseconds now: UInt64) {
        self.init(record.revision, by: record.author, unixMilliseconds: now)
    }

    /// Whether the record counts for now, or is kept for when its time has come.
    package var isTimely: Bool { rank.isTimely == 1 }

    package static func < (lhs: Precedence, rhs: Precedence) -> Bool { lhs.rank < rhs.rank }
    package static func == (lhs: Precedence, rhs: Precedence) -> Bool { lhs.rank == rhs.rank }
}

extension Catalog {
    /// The author whose value readers of the newest see in the record's place, sooner or later: the author of
    /// the newest live value there that is another's and has a higher revision; `nil`: there is none.
    func hider(of record: Record, unixMilliseconds now: UInt64) -> Identity? {
        guard !record.isTombstone else { return nil }
        return entries(at: record.location, unixMilliseconds: now)
            .filter { $0.revision > record.revision && $0.author != record.author && !$0.isTombstone }
            .max { ($0.revision, $0.author) < ($1.revision, $1.author) }?.author
    }
}
