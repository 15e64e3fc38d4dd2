/// The records that the answers to one read brought, and who has which.
struct GetOperation: Sendable {
    let location: NodeID
    let author: Identity?
    let replicas: Int
    /// Every author's record is wanted, not only the newest value.
    let isExhaustive: Bool

    private struct Best: Sendable {
        var record: Record
        var holders: [Identity]
    }

    private var best: [Best] = []  // by author
    /// What a replica told so far: how many records, where its next page begins, and by whom they were.
    private var told: [Identity: (records: Int, authors: Set<Identity>)] = [:]

    init(location: NodeID, author: Identity?, replicas: Int, isExhaustive: Bool) {
        self.location = location
        self.author = author
        self.replicas = replicas
        self.isExhaustive = isExhaustive
    }

    /// Takes in records from a node (ourselves, perhaps). Expired ones are not taken.
    mutating func take(_ records: [Record], from identity: Identity, unixMilliseconds now: UInt64) {
        for record in records where record.expiry > now {
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

    /// After an answer of these records out of `total`: where to ask on, or `nil` if that node has told
    /// enough.
    mutating func nextPage(after records: [Record], of total: Int, from identity: Identity) -> UInt16? {
        guard !records.isEmpty else { return nil }
        var (count, authors) = told[identity] ?? (0, [])
        // One record an author: who tells of no new one would go on for ever.
        let isNews = records.contains { !authors.contains($0.author) }
        count += records.count
        authors.formUnion(records.map(\.author))
        told[identity] = (count, authors)
        let hasValue = records.contains { !$0.isTombstone }
        guard isNews, count < total, isExhaustive || !hasValue else { return nil }
        return UInt16(exactly: count)
    }

    /// Whether the node brought any record.
    func isBearing(_ identity: Identity) -> Bool { told[identity] != nil }

    /// The newest live record of all, and those among `answered` that do not have it: what read repair needs.
    func repairs(among answered: [Contact]) -> [(Record, Contact)] {
        guard let newest = best.max(by: { $1.record.isNewer(than: $0.record) }) else { return [] }
        return answered.filter { !newest.holders.contains($0.identity) }.map { (newest.record, $0) }
    }

    /// One record an author, newest first.
    var found: [GetOutcome.Found] {
        best.sorted { $0.record.isNewer(than: $1.record) }
            .map { GetOutcome.Found(record: $0.record, copies: $0.holders.count) }
    }
}
