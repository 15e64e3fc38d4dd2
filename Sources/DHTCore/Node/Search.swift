/// Names a lookup in progress.
struct SearchID: Hashable, Comparable, Sendable {
    let rawValue: UInt64

    static func < (lhs: SearchID, rhs: SearchID) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A lookup and whom it is for.
struct Search: Sendable {
    enum Client: Hashable, Sendable {
        /// Closest nodes for a record.
        case put(OperationID)
        /// Records.
        case get(OperationID)
        /// One peer, wherever it is now.
        case peer(OperationID, Identity)
        /// Our own place.
        case join
        /// A part of the key space.
        case refresh
        /// A peer that went silent: others may know where it is now.
        case rescue(Identity)

        /// Nobody waits for the lookup, and the contacts it brings are believed only once they answer: one
        /// path will do.
        var isUpkeep: Bool {
            switch self {
            case .join, .refresh, .rescue: true
            case .put, .get, .peer: false
            }
        }
    }

    let client: Client
    /// The one family by which contacts are asked, and which those looked for must have; `nil`: any.
    let family: Endpoint.Family?
    let began: Instant
    var lookup: DisjointLookup
    var get: GetOperation?
    /// The questions and their answers, if they are wanted.
    var trace: LookupTrace?
    /// We hold a record ourselves and are one of its replicas, which counts as an answer.
    var hasOwn = false
    /// Our own records are being read.
    var awaitsOwn = false

    /// The question to contacts; `offset`: from which record on.
    func request(offset: UInt16) -> Request {
        guard let get else { return .findNode(target: lookup.target) }
        return .findValue(location: get.location, author: get.author, offset: offset)
    }
}

extension KademliaNode {
    mutating func beginSearch(
        _ client: Search.Client,
        target: NodeID,
        goal: Lookup.Goal = .nodes,
        get: GetOperation? = nil,
        paths: Int? = nil,
        width: Int? = nil,
        having family: Endpoint.Family? = nil,
        in turn: inout KademliaTurn
    ) {
        let name = SearchID(rawValue: freshName())
        // Some of the contacts may be dead without anybody knowing: with four times as many as are wanted,
        // enough are not.
        let seeds = table.closest(to: target, count: settings.replicas * 4, having: family)
            .compactMap { $0.asked(by: family) }
        let limits = DisjointLookup.pathCounts
        let wanted = client.isUpkeep ? 1 : paths ?? settings.paths
        let lookup = DisjointLookup(
            target: target,
            own: identity,
            goal: goal,
            seeds: seeds,
            paths: min(max(wanted, limits.lowerBound), limits.upperBound),
            parallelism: settings.parallelism,
            width: width ?? settings.replicas
        )
        let began = turn.now.instant
        var search = Search(client: client, family: family, began: began, lookup: lookup, get: get)
        if let get {
            if get.isTraced { search.trace = LookupTrace(began: turn.now.instant) }
            let authors = catalog.authorsToRead(
                at: get.location,
                by: get.author,
                for: identity,
                isExhaustive: get.isExhaustive,
                limit: GetOperation.repairLimit,
                unixMilliseconds: turn.now.unixMilliseconds
            )
            if !authors.isEmpty {
                search.awaitsOwn = true
                // A copy where none belongs may be old: it is looked at, but is no replica's answer.
                if isReplica(for: target) {
                    search.hasOwn = true
                    search.lookup.countLocalAnswer()
                }
                load(for: .readOwn(name), at: get.location, by: authors, in: &turn)
            }
        }
        searches[name] = search
        pursue(name, in: &turn)
    }

    mutating func beginGet(
        _ get: GetOperation,
        paths: Int?,
        as name: OperationID,
        in turn: inout KademliaTurn
    ) {
        // Of the nodes with one family only, two of each kind may lack a record that was acknowledged.
        let more = isMixed && get.replicas >= settings.parallelism ? settings.parallelism - 1 : 0
        let replicas = min(max(get.replicas + more, 1), settings.replicas)
        let goal = Lookup.Goal.values(replicas: get.isExhaustive ? settings.replicas : replicas)
        beginSearch(.get(name), target: get.location, goal: goal, get: get, paths: paths, in: &turn)
    }

    /// Asks on, or ends the search.
    mutating func pursue(_ name: SearchID, in turn: inout KademliaTurn) {
        guard let search = searches[name] else { return }
        while let contacts = searches[name]?.lookup.nextQueries(), !contacts.isEmpty {
            for contact in contacts {
                searches[name]?.get?.asks(contact.identity)
                searches[name]?.trace?.asks(contact, at: turn.now.instant)
                call(contact, search.request(offset: 0), .search(name), in: &turn)
                if isSuspect(contact) { searches[name]?.lookup.slow(contact.identity) }
            }
        }
        guard let current = searches[name], current.lookup.isFinished, !current.awaitsOwn else { return }
        searches.end(name, at: turn.now.instant)
        ended(current, in: &turn)
    }

    mutating func searchAnswered(
        _ name: SearchID,
        _ contact: Contact,
        _ response: Response,
        struckOut: Int,
        in turn: inout KademliaTurn
    ) {
        guard var search = searches[name] else { return }
        search.trace?.ended(contact.identity, .init(response), at: turn.now.instant)
        switch response {
        case .nodes(let named):
            let contacts = reachable(named, namedBy: contact.identity, at: turn.now.instant)
                .compactMap { $0.asked(by: search.family) }
            let known = known(among: contacts)
            search.lookup.answered(contact.identity, contacts: contacts, bearing: false, known: known)
        case .values(let records, let total, let named):
            let closer = reachable(named, namedBy: contact.identity, at: turn.now.instant)
            search.get?.take(records, from: contact.identity, unixMilliseconds: turn.now.unixMilliseconds)
            let page = search.get?.nextPage(
                after: records,
                struckOut: struckOut,
                of: Int(total),
                from: contact.identity,
                unixMilliseconds: turn.now.unixMilliseconds
            )
            if let page {
                call(contact, search.request(offset: page), .search(name), in: &turn)
                askOn(name, &search, in: &turn)
                searches[name] = search
                return
            }
            let isBearing = search.get?.isBearing(contact.identity) ?? false
            let known = known(among: closer)
            search.lookup.answered(contact.identity, contacts: closer, bearing: isBearing, known: known)
            askOn(name, &search, in: &turn)
        case .pong, .stored, .conflict, .refused, .wanted, .chunk, .roster, .welcome, .absent, .retry:
            search.lookup.failed(contact.identity)
        }
        searches[name] = search
        pursue(name, in: &turn)
    }

    /// Asks those on whose answers seemed to be enough, and are not by what others told since.
    private mutating func askOn(_ name: SearchID, _ search: inout Search, in turn: inout KademliaTurn) {
        for (peer, page) in search.get?.insufficient(unixMilliseconds: turn.now.unixMilliseconds) ?? [] {
            guard let contact = search.lookup.reopen(peer) else { continue }
            call(contact, search.request(offset: page), .search(name), in: &turn)
        }
    }

    /// Those of the contacts that have answered us and that we count on.
    private func known(among contacts: [Contact]) -> Set<Identity> {
        Set(contacts.filter { table.counts(on: $0) }.map(\.identity))
    }

    mutating func ownRecordsRead(_ name: SearchID, _ records: [Record], in turn: inout KademliaTurn) {
        guard var search = searches[name] else { return }
        search.get?.take(records, from: identity, unixMilliseconds: turn.now.unixMilliseconds)
        search.awaitsOwn = false
        if search.hasOwn, !records.contains(where: { $0.isLive(at: turn.now.unixMilliseconds) }) {
            search.hasOwn = false
            search.lookup.discountLocalAnswer()
        }
        searches[name] = search
        pursue(name, in: &turn)
    }

    private mutating func ended(_ search: Search, in turn: inout KademliaTurn) {
        switch search.client {
        case .put(let operation): lookedUp(operation, search.lookup.reachable, in: &turn)
        case .get(let operation): finishGet(operation, search, in: &turn)
        case .peer(let operation, let peer):
            if let entry = search.lookup.closest.first(where: { $0.identity == peer }) {
                call(entry, .ping(isLeaving: false), .ping(operation, sent: turn.now.instant), in: &turn)
            } else {
                turn.actions.append(.finished(operation, .pinged(nil)))
            }
        case .join: joined(in: &turn)
        case .refresh: break
        case .rescue: membership.relocationLookups.end()
        }
    }

    private mutating func finishGet(_ operation: OperationID, _ search: Search, in turn: inout KademliaTurn) {
        guard let get = search.get else { preconditionFailure("a get without what it gets") }
        let own = search.hasOwn ? 1 : 0
        let found = get.found(unixMilliseconds: turn.now.unixMilliseconds)
        let silence = search.lookup.silence
        let outcome = GetOutcome(
            found: found,
            ahead: get.ahead,
            answered: search.lookup.answered + own,
            asked: search.lookup.asked + own,
            silent: silence.silent,
            closest: silence.all,
            hops: search.lookup.hops,
            answeredBy: answerers(of: search),
            contacts: search.lookup.answerers,
            trace: search.trace
        )
        // We ought to have the record too, if we are that close or have an older one. This comes first: the
        // end of this read may be the beginning of a write.
        let isOurs = isResponsible(contact: id, for: get.location)
        for found in found.prefix(GetOperation.repairLimit) {
            let entry = catalog.entry(at: get.location, by: found.record.author)
            guard entry != nil || isOurs, entry?.digest != found.record.digest else { continue }
            adopt(found.record, .replicated, in: &turn)
        }
        turn.actions.append(.finished(operation, .got(outcome)))
        // Only whoever answered among the closest ought to have the record and is known to lack it.
        let answered = search.lookup.answeredNearest
        for (record, contact) in get.repairs(among: answered, unixMilliseconds: turn.now.unixMilliseconds)
        where mayRepair(record, at: contact.identity, now: turn.now.instant) {
            let place = record.id
            let purpose = Purpose.repair(place, record.digest)
            call(contact, .store(record, condition: nil), purpose, in: &turn)
        }
    }

    /// Whether we are among the closest to the target, as far as we know.
    private func isReplica(for target: NodeID) -> Bool {
        table.isAmongClosest(id, to: target, count: settings.replicas)
    }

    /// The nodes that answered, nearest first, ourselves among them if we hold a record.
    private func answerers(of search: Search) -> [Identity] {
        let others = search.lookup.answerers
        var answerers = others.map(\.identity)
        if search.hasOwn {
            let target = search.lookup.target
            let place = others.firstIndex { $0.id.distance(to: target) > id.distance(to: target) }
            answerers.insert(identity, at: place ?? others.endIndex)
        }
        return answerers
    }
}
