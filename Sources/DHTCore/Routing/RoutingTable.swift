/// The contacts we know, by how many leading bits their ids share with ours. (Kademlia, section 2.2.)
///
/// Nobody enters but by answering a request of ours, and no traffic evicts a contact that answers.
package struct RoutingTable: Sendable {
    package typealias Entry = KBucket.Entry

    /// The place in the table of a contact that answered.
    package enum Admission: Hashable, Sendable {
        case inserted
        case refreshed
        /// Known, and from now on reached at its new endpoint.
        case moved(from: Endpoint)
        /// The contact's bucket is full of contacts that live; it waits for a place.
        case cached
        /// The contact took the place of a bad one.
        case replaced(evicted: Contact)
        /// The contact has our own id, or the id of another identity that came first.
        case refused
    }

    /// The place in the table of a contact that failed to answer.
    package enum Failure: Hashable, Sendable {
        case questionable
        /// The contact stays, since none waits for its place, but is left out of
        /// ``closest(to:count:excluding:)``.
        case bad
        /// The contact is gone; this one has its place.
        case replaced(by: Contact)
    }

    /// Capacities of the buckets from the root on; those deeper hold ``Kademlia/replicas``. Big near the
    /// root, as libtorrent has them: there each known contact saves a round trip, and half of the network
    /// belongs in the first. Three times K beyond: those closest to us share few buckets, of
    /// which none may be too small to hold them all.
    package static let standardCapacities = [128, 64, 32] + [Int](repeating: 24, count: 37)

    let own: NodeID
    private let capacities: [Int]
    /// The address families we have sockets of. A contact without an address of any of them cannot be asked.
    var families = Endpoint.Families.all
    /// Address families of which any contact ever had an address.
    private(set) var knownFamilies: Endpoint.Families = []
    /// By shared leading bits, as deep as there was ever a contact or a refresh.
    private var buckets: [KBucket] = []

    package init(own: NodeID, capacities: [Int] = RoutingTable.standardCapacities) {
        (self.own, self.capacities) = (own, capacities)
    }

    /// A table of contacts that answered before: `buckets`, from the root on. All of it was refreshed just
    /// now.
    package init(own: NodeID, capacities: [Int], buckets: [KBucket], at now: Instant) {
        self.init(own: own, capacities: capacities)
        self.buckets = buckets
        for depth in buckets.indices {
            self.buckets[depth].refreshedAt = now
            for entry in buckets[depth].entries { knownFamilies.formUnion(entry.contact.families) }
        }
    }
}

// MARK: Events

extension RoutingTable {
    /// The contact answered a request of ours from `contact.endpoint`. The only way in.
    package mutating func answered(_ contact: Contact, at now: Instant) -> Admission {
        let index = bucket(of: contact.id)
        guard index < NodeID.bitCount else { return .refused }
        grow(to: index)
        knownFamilies.formUnion(.init(contact.endpoint.family))
        return buckets[index].answered(contact, at: now)
    }

    /// A request to the contact ran out of transmissions; `nil` if the table does not hold it.
    package mutating func failed(_ identity: Identity, id: NodeID, at now: Instant) -> Failure? {
        let index = bucket(of: id)
        guard index < buckets.count else { return nil }
        return buckets[index].failed(identity, id: id, at: now)
    }

    /// A live request of the contact's came, from where it said.
    package mutating func heard(_ contact: Contact, at now: Instant) {
        let index = bucket(of: contact.id)
        guard index < buckets.count else { return }
        buckets[index].heard(contact, at: now)
    }

    /// The contact answered a request that told it who we are and where.
    package mutating func told(_ identity: Identity, id: NodeID, at now: Instant) {
        update(of: identity, id: id) { $0.lastTold = now }
    }

    /// A probe of the contact is under way: ``contactsDue(at:)`` leaves it out until the probe must have
    /// ended.
    package mutating func probed(_ identity: Identity, id: NodeID, at now: Instant) {
        update(of: identity, id: id) { $0.reachability.probed(at: now) }
    }

    /// There is a reason to probe the contact no later than at `instant`.
    mutating func hastened(_ identity: Identity, id: NodeID, to instant: Instant) {
        update(of: identity, id: id) { $0.reachability.hastened(to: instant) }
    }

    /// There is no room for a probe of the contact before `instant`.
    mutating func postponed(_ identity: Identity, id: NodeID, until instant: Instant) {
        update(of: identity, id: id) { $0.reachability.postponed(until: instant) }
    }

    private mutating func update(of identity: Identity, id: NodeID, _ change: (inout Entry) -> Void) {
        let index = bucket(of: id)
        guard index < buckets.count else { return }
        buckets[index].update(of: identity, id: id, change)
    }

    /// Forgets a contact that is admitted no more, and returns the one that has its place now.
    @discardableResult
    package mutating func remove(_ identity: Identity, id: NodeID) -> Contact? {
        let index = bucket(of: id)
        guard index < buckets.count else { return nil }
        return buckets[index].remove(identity)
    }

    /// Forgets all those that are admitted no more, whether they have a place or wait for one, and returns
    /// those who have their places now.
    @discardableResult
    package mutating func removeAll(where isGone: (Identity) -> Bool) -> [Contact] {
        buckets.indices.flatMap { buckets[$0].removeAll(where: isGone) }
    }

    /// A lookup went through the bucket's part of the key space.
    package mutating func refreshed(_ bucket: Int, at now: Instant) {
        precondition((0..<NodeID.bitCount).contains(bucket), "there is no bucket \(bucket)")
        grow(to: bucket)
        buckets[bucket].refreshedAt = now
    }

    private mutating func grow(to index: Int) {
        while buckets.count <= index {
            let depth = buckets.count
            buckets.append(
                KBucket(capacity: depth < capacities.count ? capacities[depth] : Kademlia.replicas)
            )
        }
    }
}

// MARK: Queries

extension RoutingTable {
    /// Contacts in buckets, bad ones included.
    package var count: Int { buckets.reduce(0) { $0 + $1.entries.count } }

    /// Contacts that buckets and their caches hold beyond their capacity: none, ever.
    var excess: Int {
        buckets.reduce(0) {
            $0 + max($1.entries.count - $1.capacity, 0)
                + max($1.replacements.count - KBucket.replacementCapacity, 0)
        }
    }

    /// The buckets that hold contacts, nearest the root first.
    package var bounds: [(bucket: Int, count: Int)] {
        buckets.indices.filter { !buckets[$0].entries.isEmpty }.map { ($0, buckets[$0].entries.count) }
    }

    /// All contacts in buckets, bad ones included: by bucket, then the order in which they entered it.
    package var contacts: [Entry] { buckets.flatMap(\.entries) }

    /// Where `id` belongs: the number of leading bits it shares with us. 160 for our own id, which has no
    /// bucket.
    package func bucket(of id: NodeID) -> Int { own.commonPrefixLength(with: id) }

    package func entry(for id: NodeID) -> Entry? {
        let index = bucket(of: id)
        guard index < buckets.count else { return nil }
        return buckets[index][id]
    }

    /// The entry of `identity`, whose id is `id`.
    package func entry(for identity: Identity, id: NodeID) -> Entry? {
        guard let entry = entry(for: id), entry.contact.identity == identity else { return nil }
        return entry
    }

    /// Whether a contact with this id, were it to answer, would enter without displacing a live one.
    package func hasRoom(for id: NodeID) -> Bool {
        let index = bucket(of: id)
        guard index < NodeID.bitCount else { return false }
        guard index < buckets.count else { return true }
        return buckets[index].hasRoom
    }

    /// Whether a contact, a bad one perhaps, has an id that begins with these four bytes.
    package func holds(prefix: UInt32) -> Bool {
        let index = (prefix ^ own.prefix).leadingZeroBitCount
        // The prefix settles the bucket, unless it is our own.
        let first = min(index, buckets.count)
        let candidates = first..<(index < 32 ? min(first + 1, buckets.count) : buckets.count)
        return candidates.contains { bucket in
            buckets[bucket].entries.contains { $0.contact.id.prefix == prefix }
        }
    }

    /// Up to `count` contacts nearest to `target`, nearest first. Left out are bad ones, those without an
    /// address of the family if one is given, and those we cannot reach, or of whom there is no address that
    /// may be told to `requester`.
    package func closest(
        to target: NodeID,
        count: Int,
        excluding: Identity? = nil,
        having family: Endpoint.Family? = nil,
        tellingTo requester: Endpoint? = nil
    ) -> [Contact] {
        guard count > 0 else { return [] }
        var result: [Contact] = []
        result.reserveCapacity(count)
        walkOutward(from: target) { index in
            let nearer = result.count  // from buckets nearer than this one: all of them nearer than any in it
            let (ids, entries) = (buckets[index].ids, buckets[index].entries)
            /// Of the last one, once there are enough.
            var farthest: Distance?
            for number in ids.indices {
                let distance = ids[number].distance(to: target)
                if let farthest, distance >= farthest { continue }
                let entry = entries[number]
                guard !entry.isBad, entry.contact.identity != excluding,
                    family.map(entry.contact.families.contains) ?? true,
                    let contact = shown(entry.contact, to: requester)
                else { continue }
                if result.count == count { result.removeLast() }
                var place = result.count
                while place > nearer, distance < result[place - 1].id.distance(to: target) { place -= 1 }
                result.insert(contact, at: place)
                if result.count == count { farthest = result[count - 1].id.distance(to: target) }
            }
            return result.count < count
        }
        return result
    }

    /// The contact as we reach it, or as it may be named to `requester`.
    private func shown(_ contact: Contact, to requester: Endpoint?) -> Contact? {
        guard let requester else { return contact.reached(by: families) }
        return contact.keeping { $0.isUsable(namedBy: requester) }
    }

    /// Whether the contact is here and not given up.
    package func counts(on contact: Contact) -> Bool {
        entry(for: contact.identity, id: contact.id).map {
            $0.reachability.grade != .bad && !$0.contact.families.isDisjoint(with: families)
        } ?? false
    }

    /// Whether the table holds everybody it ever met in the region of the `count` contacts closest to
    /// `target`: no bucket they come from is full or ever overflowed.
    package func isComplete(
        around target: NodeID,
        count: Int,
        having family: Endpoint.Family? = nil
    ) -> Bool {
        var found = 0
        var isComplete = true
        walkOutward(from: target) { index in
            isComplete = buckets[index].isComplete
            found += buckets[index].entries.count { entry in
                entry.reachability.grade != .bad && family.map(entry.contact.families.contains) ?? true
            }
            return isComplete && found < count
        }
        return isComplete
    }

    /// Visits bucket after bucket, each one wholly nearer to `target` than the next, until `visit` says no.
    ///
    /// Let *b* be the target's bucket, and *d* its distance from us. Bucket *b* comes first. All deeper ones
    /// share exactly *b* bits with the target; among them bucket *i* is nearer than all beyond it if bit *i*
    /// of *d* is one, else farther than all beyond it. Bucket *i* < *b* shares *i* bits with the target.
    private func walkOutward(from target: NodeID, visit: (Int) -> Bool) {
        let distance = own.distance(to: target)
        let nearest = min(distance.leadingZeroBitCount, buckets.count)
        for index in nearest..<buckets.count where distance[bit: index] {
            guard visit(index) else { return }
        }
        for index in (nearest..<buckets.count).reversed() where !distance[bit: index] {
            guard visit(index) else { return }
        }
        for index in (0..<nearest).reversed() {
            guard visit(index) else { return }
        }
    }
}

// MARK: Upkeep

extension RoutingTable {
    /// Contacts to ask for a sign of life: good ones quiet for long, and others whose back-off is over.
    /// Tell ``probed(_:id:at:)`` of each that is asked.
    package func contactsDue(at now: Instant) -> [Contact] {
        var due: [Contact] = []
        for bucket in buckets {
            for entry in bucket.entries where entry.reachability.checkAt <= now { due.append(entry.contact) }
        }
        return due
    }

    /// Buckets not refreshed for `interval` or ever, from the root to the deepest that holds a contact; at
    /// least bucket 0.
    package func bucketsDue(at now: Instant, interval: Interval) -> [Int] {
        (0...deepest).filter { (refreshDue($0, interval: interval) ?? now) <= now }
    }

    /// Buckets of which there is little to learn: those that hold `enough` live contacts, and the deepest,
    /// which hold no more than `count` together: lookups of our own place ask all of those.
    package func bucketsKnown(count: Int, enough: Int) -> [Int] {
        let live = (0...deepest).map { index in
            index < buckets.count ? buckets[index].entries.count { $0.reachability.grade != .bad } : 0
        }
        var nearest = 0
        return live.indices.reversed().filter { index in
            nearest += live[index]
            return nearest <= count || live[index] >= enough
        }
    }

    /// When the first contact or bucket falls due. A bucket that was never refreshed has been due since the
    /// origin.
    package func nextDeadline(refreshInterval: Interval) -> Instant {
        var deadline = refreshDue(0, interval: refreshInterval) ?? .origin
        for index in 0...deepest where index < buckets.count {
            deadline = min(deadline, refreshDue(index, interval: refreshInterval) ?? .origin)
        }
        return min(deadline, nextCheck)
    }

    /// Whether there is a contact of this grade.
    func holds(_ grade: Reachability.Grade) -> Bool {
        buckets.contains { $0.entries.contains { $0.reachability.grade == grade } }
    }

    /// When the first contact falls due.
    var nextCheck: Instant {
        var next = Instant(nanoseconds: .max)
        for bucket in buckets {
            for entry in bucket.entries { next = min(next, entry.reachability.checkAt) }
        }
        return next
    }

    /// A random id whose place is in `bucket`: the target of a lookup that refreshes the bucket.
    package func randomTarget(in bucket: Int, using generator: inout some RandomNumberGenerator) -> NodeID {
        precondition((0..<NodeID.bitCount).contains(bucket), "there is no bucket \(bucket)")
        // Overlong shifts give zero, so of each triple just the bits that belong in the word remain.
        let first = (
            UInt64(1) << (63 - bucket), UInt64(1) << (127 - bucket), UInt32(1) << (159 - bucket)
        )
        let rest = (
            UInt64.max >> bucket, UInt64.max >> max(bucket - 64, 0), UInt32.max >> max(bucket - 128, 0)
        )
        return NodeID(
            high: own.high ^ (first.0 | generator.next() & rest.0),
            middle: own.middle ^ (first.1 | generator.next() & rest.1),
            low: own.low ^ (first.2 | generator.next() & rest.2)
        )
    }

    /// The deepest bucket that holds a contact; 0 if none does.
    private var deepest: Int { buckets.lastIndex { !$0.entries.isEmpty } ?? 0 }

    /// `nil` if it was never refreshed.
    private func refreshDue(_ index: Int, interval: Interval) -> Instant? {
        guard index < buckets.count, let last = buckets[index].refreshedAt else { return nil }
        return last + interval
    }
}

extension Distance {
    /// Bit 0 is the most significant one.
    package subscript(bit index: Int) -> Bool {
        switch index {
        case ..<64: high >> (63 - index) & 1 == 1
        case ..<128: middle >> (127 - index) & 1 == 1
        default: low >> (159 - index) & 1 == 1
        }
    }
}

extension Instant {
    fileprivate static let origin = Instant(nanoseconds: 0)
}
