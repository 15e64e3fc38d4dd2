/// The records that the answers to one read brought, and who has which.
struct GetOperation: Sendable {
    let location: NodeID
    let author: Identity?
    let replicas: Int
    /// Every author's record is wanted, not only the newest value.
    let isExhaustive: Bool
    /// The outcome is to tell what was asked of whom.
    let isTraced: Bool

    private struct Best: Sendable {
        var record: Record
        var holders: [Identity]
    }

    private var best: [Best] = []  // by author
    /// The last record met that is too far ahead of our clock to be seen.
    private(set) var ahead: Record?
    /// The answers of each replica so far: how many records, where its next page begins, and their authors.
    private var told: [Identity: Told] = [:]

    private struct Told: Sendable {
        /// Where its next page begins.
        var records = 0
        /// Records among these that were not fit to be shown.
        var struckOut = 0
        /// How many records the replica had in all when it was last asked; `nil` before.
        var total: Int?
        /// Pages with nothing new, and beginnings anew.
        var barrenPages = 0
        var authors: Set<Identity> = []
        /// Whether any record of these is to be seen.
        var isBearing = false
        /// Authors whose values were enough, so that the rest was not asked for.
        var sufficed: Set<Identity> = []
    }

    /// Pages full of nothing that one node may send: of authors it lists and we do not, or of those whose
    /// records moved while we read.
    private static let barrenPageLimit = 8

    init(
        location: NodeID,
        author: Identity?,
        replicas: Int,
        isExhaustive: Bool,
        isTraced: Bool = false
    ) {
        self.isTraced = isTraced
        self.location = location
        self.author = author
        self.replicas = replicas
        self.isExhaustive = isExhaustive
    }

    /// Takes in records from a node (ourselves, perhaps). Expired ones are not taken, and none that is far
    /// ahead of our clock: whoever answers with such a one would own the key.
    mutating func take(_ records: [Record], from identity: Identity, unixMilliseconds now: UInt64) {
        for record in records where record.expiry > now {
            if record.revision.isFarAhead(of: now) {
                if ahead.map({ record.supersedes($0) }) ?? true { ahead = record }
                continue
            }
            guard let index = best.firstIndex(where: { $0.record.author == record.author }) else {
                best.append(Best(record: record, holders: [identity]))
                continue
            }
            if record == best[index].record {
                if !best[index].holders.contains(identity) { best[index].holders.append(identity) }
            } else if record.supersedes(best[index].record) {
                best[index] = Best(record: record, holders: [identity])
            }
        }
    }

    /// A node is asked from the first page on: once more, perhaps, since a later page did not come.
    mutating func asks(_ identity: Identity) { told[identity] = nil }

    /// After an answer of these records out of `total`: where to ask on, or `nil` if that node has told
    /// enough. `struckOut` records of the answer were not fit to be shown; they count for the place of the
    /// next.
    mutating func nextPage(
        after records: [Record],
        struckOut: Int = 0,
        of total: Int,
        from identity: Identity,
        unixMilliseconds now: UInt64
    ) -> UInt16? {
        guard !records.isEmpty || struckOut > 0 else { return nil }
        var told = told[identity] ?? Told()
        defer { self.told[identity] = told }
        let isNews = records.contains { !told.authors.contains($0.author) }
        let hasChanged = told.total.map { $0 != total } ?? false
        told.total = total
        told.records += records.count + struckOut
        told.struckOut += struckOut
        told.barrenPages += isNews ? 0 : 1
        told.authors.formUnion(records.map(\.author))
        told.isBearing = told.isBearing || records.contains { !$0.revision.isFarAhead(of: now) }
        // A record that is over by our clock is no value to us, though it is to a replica whose clock is
        // behind. Records ahead of our clock may stand before those that are not.
        let values = records.filter { isValue($0, unixMilliseconds: now) && stands($0.author, now) }
        told.sufficed = told.records < total ? Set(values.map(\.author)) : []
        guard isExhaustive || values.isEmpty, told.barrenPages < Self.barrenPageLimit else { return nil }
        if told.records >= total {
            // One record an author, newest first: whoever wrote while we read moved the others' places.
            guard hasChanged || told.authors.count + told.struckOut < total else { return nil }
            told.barrenPages += 1
            (told.records, told.struckOut) = (0, 0)
        }
        return UInt16(exactly: told.records)
    }

    /// Replicas whose answers were enough because of values that turned out to be none: other nodes know that
    /// their authors deleted them since, or wrote records ahead of our clock. The records behind such values
    /// count, so these replicas are to be asked on from `page`.
    mutating func insufficient(unixMilliseconds now: UInt64) -> [(identity: Identity, page: UInt16)] {
        var insufficient: [(identity: Identity, page: UInt16)] = []
        for (identity, told) in told.sorted(by: { $0.key < $1.key })
        where !told.sufficed.isEmpty && !told.sufficed.contains(where: { stands($0, now) }) {
            self.told[identity]?.sufficed = []
            guard let page = UInt16(exactly: told.records) else { continue }
            insufficient.append((identity, page))
        }
        return insufficient
    }

    private func isValue(_ record: Record, unixMilliseconds now: UInt64) -> Bool {
        !record.isTombstone && record.expiry > now && Precedence(record, unixMilliseconds: now).isTimely
    }

    /// Whether the newest record we know of that author is a value that counts.
    private func stands(_ author: Identity, _ now: UInt64) -> Bool {
        best.first { $0.record.author == author }.map { isValue($0.record, unixMilliseconds: now) } ?? true
    }

    /// Whether the node brought any record that is to be seen.
    func isBearing(_ identity: Identity) -> Bool { told[identity]?.isBearing ?? false }

    /// Authors whose records one read repairs.
    static let repairLimit = 16

    /// The copies that read repair gives: the newest live record of all, or of every author if all were asked
    /// for, with each contact among `answered` that does not have it.
    func repairs(
        among answered: [Contact],
        unixMilliseconds now: UInt64
    ) -> [(Record, Contact)] {
        let newest = newestFirst(unixMilliseconds: now)
        return newest.prefix(isExhaustive ? Self.repairLimit : 1).flatMap { best in
            answered.filter { !best.holders.contains($0.identity) }.map { (best.record, $0) }
        }
    }

    /// One record an author, newest first as our clock has it.
    func found(unixMilliseconds now: UInt64) -> [GetOutcome.Found] {
        newestFirst(unixMilliseconds: now).map {
            GetOutcome.Found(record: $0.record, copies: $0.holders.count)
        }
    }

    private func newestFirst(unixMilliseconds now: UInt64) -> [Best] {
        best.sorted {
            Precedence($0.record, unixMilliseconds: now) > Precedence($1.record, unixMilliseconds: now)
        }
    }
}
