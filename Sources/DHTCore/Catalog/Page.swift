/// The records that one answer to a read may bring: chosen by what the catalog knows of them, so that only
/// they are read from the store. Under one key there may be as many authors as there are members, or more.
struct Page: Hashable, Sendable {
    /// Bytes of records in an answer: no datagram carries more.
    static let room = 1012
    /// Records in an answer.
    static let recordLimit = room / leastLength
    private static let leastLength = RecordLayout.keyOffset + 1 + fixedLength
    private static let fixedLength = RecordLayout.valueOffsetPastKey + RecordLayout.signatureLength

    /// The authors of the page's records, the newest record first.
    let authors: [Identity]

    /// As many of the entries, newest first and behind the first `offset`, as an answer may have room for.
    init(of entries: [Catalog.Entry], from offset: Int) {
        let newest = Self.newest(offset + Self.recordLimit, of: entries)
        var (authors, length): ([Identity], Int) = ([], 0)
        for entry in newest.dropFirst(offset) {
            length += Self.leastLength(of: entry)
            if length > Self.room, !authors.isEmpty { break }
            authors.append(entry.author)
        }
        self.authors = authors
    }

    /// No more than the record's length: what an entry counts includes the content that it refers to.
    private static func leastLength(of entry: Catalog.Entry) -> Int {
        guard entry.byteCount > RecordLayout.maximumLength else { return entry.byteCount }
        return leastLength + ContentLayout.referenceLength
    }

    /// The newest entries, newest first.
    private static func newest(_ limit: Int, of entries: [Catalog.Entry]) -> ArraySlice<Catalog.Entry> {
        // To look at each once is cheaper than to sort them all, as long as few are wanted.
        guard limit < entries.count, limit <= 8 * recordLimit else {
            return entries.sorted { $0.isNewer(than: $1) }.prefix(limit)
        }
        var newest: [Catalog.Entry] = []
        newest.reserveCapacity(limit + 1)
        for entry in entries {
            if newest.count == limit {
                guard entry.isNewer(than: newest[limit - 1]) else { continue }
                newest.removeLast()
            }
            let place = newest.firstIndex { entry.isNewer(than: $0) } ?? newest.endIndex
            newest.insert(entry, at: place)
        }
        return newest[...]
    }
}

extension Catalog.Entry {
    /// As replicas show records of several authors.
    fileprivate func isNewer(than other: Catalog.Entry) -> Bool {
        (revision, author) > (other.revision, other.author)
    }
}

extension Catalog {
    /// Live entries at a location, of one author or of all. An author who asks for its own, `reader`, is
    /// shown what is far ahead of the clock as well.
    func entries(
        at location: NodeID,
        by author: Identity?,
        for reader: Identity? = nil,
        unixMilliseconds now: UInt64
    ) -> [Entry] {
        guard let author else { return entries(at: location, unixMilliseconds: now) }
        guard let entry = entry(at: location, by: author), !muted.contains(author) else { return [] }
        return entry.isLive(at: now) || reader == author && entry.expiry > now ? [entry] : []
    }

    /// Whose records a reader here looks at in our own store: all, or the first `limit` in its order. The
    /// first value alone would not do: what its author wrote since may be ahead of the reader's clock, and
    /// then what others wrote before counts.
    func authorsToRead(
        at location: NodeID,
        by author: Identity?,
        for reader: Identity,
        isExhaustive: Bool,
        limit: Int,
        unixMilliseconds now: UInt64
    ) -> [Identity] {
        let entries = entries(at: location, by: author, for: reader, unixMilliseconds: now)
        if isExhaustive || entries.count <= 1 { return entries.map(\.author) }
        var ranked = entries.map { entry in
            (Precedence(entry.revision, by: entry.author, unixMilliseconds: now), entry)
        }
        ranked.sort { $0.0 > $1.0 }
        return ranked.prefix(limit).map(\.1.author)
    }
}
