/// A change to what is kept, for the store to make durable.
package enum RecordChange: Hashable, Sendable {
    /// Keep the record, in place of any other of its author at its location.
    case put(Record)
    /// Keep nothing of the author there.
    case remove(location: NodeID, author: Identity)
}

/// What the core knows of every record in the store without reading it: enough to decide on each offer at
/// once.
///
/// The store holds bytes; what to keep is decided here. `docs/protocol.md`, section 8.
package struct Catalog: Sendable {
    /// How far ahead of our clock a revision may be.
    package static let clockTolerance: UInt64 = 300_000

    /// Bounds on what is kept, in records and bytes.
    package struct Quota: Sendable {
        package var records = 1_000_000
        package var bytes = 512 << 20
        package var recordsByAuthor = 100_000
        package var bytesByAuthor = 64 << 20

        package init() {}
    }

    /// What is remembered of one record.
    package struct Entry: Hashable, Sendable {
        package let author: Identity
        package let revision: Revision
        package let digest: Digest
        /// Unix milliseconds.
        package let expiry: UInt64
        package let isTombstone: Bool
        package let byteCount: Int

        package init(_ record: Record) {
            author = record.author
            revision = record.revision
            digest = record.digest
            expiry = record.expiry
            isTombstone = record.isTombstone
            byteCount = record.bytes.count
        }

        /// What a store remembers beside the bytes, so that at start it need not read them.
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
    }

    /// What becomes of a record that is offered.
    package enum Decision: Hashable, Sendable {
        /// Keep it.
        case keep
        /// These very bytes are kept already.
        case same
        /// A record of this author stands in the way, or (`nil`) the condition names one that is not there.
        case conflict(author: Identity?)
        case refuse(Response.Refusal)
    }

    private struct Usage {
        var records = 0
        var bytes = 0
    }

    private let quota: Quota
    private var entries: [NodeID: [Entry]] = [:]
    private var usage: [Identity: Usage] = [:]
    /// No entry expires before this; 0 when unknown.
    private var earliestExpiry: UInt64 = .max
    package private(set) var count = 0
    package private(set) var byteCount = 0
    /// Records of one author and revision with different bytes.
    package private(set) var equivocations: UInt64 = 0

    package init(quota: Quota = Quota()) { self.quota = quota }

    // MARK: Events

    /// Decides on an offer, and enters it if it is to be kept. `displaced` is what ``revert(_:to:)`` needs
    /// should the store fail.
    package mutating func offer(
        _ record: Record,
        condition: Request.Condition?,
        unixMilliseconds now: UInt64
    ) -> (decision: Decision, displaced: Entry?) {
        if record.revision.unixMilliseconds > now + Self.clockTolerance {
            return (.refuse(.clock(unixMilliseconds: now)), nil)
        }
        if record.expiry <= now { return (.refuse(.expired), nil) }
        let old = entry(at: record.location, by: record.author)
        if let old, old.digest == record.digest { return (.same, nil) }
        if let condition, let standing = standing(at: record.location, against: condition, now: now) {
            return (standing, nil)
        }
        if let old {
            if old.revision == record.revision { equivocations += 1 }
            // An expired one still stands in the way of older ones, for as long as it is remembered.
            guard (record.revision, record.digest) > (old.revision, old.digest) else {
                return (.conflict(author: old.author), nil)
            }
        }
        guard hasRoom(for: record, displacing: old) else { return (.refuse(.quota), nil) }
        enter(record)
        return (.keep, old)
    }

    /// Enters a record that the store already holds: at start.
    package mutating func enter(_ record: Record) { enter(Entry(record), at: record.location) }

    /// Enters what is known of a record that the store already holds: at start.
    package mutating func enter(_ new: Entry, at location: NodeID) {
        remove(at: location, by: new.author)
        var list = entries[location] ?? []
        let place = list.firstIndex { $0.author > new.author } ?? list.endIndex
        list.insert(new, at: place)
        entries[location] = list
        count(new, by: 1)
        earliestExpiry = min(earliestExpiry, new.expiry)
    }

    /// The store failed to keep `record`: what it displaced stands again, unless something newer came since.
    package mutating func revert(_ record: Record, to displaced: Entry?) {
        guard let current = entry(at: record.location, by: record.author), current.digest == record.digest
        else {
            return
        }
        remove(at: record.location, by: record.author)
        guard let displaced else { return }
        var list = entries[record.location] ?? []
        let place = list.firstIndex { $0.author > displaced.author } ?? list.endIndex
        list.insert(displaced, at: place)
        entries[record.location] = list
        count(displaced, by: 1)
        earliestExpiry = min(earliestExpiry, displaced.expiry)
    }

    /// Forgets all that has expired, and says what the store may forget, in a fixed order.
    package mutating func sweep(unixMilliseconds now: UInt64) -> [RecordChange] {
        guard earliestExpiry <= now else { return [] }
        earliestExpiry = .max
        var changes: [RecordChange] = []
        for location in entries.keys.sorted() {
            for entry in entries[location] ?? [] {
                if entry.expiry <= now {
                    remove(at: location, by: entry.author)
                    changes.append(.remove(location: location, author: entry.author))
                } else {
                    earliestExpiry = min(earliestExpiry, entry.expiry)
                }
            }
        }
        return changes
    }

    @discardableResult
    package mutating func remove(at location: NodeID, by author: Identity) -> Entry? {
        guard var list = entries[location], let place = list.firstIndex(where: { $0.author == author }) else {
            return nil
        }
        let removed = list.remove(at: place)
        entries[location] = list.isEmpty ? nil : list
        count(removed, by: -1)
        return removed
    }

    // MARK: Queries

    package func entry(at location: NodeID, by author: Identity) -> Entry? {
        entries[location]?.first { $0.author == author }
    }

    /// Live entries at a location, by author.
    package func entries(at location: NodeID, unixMilliseconds now: UInt64) -> [Entry] {
        (entries[location] ?? []).filter { $0.expiry > now }
    }

    /// All places with something kept, in the order of the key space.
    package var locations: [NodeID] { entries.keys.sorted() }

    // MARK: Private

    /// The decision if the condition does not hold.
    private func standing(at location: NodeID, against condition: Request.Condition, now: UInt64) -> Decision?
    {
        let newest = entries(at: location, unixMilliseconds: now)
            .max { ($0.revision, $0.author) < ($1.revision, $1.author) }
        switch condition {
        case .absent:
            let value = entries(at: location, unixMilliseconds: now)
                .filter { !$0.isTombstone }
                .max { ($0.revision, $0.author) < ($1.revision, $1.author) }
            return value.map { .conflict(author: $0.author) }
        case .revision(let expected):
            return newest?.revision == expected ? nil : .conflict(author: newest?.author)
        }
    }

    private func hasRoom(for record: Record, displacing old: Entry?) -> Bool {
        let own = usage[record.author] ?? Usage()
        let moreRecords = old == nil ? 1 : 0
        let moreBytes = record.bytes.count - (old?.byteCount ?? 0)
        return count + moreRecords <= quota.records && byteCount + moreBytes <= quota.bytes
            && own.records + moreRecords <= quota.recordsByAuthor
            && own.bytes + moreBytes <= quota.bytesByAuthor
    }

    private mutating func count(_ entry: Entry, by sign: Int) {
        count += sign
        byteCount += sign * entry.byteCount
        usage[entry.author, default: Usage()].records += sign
        usage[entry.author, default: Usage()].bytes += sign * entry.byteCount
        if usage[entry.author]?.records == 0 { usage[entry.author] = nil }
    }
}
