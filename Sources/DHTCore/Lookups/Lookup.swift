/// One iterative lookup: asks ever nearer contacts until those nearest to the target have answered, or enough
/// of them brought what is looked for. (Kademlia, section 2.3.)
///
/// It stands alone or is one path of a ``DisjointLookup``.
///
/// Driven by events: after each one, ask whom ``nextQueries()`` names; when ``isFinished``, take the result.
package struct Lookup: Sendable {
    package enum Goal: Hashable, Sendable {
        /// The contacts nearest to the target that answer.
        case nodes
        /// The contacts nearest to the target, whether they answered or may yet.
        case reachable
        /// Records at the target, in the answers of this many of the closest, our own included.
        case values(replicas: Int)
    }

    package let target: NodeID
    package let goal: Goal
    /// Queries sent.
    package private(set) var asked = 0
    /// Contacts among the closest that came to us before they were asked.
    private var passed = 0
    /// Answers that came.
    package private(set) var answered = 0
    /// Answers that bore a record, our own store's included.
    package private(set) var bearing = 0
    /// Our own store bore a record, which counts as an answer.
    private(set) var hasLocalAnswer = false
    /// The longest chain of contacts, each named by the one before, that was asked; 1 if only seeds were.
    package private(set) var hops = 0

    private let own: Identity
    private let parallelism: Int
    private let width: Int
    /// Everybody heard of: nearest first, no identity twice.
    private var shortlist: [Candidate] = []

    /// - Parameters:
    ///   - own: Our identity, never asked.
    ///   - seeds: Where to start: the closest contacts of the routing table.
    ///   - parallelism: α, the queries in flight at once; those overdue do not count.
    ///   - width: How many of the closest are to answer.
    package init(
        target: NodeID,
        own: Identity,
        goal: Goal,
        seeds: [Contact],
        parallelism: Int = Kademlia.parallelism,
        width: Int = Kademlia.replicas
    ) {
        precondition(parallelism > 0 && width > 0, "a lookup of width \(width) with \(parallelism) in flight")
        (self.target, self.own, self.goal) = (target, own, goal)
        (self.parallelism, self.width) = (parallelism, width)
        for seed in seeds { hear(of: seed, hop: 1, by: nil, isKnown: true) }
    }
}

// MARK: Events

extension Lookup {
    /// Contacts to query now; they count as in flight from here on. To be called after every event.
    package mutating func nextQueries() -> [Contact] {
        var queries: [Contact] = []
        while let contact = nextQuery() { queries.append(contact) }
        return queries
    }

    /// The first of ``nextQueries()``, if there is one.
    mutating func nextQuery() -> Contact? {
        guard let index = indexOfNext else { return nil }
        query(index)
        return shortlist[index].contact
    }

    private mutating func query(_ index: Int) {
        asked += 1
        hops = max(hops, shortlist[index].hop)
        shortlist[index].state = .inFlight
    }

    /// Queries this contact now, whatever else is in flight, if it would be queried by and by.
    mutating func claim(_ contact: Contact) -> Bool {
        meet(contact)
        guard !isFinished, let index = indexOfWanted(contact),
            shortlist[index].contact.endpoint == contact.endpoint
        else { return false }
        query(index)
        return true
    }

    /// The contact is there: we know it from itself.
    private mutating func meet(_ contact: Contact) {
        guard !isFinished, index(of: contact) == nil else { return }
        hear(of: contact, hop: 1, by: nil, isKnown: true)
    }

    /// The contact came to us, so it need not be asked: it knows us, and came as late as we did. But of the
    /// closest a few are asked in any case.
    mutating func pass(_ contact: Contact) {
        meet(contact)
        guard passed < width - parallelism, let index = indexOfWanted(contact) else { return }
        passed += 1
        shortlist[index].state = .answered(bearing: false)
    }

    /// An answer came, naming `contacts`; `bearing` if it brought a record that is looked for.
    /// The contacts are hints: the caller leaves out those not admitted or not reachable. `known`: those of
    /// them that have answered us before.
    package mutating func answered(
        _ identity: Identity,
        contacts: [Contact],
        bearing isBearing: Bool,
        known: Set<Identity> = []
    ) {
        guard let index = indexOfAsked(identity) else { return }
        shortlist[index].state = .answered(bearing: isBearing)
        answered += 1
        if isBearing { bearing += 1 }
        let hop = shortlist[index].hop + 1
        for contact in contacts {
            hear(of: contact, hop: hop, by: identity, isKnown: known.contains(contact.identity))
        }
    }

    /// Another path heard of the contact as well, from that peer.
    mutating func vouch(for contact: Contact, by namer: Identity) {
        guard let index = index(of: contact) else { return }
        shortlist[index].isVouchedFor = shortlist[index].isVouchedFor || shortlist[index].namer != namer
    }

    /// The peer that named the contact first on this path; `nil` if none did.
    func namer(of contact: Contact) -> Identity? { index(of: contact).flatMap { shortlist[$0].namer } }

    /// The answer is overdue: another may be asked in its place, but it may still come.
    package mutating func slow(_ identity: Identity) {
        guard let index = indexOfAsked(identity) else { return }
        shortlist[index].state = .slow
    }

    /// No answer will come.
    package mutating func failed(_ identity: Identity) {
        guard let index = indexOfAsked(identity) else { return }
        fail(index)
    }

    /// The peer answered, and is asked for more before that counts.
    mutating func reopen(_ identity: Identity) {
        guard let index = index(of: identity, where: \.isAnswered) else { return }
        if shortlist[index].state.isBearing { bearing -= 1 }
        answered -= 1
        shortlist[index].state = .inFlight
    }

    /// Another path asks that identity: this one passes it over.
    mutating func taken(_ identity: Identity) {
        guard let index = index(of: identity, where: \.isHeard) else { return }
        shortlist[index].state = .taken
    }

    /// The other path got no answer from that contact. If the peer is somewhere else by what this path heard,
    /// it may be asked there.
    mutating func released(_ contact: Contact) {
        guard let index = index(of: contact.identity, where: \.isTaken) else { return }
        if shortlist[index].contact.endpoint == contact.endpoint {
            fail(index)
        } else {
            shortlist[index].state = .heard
        }
    }

    /// Our own store bore a record: one replica more has answered.
    package mutating func countLocalAnswer() {
        bearing += 1
        hasLocalAnswer = true
    }

    /// Our own store bore nothing after all.
    package mutating func discountLocalAnswer() {
        bearing -= 1
        hasLocalAnswer = false
    }
}

// MARK: Queries

extension Lookup {
    /// Whether the goal is reached, or nobody is left whose answer could bring it nearer. Slow ones
    /// are not waited for if enough others answered in their stead, unless that would not do; nor at all if
    /// only one peer knows of them.
    package var isFinished: Bool {
        if goal.isReached(bearing: replicasBearing) || nearest.allSatisfy(\.state.isAnswered) { return true }
        guard isHasty else { return false }
        return prompt.allSatisfy(\.state.isAnswered) && prompt.count == width
    }

    /// Of ``bearing`` those among the `width` closest: a node farther away may have a forgotten copy.
    private var replicasBearing: Int {
        guard goal.isReached(bearing: bearing) else { return bearing }
        return prompt.count(where: \.state.isBearing) + (hasLocalAnswer ? 1 : 0)
    }

    /// The `width` nearest candidates that owe no answer.
    var prompt: [Candidate] { Array(shortlist.lazy.filter { !$0.state.isPassedOver }.prefix(width)) }

    /// Whether what there is will do without what the slow may bring: not if all replicas were asked for.
    private var isHasty: Bool {
        switch goal {
        case .nodes: false
        case .reachable: true
        case .values(let replicas): bearing > 0 && replicas < width
        }
    }

    /// Contacts that answered, nearest first, at most `width`.
    package var closest: [Contact] { answerers.prefix(width).map(\.contact) }

    /// Contacts that answered, or are slow and may, nearest first.
    var reachable: some Sequence<Candidate> {
        shortlist.lazy.filter { $0.state.isAnswered || $0.state.isSlow && !$0.isGhost }
    }

    /// Contacts among the `width` closest that answered, nearest first: where copies belong, as far as we
    /// know.
    package var answeredNearest: [Contact] { nearest.filter(\.state.isAnswered).map(\.contact) }

    /// Everybody that answered, nearest first.
    var answerers: some Sequence<Candidate> { shortlist.lazy.filter(\.state.isAnswered) }

    /// Those that answered, and those that were asked, did not, and ought to be there: nearest first.
    var turnout: some Sequence<Candidate> {
        shortlist.lazy.filter {
            $0.state.isAnswered || $0.isVouchedFor && ($0.state.isFailed || $0.state.isSlow)
        }
    }

    /// The `width` nearest candidates that may be there, as far as is known, and are not another path's.
    var nearest: some Sequence<Candidate> {
        shortlist.lazy.filter { !$0.state.isFailed && !$0.state.isTaken && !$0.isGhost }.prefix(width)
    }

    /// Queries in flight, without those overdue.
    var inFlight: Int { shortlist.count { $0.state.isInFlight } }

    /// Whether each query found a replica, as far as is known.
    var isStraight: Bool { shortlist.allSatisfy { !$0.state.isDetour } }

    /// The candidate that ``nextQuery()`` asks; `nil`: none now.
    var next: Candidate? { indexOfNext.map { shortlist[$0] } }

    private var indexOfNext: Int? {
        guard !isFinished, inFlight < allowance else { return nil }
        return shortlist.indices.lazy.filter { !shortlist[$0].state.isPassedOver }.prefix(width)
            .first { shortlist[$0].state.isHeard }
    }

    private var allowance: Int {
        goal.allowance(of: parallelism, bearing: replicasBearing, isStraight: isStraight)
    }
}

extension Lookup.Goal {
    /// Whether the goal is reached once that many replicas brought records.
    func isReached(bearing: Int) -> Bool {
        if case .values(let replicas) = self { bearing >= replicas } else { false }
    }

    /// How many queries may be in flight, out of `parallelism`. As long as each query finds a replica, no
    /// more are asked than are wanted.
    func allowance(of parallelism: Int, bearing: Int, isStraight: Bool) -> Int {
        guard case .values(let replicas) = self, isStraight else { return parallelism }
        return min(parallelism, replicas - bearing)
    }
}

// MARK: The shortlist

extension Lookup {
    /// Most candidates that wait to be asked, and most failed ones remembered.
    private var capacity: Int { 8 * width }

    /// Takes the contact in, or learns where else it may be. `isKnown`: it answered us before.
    private mutating func hear(of contact: Contact, hop: Int, by namer: Identity?, isKnown: Bool) {
        guard contact.identity != own else { return }
        var candidate = Candidate(contact: contact, distance: contact.id.distance(to: target), hop: hop)
        // For the very peer that is looked for there is no other answer.
        (candidate.namer, candidate.isVouchedFor) = (namer, isKnown || contact.id == target)
        candidate.alternative = contact.other
        let place = self.place(of: candidate)
        if place < shortlist.count, shortlist[place].contact.identity == contact.identity {
            if isKnown || shortlist[place].namer != namer { shortlist[place].isVouchedFor = true }
            guard shortlist[place].contact.endpoint != contact.endpoint else { return }
            guard !shortlist[place].isLastChance, shortlist[place].alternative == nil else { return }
            shortlist[place].alternative = contact.endpoint
            giveLastChance(place)
            return
        }
        shortlist.insert(candidate, at: place)
        dropFarthest { $0.state.isHeard }
    }

    /// The candidate will not answer where it was, or where another path asked it.
    private mutating func fail(_ index: Int) {
        shortlist[index].state = .failed
        giveLastChance(index)
        dropFarthest { $0.state.isFailed }
    }

    /// If the candidate failed and may be elsewhere, it waits to be asked there.
    private mutating func giveLastChance(_ index: Int) {
        guard shortlist[index].state.isFailed, !shortlist[index].isLastChance,
            let endpoint = shortlist[index].alternative
        else { return }
        shortlist[index].contact.endpoint = endpoint
        shortlist[index].isLastChance = true
        shortlist[index].state = .heard
    }

    /// Drops the farthest of a kind if there are too many of it.
    private mutating func dropFarthest(where isOfKind: (Candidate) -> Bool) {
        guard shortlist.count > capacity, shortlist.count(where: isOfKind) > capacity,
            let farthest = shortlist.lastIndex(where: isOfKind)
        else { return }
        shortlist.remove(at: farthest)
    }

    /// The index of the first candidate that does not precede this one.
    private func place(of candidate: Candidate) -> Int {
        var range = shortlist.startIndex..<shortlist.endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if shortlist[middle].precedes(candidate) {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        return range.lowerBound
    }

    /// Where a contact stands that would be queried by and by.
    private func indexOfWanted(_ contact: Contact) -> Int? {
        guard let index = index(of: contact), shortlist[index].state.isHeard,
            nearest.contains(where: { $0.contact.identity == contact.identity })
        else { return nil }
        return index
    }

    /// The candidate that is this contact.
    private func index(of contact: Contact) -> Int? {
        let place = place(
            of: Candidate(contact: contact, distance: contact.id.distance(to: target), hop: 0)
        )
        guard place < shortlist.count, shortlist[place].contact.identity == contact.identity else {
            return nil
        }
        return place
    }

    /// The candidate of that identity, if a query to it is under way.
    private func indexOfAsked(_ identity: Identity) -> Int? {
        index(of: identity) { $0.isInFlight || $0.isSlow }
    }

    /// The candidate of that identity, if it is in such a state.
    private func index(of identity: Identity, where isOfKind: (Candidate.State) -> Bool) -> Int? {
        shortlist.firstIndex { $0.contact.identity == identity && isOfKind($0.state) }
    }
}
