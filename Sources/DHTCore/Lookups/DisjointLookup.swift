/// A lookup over paths that share nobody, so that whoever lies misleads only the path that asked.
/// (S/Kademlia, section 4.4.) Over a single path it does what that path's ``Lookup`` does.
///
/// Each path keeps a shortlist of its own, and alone hears what the answers to its queries name. A peer that
/// one path asks is passed over by the others. Only if no answer came may another path ask the peer, at
/// another endpoint it heard of: otherwise a liar could hide a peer from all paths by telling one of them a
/// false endpoint.
///
/// Driven as a ``Lookup`` is.
package struct DisjointLookup: Sendable {
    /// How many paths there may be. More would cost queries and gain little.
    package static let pathCounts = 1...8

    package let target: NodeID
    private let goal: Lookup.Goal
    private let parallelism: Int
    private let width: Int
    private var paths: [Lookup]
    /// The last query to each peer that was asked.
    private var queries: [Identity: Query] = [:]

    private struct Query: Sendable {
        enum State: Sendable {
            case underWay
            case answered
            case failed
        }

        let contact: Contact
        let path: Int
        var state = State.underWay
    }

    /// - Parameters:
    ///   - own: Our identity, never asked.
    ///   - seeds: Where to start: the closest contacts of the routing table. They are dealt to the paths in
    ///     turn, nearest first.
    ///   - paths: d, how many to go at once; as many as there are seeds at most.
    ///   - parallelism: α, the queries in flight at once; those overdue do not count. Each path may have one,
    ///     though α be less.
    ///   - width: How many of the closest are to answer on each path.
    package init(
        target: NodeID,
        own: Identity,
        goal: Lookup.Goal,
        seeds: [Contact],
        paths count: Int = 1,
        parallelism: Int = Kademlia.parallelism,
        width: Int = Kademlia.replicas
    ) {
        precondition(Self.pathCounts.contains(count), "a lookup over \(count) paths")
        let count = max(1, min(count, seeds.count))
        let nearestFirst = seeds.sorted { $0.id.distance(to: target) < $1.id.distance(to: target) }
        paths = (0..<count).map { path in
            Lookup(
                target: target,
                own: own,
                goal: goal,
                seeds: stride(from: path, to: seeds.count, by: count).map { nearestFirst[$0] },
                parallelism: parallelism,
                width: width
            )
        }
        (self.target, self.goal, self.width) = (target, goal, width)
        self.parallelism = max(parallelism, count)
    }
}

// MARK: Events

extension DisjointLookup {
    /// Contacts to query now; they count as in flight from here on. To be called after every event.
    package mutating func nextQueries() -> [Contact] {
        guard !isFinished else { return [] }
        var contacts: [Contact] = []
        while let path = nextPath, let contact = paths[path].nextQuery() {
            recordQuery(to: contact, on: path)
            contacts.append(contact)
        }
        return contacts
    }

    /// Queries this contact now, whatever else is in flight, if it would be queried by and by: for a caller
    /// that has to ask it something in any case.
    mutating func claim(_ contact: Contact) -> Bool {
        guard !isFinished, let path = paths.indices.first(where: { paths[$0].claim(contact) }) else {
            return false
        }
        recordQuery(to: contact, on: path)
        return true
    }

    /// The contact came to us, so it need not be asked.
    mutating func pass(_ contact: Contact) {
        for path in paths.indices { paths[path].pass(contact) }
    }

    private mutating func recordQuery(to contact: Contact, on path: Int) {
        queries[contact.identity] = Query(contact: contact, path: path)
        for other in paths.indices { passOver(contact.identity, on: other) }
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
        guard let path = pathAsking(identity) else { return }
        queries[identity]?.state = .answered
        paths[path].answered(identity, contacts: contacts, bearing: isBearing, known: known)
        for contact in contacts {
            passOver(contact.identity, on: path)
            // A contact that two paths heard of is there by the word of two.
            for other in paths.indices where other != path {
                if let namer = paths[other].namer(of: contact) { paths[path].vouch(for: contact, by: namer) }
                paths[other].vouch(for: contact, by: identity)
            }
        }
    }

    /// The answer is overdue: another may be asked in its place, but it may still come.
    package mutating func slow(_ identity: Identity) {
        guard let path = pathAsking(identity) else { return }
        paths[path].slow(identity)
    }

    /// No answer will come.
    package mutating func failed(_ identity: Identity) {
        guard let path = pathAsking(identity) else { return }
        queries[identity]?.state = .failed
        paths[path].failed(identity)
        for other in paths.indices { passOver(identity, on: other) }
    }

    /// The peer answered, and is asked for more before that counts: where; `nil` if it did not answer.
    mutating func reopen(_ identity: Identity) -> Contact? {
        guard let query = queries[identity], query.state == .answered else { return nil }
        queries[identity]?.state = .underWay
        paths[query.path].reopen(identity)
        return query.contact
    }

    /// Our own store bore a record: one replica more has answered.
    package mutating func countLocalAnswer() { paths[0].countLocalAnswer() }

    /// Our own store bore nothing after all.
    package mutating func discountLocalAnswer() { paths[0].discountLocalAnswer() }
}

// MARK: Queries

extension DisjointLookup {
    /// Whether the goal is reached by all paths together, or each has ended.
    package var isFinished: Bool {
        goal.isReached(bearing: replicasBearing) || paths.allSatisfy(\.isFinished)
    }

    /// Of ``bearing`` those among the `width` closest of all paths.
    private var replicasBearing: Int {
        guard goal.isReached(bearing: bearing) else { return bearing }
        let prompt = merged { $0.prompt }.prefix(width)
        return prompt.count(where: \.state.isBearing) + (paths[0].hasLocalAnswer ? 1 : 0)
    }

    /// Queries sent.
    package var asked: Int { paths.reduce(0) { $0 + $1.asked } }

    /// Answers that came.
    package var answered: Int { paths.reduce(0) { $0 + $1.answered } }

    /// Answers that bore a record, our own store's included.
    package var bearing: Int { paths.reduce(0) { $0 + $1.bearing } }

    /// The longest chain of contacts, each named by the one before, that was asked; 1 if only seeds were.
    package var hops: Int { paths.reduce(0) { max($0, $1.hops) } }

    /// Everybody that answered, nearest first: as many as ``answered``.
    package var answerers: [Contact] { merged { Array($0.answerers) }.map(\.contact) }

    /// Contacts that answered, nearest first, at most `width`.
    package var closest: [Contact] { Array(answerers.prefix(width)) }

    /// Contacts that answered, or are slow and may, nearest first: twice as many as a record has replicas,
    /// since some may not take it.
    package var reachable: [Contact] {
        merged { Array($0.reachable) }.prefix(2 * width).map(\.contact)
    }

    /// Contacts among the `width` closest of all paths that answered, nearest first: where copies belong, as
    /// far as we know.
    package var answeredNearest: [Contact] {
        merged { Array($0.nearest) }.prefix(width).filter(\.state.isAnswered).map(\.contact)
    }

    /// Of the `width` closest that ought to be there those that left us without an answer, and how many they
    /// all are.
    package var silence: (silent: Int, all: Int) {
        let turnout = merged { Array($0.turnout) }.prefix(width)
        return (turnout.count { !$0.state.isAnswered }, turnout.count)
    }

    /// Candidates of all paths, nearest first, no identity twice.
    private func merged(_ candidates: (Lookup) -> [Lookup.Candidate]) -> [Lookup.Candidate] {
        var merged: [Lookup.Candidate] = []
        for candidate in paths.flatMap(candidates).sorted(by: { $0.precedes($1) })
        where candidate.contact.identity != merged.last?.contact.identity {
            merged.append(candidate)
        }
        return merged
    }
}

// MARK: The paths

extension DisjointLookup {
    /// The path to ask next, if there is room for a query: the one with the fewest in flight. As long as each
    /// query finds a replica it is the one with the nearest contact, which a single path would ask too.
    private var nextPath: Int? {
        let isStraight = isStraight
        let willing = paths.indices.compactMap { path in
            paths[path].next.map { (path: path, load: isStraight ? 0 : paths[path].inFlight, next: $0) }
        }
        let first = willing.min { $0.load == $1.load ? $0.next.precedes($1.next) : $0.load < $1.load }
        guard let first else { return nil }
        let inFlight = paths.reduce(0) { $0 + $1.inFlight }
        // No path's second query takes the place of another's first.
        let reserved = first.load == 0 ? 0 : paths.count { $0.inFlight == 0 && !$0.isFinished }
        let allowance = goal.allowance(of: parallelism, bearing: replicasBearing, isStraight: isStraight)
        return inFlight + reserved < allowance ? first.path : nil
    }

    private var isStraight: Bool { paths.allSatisfy(\.isStraight) }

    /// The path that waits for that peer's answer.
    private func pathAsking(_ identity: Identity) -> Int? {
        guard let query = queries[identity], query.state == .underWay else { return nil }
        return query.path
    }

    /// Leaves the peer to another path if one asked it.
    private mutating func passOver(_ identity: Identity, on path: Int) {
        guard let query = queries[identity], query.path != path else { return }
        paths[path].taken(identity)
        if query.state == .failed { paths[path].released(query.contact) }
    }
}
