/// The contacts that share a given number of leading bits with us. (Kademlia, sections 2.2 and 2.4.)
///
/// Old contacts are the ones likeliest to stay, so a full bucket keeps them: a newcomer takes the place of a
/// bad contact only, or waits in a small cache.
package struct KBucket: Sendable {
    /// A contact and what its answers tell of it.
    package struct Entry: Hashable, Sendable {
        package internal(set) var contact: Contact
        package internal(set) var lastAnswered: Instant
        package internal(set) var reachability: Reachability
        /// When the contact last answered a request that told it who we are and where.
        package internal(set) var lastTold: Instant

        package init(_ contact: Contact, at now: Instant) {
            self.contact = contact
            lastAnswered = now
            lastTold = now
            reachability = Reachability(answeredAt: now, draw: Self.draw(for: contact, at: now))
        }

        /// Whether the contact was given up.
        var isBad: Bool { reachability.grade == .bad }

        mutating func answered(from endpoint: Endpoint, at now: Instant) {
            contact.answered(from: endpoint, isInUse: reachability.grade == .good)
            lastAnswered = now
            heard(at: now)
        }

        mutating func heard(at now: Instant) {
            reachability.answered(at: now, draw: Self.draw(for: contact, at: now))
        }

        /// A number that differs from contact to contact and from time to time (Knuth's multiplicative hash).
        private static func draw(for contact: Contact, at now: Instant) -> UInt64 {
            let mixed = contact.id.high ^ contact.id.middle ^ now.nanoseconds
            return mixed &* 0x9E37_79B9_7F4A_7C15 >> 20
        }
    }

    /// Newcomers kept for when a place falls free.
    static let replacementCapacity = 8

    let capacity: Int
    /// The bucket's contacts, the one that entered first in front.
    private(set) var entries: [Entry] = []
    /// Their ids, in the same order, which are looked through instead: an entry is eight times as long.
    private(set) var ids: [NodeID] = []
    /// How many of them are bad.
    private var badCount = 0
    /// Contacts that answered but found the bucket full, the one that answered last at the end. None while a
    /// place is free or a contact bad.
    private(set) var replacements: [Entry] = []
    /// Whether the bucket was ever too small for all who answered.
    private var hasOverflowed = false
    /// When a lookup last went through this part of the key space; `nil` if never.
    var refreshedAt: Instant?

    init(capacity: Int) {
        precondition(capacity > 0, "a bucket of capacity \(capacity) holds nobody")
        self.capacity = capacity
    }

    /// A bucket of contacts that answered before. Copies of it share their memory until they change.
    /// `isComplete`: there was never anybody else in that part of the key space.
    package init(capacity: Int, _ entries: [Entry], isComplete: Bool) {
        self.init(capacity: capacity)
        precondition(entries.count <= capacity, "\(entries.count) contacts in a bucket of \(capacity)")
        self.entries = entries
        ids = entries.map(\.contact.id)
        badCount = entries.count { $0.isBad }
        hasOverflowed = !isComplete
    }

    /// The contact with this id.
    subscript(id: NodeID) -> Entry? { index(of: id).map { entries[$0] } }

    private func index(of id: NodeID) -> Int? { ids.firstIndex(of: id) }

    private func index(of identity: Identity, id: NodeID) -> Int? {
        index(of: id).flatMap { entries[$0].contact.identity == identity ? $0 : nil }
    }

    private mutating func append(_ entry: Entry) {
        entries.append(entry)
        ids.append(entry.contact.id)
        if entry.isBad { badCount += 1 }
    }

    @discardableResult
    private mutating func remove(at index: Int) -> Contact {
        ids.remove(at: index)
        let entry = entries.remove(at: index)
        if entry.isBad { badCount -= 1 }
        return entry.contact
    }

    private mutating func change(at index: Int, _ change: (inout Entry) -> Void) {
        if entries[index].isBad { badCount -= 1 }
        change(&entries[index])
        if entries[index].isBad { badCount += 1 }
    }

    /// Whether a newcomer would enter without displacing a live contact.
    var hasRoom: Bool { entries.count < capacity || badCount > 0 }

    /// Whether everybody met who belongs here is here. A full bucket does not claim it: newcomers are turned
    /// away before they are even asked, see ``hasRoom``.
    var isComplete: Bool { !hasOverflowed && entries.count < capacity }

    /// The contact, which belongs in this bucket, answered a request of ours.
    mutating func answered(_ contact: Contact, at now: Instant) -> RoutingTable.Admission {
        if let index = index(of: contact.id) {
            let known = entries[index].contact
            guard known.identity == contact.identity else { return .refused }
            change(at: index) { $0.answered(from: contact.endpoint, at: now) }
            return known.isAt(contact.endpoint) ? .refreshed : .moved(from: known.endpoint)
        }
        guard entries.count == capacity else {
            append(Entry(contact, at: now))
            return .inserted
        }
        hasOverflowed = true
        guard let index = longestBad else { return cache(contact, at: now) }
        let evicted = remove(at: index)
        append(Entry(contact, at: now))
        return .replaced(evicted: evicted)
    }

    /// A request to the contact ran out of transmissions; `nil` if it is not in the bucket.
    mutating func failed(_ identity: Identity, id: NodeID, at now: Instant) -> RoutingTable.Failure? {
        guard let index = index(of: identity, id: id) else {
            // One that cannot be counted on is no replacement.
            replacements.removeAll { $0.contact.identity == identity }
            return nil
        }
        change(at: index) { entry in
            entry.reachability.failed(at: now)
            entry.contact.turn()
        }
        guard entries[index].isBad else { return .questionable }
        guard let newest = replacements.popLast() else { return .bad }
        remove(at: index)
        append(newest)
        return .replaced(by: newest.contact)
    }

    /// A live request of the contact's came: as good a sign of life as an answer, if we counted on it where
    /// it is.
    mutating func heard(_ contact: Contact, at now: Instant) {
        guard let index = index(of: contact.identity, id: contact.id),
            entries[index].contact.isAt(contact.endpoint), entries[index].reachability.grade == .good
        else { return }
        change(at: index) { $0.heard(at: now) }
    }

    /// Notes something of the contact that changes nobody's place.
    mutating func update(of identity: Identity, id: NodeID, _ change: (inout Entry) -> Void) {
        guard let index = index(of: identity, id: id) else { return }
        self.change(at: index, change)
    }

    /// Forgets the contact; the newest replacement, which is returned, takes its place.
    @discardableResult
    mutating func remove(_ identity: Identity) -> Contact? {
        replacements.removeAll { $0.contact.identity == identity }
        guard let index = entries.firstIndex(where: { $0.contact.identity == identity }) else { return nil }
        remove(at: index)
        guard let newest = replacements.popLast() else { return nil }
        append(newest)
        return newest.contact
    }

    /// Forgets contacts; the newest replacements, which are returned, take their places.
    mutating func removeAll(where isGone: (Identity) -> Bool) -> [Contact] {
        replacements.removeAll { isGone($0.contact.identity) }
        let gone = entries.map(\.contact.identity).filter(isGone)
        return gone.compactMap { remove($0) }
    }

    /// Of the bad contacts the one quiet for longest, the older among equals.
    private var longestBad: Int? {
        guard badCount > 0 else { return nil }
        return entries.indices.filter { entries[$0].isBad }
            .min { entries[$0].lastAnswered < entries[$1].lastAnswered }
    }

    private mutating func cache(_ contact: Contact, at now: Instant) -> RoutingTable.Admission {
        var entry = Entry(contact, at: now)
        if let index = replacements.firstIndex(where: { $0.contact.id == contact.id }) {
            guard replacements[index].contact.identity == contact.identity else { return .refused }
            entry = replacements.remove(at: index)
            entry.answered(from: contact.endpoint, at: now)
        }
        if replacements.count == Self.replacementCapacity { replacements.removeFirst() }
        replacements.append(entry)
        return .cached
    }
}
