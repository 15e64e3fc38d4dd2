/// A change to what is kept, for the store to make durable.
package enum RecordChange: Hashable, Sendable {
    /// Keep the record, in place of any other of its author at its location.
    case put(Record)
    /// Keep no record of the author at that location.
    case remove(location: NodeID, author: Identity)
    /// Keep the outline of content: with it the content is known, and has no pieces yet.
    case beginContent(ContentReference, outline: [UInt8])
    /// Keep a piece of content that is known.
    case putPiece([UInt8], index: Int, of: Digest)
    /// Keep nothing of that content.
    case removeContent(Digest)
}

/// The metadata of every record in the store: enough to decide on each offer at once, without reading the
/// record.
///
/// The store holds bytes; what to keep is decided here. `docs/protocol.md`, section 8.
package struct Catalog: Sendable {

    /// Bounds on what is kept, in records and bytes.
    package struct Quota: Sendable {
        package var records = 1_000_000
        package var bytes = 512 << 20
        package var recordsByAuthor = 100_000
        package var bytesByAuthor = 64 << 20

        package init() {}
    }

    /// The metadata that the catalog keeps of one record.
    package struct Entry: Hashable, Sendable {
        package let author: Identity
        package let revision: Revision
        package let digest: Digest
        /// Unix milliseconds.
        package let expiry: UInt64
        package let isTombstone: Bool
        /// Bytes of the record, and of the content that it refers to.
        package let byteCount: Int
        /// Second, of the monotonic clock, of the last STORE here, or of the last time the K closest were
        /// offered the record; 0: before the node started.
        package internal(set) var offeredAt: UInt32 = 0
        package internal(set) var replicationState = ReplicationState.replicated

        package init(_ record: Record) {
            author = record.author
            revision = record.revision
            digest = record.digest
            expiry = record.expiry
            isTombstone = record.isTombstone
            byteCount = record.weight
        }

        /// The metadata that a store keeps beside a record's bytes, so that at start it need not read the
        /// bytes.
        package init(
            author: Identity,
            revision: Revision,
            digest: Digest,
            expiry: UInt64,
            isTombstone: Bool,
            byteCount: Int
        ) {
            (self.author, self.revision, self.digest) = (author, revision, digest)
            (self.expiry, self.isTombstone, self.byteCount) = (expiry, isTombstone, byteCount)
        }

        /// As of a ``Record``.
        func isLive(at now: UInt64) -> Bool { expiry > now && !revision.isFarAhead(of: now) }
    }

    /// The state of a record's other copies, as far as this node knows.
    package enum ReplicationState: UInt8, Hashable, Sendable {
        /// The other replicas have the record, as far as we know.
        case replicated
        /// All peers we could reach took the record from us, and they are fewer than there ought to be.
        /// Nobody but us knows which peers were not reached.
        case allReachable
        /// A peer that ought to have the record did not take it.
        case underReplicated
        /// The peer that gave us the record reaches one address family only, as far as we know: nodes of the
        /// other family lack the record, unless a peer that reaches both gives it to them.
        case inOneFamily
        /// We are not among the closest, and all of these have the record: our copy is one too many.
        case surplus

        /// Whether the record is to be given to some peer soon.
        var isUnderReplicated: Bool { self == .underReplicated || self == .inOneFamily }
    }

    /// The decision on a record that is offered.
    package enum Decision: Hashable, Sendable {
        /// Keep the record.
        case keep
        /// These very bytes are kept already.
        case same
        /// A record of this author stands in the way, or (`nil`) the condition names a record that is not
        /// there.
        case conflict(author: Identity?)
        case refuse(Response.Refusal)
    }

    /// The decision on an offer, and the entries that go for it: ``revert(_:to:evicted:)`` needs them, should
    /// the store fail.
    package struct Judgement {
        package var decision: Decision
        /// The entry whose place the record takes; `nil`: none.
        var displaced: Entry?
        /// The entries that have to go for want of room.
        var evicted: [Located] = []
        /// The author signed another record with the same revision.
        var isEquivocation = false
    }

    struct Usage {
        var records = 0
        var bytes = 0
    }

    typealias Located = CatalogIndex.Located

    /// The rule by which room is made for a record: the farthest entries go first, except those we are to
    /// keep.
    struct Eviction {
        let own: NodeID
        /// Whether we are among the nodes that are to keep the records at a location.
        let isOurs: (NodeID) -> Bool

        /// Entries looked at, and thrown out, for one record. A record of the greatest length takes the room
        /// of many short ones.
        static let candidates = 64
        static let victims = 16
    }

    package let quota: Quota
    private(set) var index = CatalogIndex()
    private(set) var usage: [Identity: Usage] = [:]
    /// Authors of records here who may not write any more.
    var muted = Muted()
    package private(set) var byteCount = 0
    /// Entries that are under-replicated.
    package private(set) var underReplicated = 0
    /// Records of one author and revision with different bytes.
    package private(set) var equivocations: UInt64 = 0
    /// Records thrown out to make room for nearer ones.
    package internal(set) var evictions: UInt64 = 0
    /// Records that the store turned out not to have any more.
    package private(set) var losses: UInt64 = 0

    package init(quota: Quota = Quota()) { self.quota = quota }

    // MARK: Events

    /// Does as was decided, just now, on an offer of this record.
    mutating func commit(_ record: Record, _ judgement: Judgement) {
        if judgement.isEquivocation { equivocations += 1 }
        guard judgement.decision == .keep else { return }
        for located in judgement.evicted { remove(at: located.location, by: located.entry.author) }
        evictions += UInt64(judgement.evicted.count)
        dropMutedPlaces()
        enter(record)
    }

    /// Enters a record that the store already holds: at start.
    package mutating func enter(_ record: Record) {
        enter(Located(location: record.location, entry: Entry(record)))
    }

    /// Enters what is known of a record that the store already holds: at start.
    package mutating func enter(_ entry: Entry, at location: NodeID) {
        enter(Located(location: location, entry: entry))
    }

    private mutating func enter(_ new: Located) {
        if let old = index.insert(new) { count(old, by: -1) }
        count(new.entry, by: 1)
    }

    /// The store failed to keep `record`: what it displaced stands again, unless something newer came since,
    /// and so does what was thrown out for it.
    mutating func revert(_ record: Record, to displaced: Entry?, evicted: [Located] = []) {
        for located in evicted where index[located.id] == nil { enter(located) }
        guard entry(at: record.location, by: record.author)?.digest == record.digest else { return }
        remove(at: record.location, by: record.author)
        if let displaced { enter(Located(location: record.location, entry: displaced)) }
    }

    @discardableResult
    package mutating func remove(at location: NodeID, by author: Identity) -> Entry? {
        guard let removed = index.remove(RecordID(location: location, author: author)) else { return nil }
        count(removed, by: -1)
        return removed
    }

    /// The store does not have the record entered at `place`, unless another has replaced that since.
    mutating func strikeOut(_ digest: Digest, at place: RecordID) {
        guard index[place]?.digest == digest else { return }
        remove(at: place.location, by: place.author)
        losses += 1
    }

    /// Enters what became known of a record's copies, and when; unless another has replaced the record since.
    mutating func record(
        _ replicationState: ReplicationState,
        of digest: Digest,
        at place: RecordID,
        second: UInt32
    ) {
        guard let old = index[place], old.digest == digest else { return }
        underReplicated +=
            (replicationState.isUnderReplicated ? 1 : 0) - (old.replicationState.isUnderReplicated ? 1 : 0)
        index.change(place) { ($0.replicationState, $0.offeredAt) = (replicationState, second) }
    }

    // MARK: Queries

    package var count: Int { index.count }

    /// The authors whose records are here.
    var authors: some Sequence<Identity> { usage.keys }

    package func entry(at location: NodeID, by author: Identity) -> Entry? {
        index[RecordID(location: location, author: author)]
    }

    /// Live entries at a location, by author; of those who may write.
    package func entries(at location: NodeID, unixMilliseconds now: UInt64) -> [Entry] {
        index.entries(at: location).filter { $0.isLive(at: now) && !muted.contains($0.author) }
    }

    /// Some of the entries after `place` (`nil`: from the first on), in the order of the key space: none at
    /// the end only.
    func slice(after place: RecordID?) -> ArraySlice<Located> { index.run(after: place) }

    /// Records around a place, nearest first; of those who may write.
    func nearest(to place: NodeID, count: Int) -> [Located] {
        index.farthest(from: place.opposite, limit: count).filter { !muted.contains($0.entry.author) }
    }

    /// The places of records around a place, nearest first; one that several authors have, as often.
    package func places(nearestTo place: NodeID, count: Int) -> [NodeID] {
        nearest(to: place, count: count).map(\.location)
    }

    /// Decides on an offer. `sender`: the peer whose session brought it. Without `eviction` no entry is
    /// thrown out.
    func decide(
        on record: Record,
        condition: Request.Condition?,
        unixMilliseconds now: UInt64,
        from sender: Identity? = nil,
        eviction: Eviction? = nil
    ) -> Judgement {
        let old = entry(at: record.location, by: record.author)
        if record.revision.isFarAhead(of: now) {
            return Judgement(decision: .refuse(.clock(unixMilliseconds: now)))
        }
        if record.expiry <= now { return Judgement(decision: .refuse(.expired)) }
        if let old, old.digest == record.digest { return Judgement(decision: .same) }
        if let condition, let obstacle = obstacle(at: record.location, against: condition, now: now) {
            return Judgement(decision: obstacle)
        }
        let isEquivocation = old?.revision == record.revision
        // An expired one still stands in the way of older ones, for as long as it is remembered. One that is
        // ahead of our clock was signed under a wrong one: its author, nobody else, may go back behind it, on
        // purpose: a copy that it kept and hands on comes without a condition.
        if let old, (record.revision, record.digest) <= (old.revision, old.digest),
            sender != record.author || condition == nil || !old.revision.isFarAhead(of: now)
        {
            return Judgement(decision: .conflict(author: old.author), isEquivocation: isEquivocation)
        }
        guard isWithinAuthorsQuota(record, displacing: old),
            let evicted = room(for: record, displacing: old, eviction, now: now)
        else { return Judgement(decision: .refuse(.quota), isEquivocation: isEquivocation) }
        return Judgement(
            decision: .keep,
            displaced: old,
            evicted: evicted,
            isEquivocation: isEquivocation
        )
    }

    // MARK: Private

    /// The decision if the condition does not hold.
    private func obstacle(at location: NodeID, against condition: Request.Condition, now: UInt64) -> Decision?
    {
        let entries = entries(at: location, unixMilliseconds: now)
        func precedence(_ entry: Entry) -> Precedence {
            Precedence(entry.revision, by: entry.author, unixMilliseconds: now)
        }
        switch condition {
        case .anything: return nil
        case .absent:
            let values = entries.filter { !$0.isTombstone }
            let newest = values.max { precedence($0) < precedence($1) }
            return newest.map { .conflict(author: $0.author) }
        case .revision(let expected):
            let newest = entries.max { precedence($0) < precedence($1) }
            return newest?.revision == expected ? nil : .conflict(author: newest?.author)
        }
    }

    private func isWithinAuthorsQuota(_ record: Record, displacing old: Entry?) -> Bool {
        let own = usage[record.author] ?? Usage()
        return own.records + (old == nil ? 1 : 0) <= quota.recordsByAuthor
            && own.bytes + record.weight - (old?.byteCount ?? 0) <= quota.bytesByAuthor
    }

    /// The entries that have to go for the record; `nil` if there is no room to be made.
    private func room(
        for record: Record,
        displacing old: Entry?,
        _ eviction: Eviction?,
        now: UInt64
    ) -> [Located]? {
        let records = count + (old == nil ? 1 : 0) - quota.records
        let bytes = byteCount + record.weight - (old?.byteCount ?? 0) - quota.bytes
        if records <= 0, bytes <= 0 { return [] }
        guard let eviction else { return nil }
        if let silent = mutedVictims(records: records, bytes: bytes) { return silent }
        // Mostly the very farthest will do, and it is found in a twentieth of the time.
        for limit in [Eviction.victims / 8, Eviction.candidates] {
            let found = victims(among: limit, for: record, records: records, bytes: bytes, eviction, now: now)
            if let found { return found }
        }
        return nil
    }

    /// Forgets where records of authors who may not write were.
    private mutating func dropMutedPlaces() {
        while let last = muted.places.last, !muted.contains(last.author) || index[last] == nil {
            muted.dropLastPlace()
        }
    }

    /// Records of authors who may not write, if those make enough room.
    private func mutedVictims(records: Int, bytes: Int) -> [Located]? {
        var (records, bytes) = (records, bytes)
        var victims: [Located] = []
        var seen: Set<RecordID> = []
        for place in muted.places.reversed() {
            guard records > 0 || bytes > 0, victims.count < Eviction.victims else { break }
            guard muted.contains(place.author), let entry = index[place], seen.insert(place).inserted else {
                continue
            }
            victims.append(Located(location: place.location, entry: entry))
            records -= 1
            bytes -= entry.byteCount
        }
        return records <= 0 && bytes <= 0 ? victims : nil
    }

    /// Of the farthest entries those that have to go so that so many records and bytes are free.
    private func victims(
        among limit: Int,
        for record: Record,
        records: Int,
        bytes: Int,
        _ eviction: Eviction,
        now: UInt64
    ) -> [Located]? {
        let distance = record.location.distance(to: eviction.own)
        var (records, bytes) = (records, bytes)
        var victims: [Located] = []
        for candidate in index.farthest(from: eviction.own, limit: limit) {
            if records <= 0, bytes <= 0 { break }
            guard candidate.location.distance(to: eviction.own) > distance else { break }
            guard candidate.entry.expiry <= now || !eviction.isOurs(candidate.location) else { continue }
            guard victims.count < Eviction.victims else { return nil }
            victims.append(candidate)
            records -= 1
            bytes -= candidate.entry.byteCount
        }
        return records <= 0 && bytes <= 0 ? victims : nil
    }

    private mutating func count(_ entry: Entry, by sign: Int) {
        byteCount += sign * entry.byteCount
        underReplicated += entry.replicationState.isUnderReplicated ? sign : 0
        usage[entry.author, default: Usage()].records += sign
        usage[entry.author, default: Usage()].bytes += sign * entry.byteCount
        if usage[entry.author]?.records == 0 { usage[entry.author] = nil }
    }
}

extension Record {
    /// Bytes by which a record counts against quotas: its own, and those of the content it refers to, even if
    /// others refer to that as well.
    var weight: Int { bytes.count + Int(reference?.length ?? 0) }
}
