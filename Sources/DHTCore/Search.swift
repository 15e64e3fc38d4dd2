/// Names a lookup in progress.
struct SearchID: Hashable, Sendable {
    let rawValue: UInt64
}

/// A lookup and whom it is for.
struct Search: Sendable {
    enum Client: Hashable, Sendable {
        /// Closest nodes for a record.
        case put(OperationID)
        /// Closer nodes that replicas spoke of.
        case chase(OperationID)
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
    }

    let client: Client
    var lookup: Lookup
    var get: GetOperation?
    /// We hold a record ourselves, which counts as an answer.
    var hasOwn = false
    /// That record is being read.
    var awaitsOwn = false
}

extension KademliaNode {
    mutating func beginSearch(
        _ client: Search.Client,
        target: NodeID,
        goal: Lookup.Goal = .nodes,
        get: GetOperation? = nil,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let name = SearchID(rawValue: freshName())
        // Some of them may be dead without anybody knowing: with four times as many as are wanted, enough are
        // not.
        let seeds = table.closest(to: target, count: settings.replicas * 4)
        let lookup = Lookup(
            target: target,
            own: identity,
            goal: goal,
            seeds: seeds,
            parallelism: settings.parallelism,
            width: settings.replicas
        )
        var search = Search(client: client, lookup: lookup, get: get)
        if let get {
            let isOwn = catalog.entries(at: get.location, unixMilliseconds: now.unixMilliseconds)
                .contains { get.author == nil || $0.author == get.author }
            if isOwn {
                search.hasOwn = true
                search.awaitsOwn = true
                search.lookup.countLocalAnswer()
                let ticket = ticket(for: .readOwn(name))
                actions.append(.load(ticket, location: get.location, author: get.author))
            }
        }
        searches[name] = search
        pursue(name, at: now, into: &actions)
    }

    mutating func beginGet(
        _ get: GetOperation,
        as name: OperationID,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let replicas = min(max(get.replicas, 1), settings.replicas)
        let goal = Lookup.Goal.values(replicas: get.isExhaustive ? settings.replicas : replicas)
        beginSearch(.get(name), target: get.location, goal: goal, get: get, at: now, into: &actions)
    }

    /// Asks on, or ends the search.
    mutating func pursue(_ name: SearchID, at now: Now, into actions: inout [KademliaAction]) {
        guard let search = searches[name] else { return }
        let contacts = searches[name]?.lookup.nextQueries() ?? []
        for contact in contacts {
            call(contact, request(of: search, offset: 0), .search(name), into: &actions)
        }
        guard let current = searches[name], current.lookup.isFinished, !current.awaitsOwn else { return }
        searches[name] = nil
        ended(current, at: now, into: &actions)
    }

    private func request(of search: Search, offset: UInt16) -> Request {
        guard let get = search.get else { return .findNode(target: search.lookup.target) }
        return .findValue(location: get.location, author: get.author, offset: offset)
    }

    mutating func searchAnswered(
        _ name: SearchID,
        _ contact: Contact,
        _ response: Response,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard var search = searches[name] else { return }
        switch response {
        case .nodes(let contacts):
            search.lookup.answered(contact.identity, contacts: contacts, bearing: false)
        case .values(let records, let total, let closer):
            search.get?.take(records, from: contact.identity, unixMilliseconds: now.unixMilliseconds)
            let page = search.get?.nextPage(after: records, of: Int(total), from: contact.identity)
            if let page {
                call(contact, request(of: search, offset: page), .search(name), into: &actions)
                searches[name] = search
                return
            }
            let isBearing = search.get?.isBearing(contact.identity) ?? false
            search.lookup.answered(contact.identity, contacts: closer, bearing: isBearing)
        case .pong, .stored, .conflict, .refused, .retry: search.lookup.failed(contact.identity)
        }
        searches[name] = search
        pursue(name, at: now, into: &actions)
    }

    mutating func ownRecordsRead(
        _ name: SearchID,
        _ records: [Record],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard var search = searches[name] else { return }
        search.get?.take(records, from: identity, unixMilliseconds: now.unixMilliseconds)
        search.awaitsOwn = false
        if records.isEmpty {
            search.hasOwn = false
            search.lookup.discountLocalAnswer()
        }
        searches[name] = search
        pursue(name, at: now, into: &actions)
    }

    private mutating func ended(_ search: Search, at now: Now, into actions: inout [KademliaAction]) {
        switch search.client {
        case .put(let operation): targetsFound(operation, search.lookup.closest, at: now, into: &actions)
        case .chase(let operation):
            noteVain(puts[operation]?.news ?? [], at: now)
            let more = puts[operation]?.chased(search.lookup.closest) ?? []
            offer(operation, to: more, into: &actions)
            finishIfDone(operation, into: &actions)
        case .get(let operation): finishGet(operation, search, into: &actions)
        case .peer(let operation, let peer):
            if let entry = search.lookup.closest.first(where: { $0.identity == peer }) {
                call(entry, .ping(isLeaving: false), .ping(operation, sent: now.instant), into: &actions)
            } else {
                actions.append(.finished(operation, .pinged(nil)))
            }
        case .join: joined(at: now, into: &actions)
        case .refresh: break
        case .rescue: membership.rescues -= 1
        }
    }

    private mutating func finishGet(
        _ operation: OperationID,
        _ search: Search,
        into actions: inout [KademliaAction]
    ) {
        guard let get = search.get else { preconditionFailure("a get without what it gets") }
        let own = search.hasOwn ? 1 : 0
        let outcome = GetOutcome(
            found: get.found,
            answered: search.lookup.answered + own,
            asked: search.lookup.asked + own
        )
        actions.append(.finished(operation, .got(outcome)))
        // Only whoever answered among the closest ought to have the record and is known to lack it.
        for (record, contact) in get.repairs(among: search.lookup.answeredNearest) {
            call(contact, .store(record, condition: nil), .repair, into: &actions)
        }
    }
}

// MARK: Nodes others know and we cannot find

extension KademliaNode {
    /// How long a node that others spoke of and a lookup did not find is not looked for again: it may be
    /// dead, or admitted by them and not by us.
    private static let vainInterval = Span.seconds(60)
    private static let vainCapacity = 1024

    private func isVain(_ prefix: UInt32, at now: Now) -> Bool {
        vain[prefix].map { now.instant.since($0) < Self.vainInterval } ?? false
    }

    private mutating func noteVain(_ prefixes: [UInt32], at now: Now) {
        if vain.count >= Self.vainCapacity { vain = [:] }
        for prefix in prefixes where !table.holds(prefix: prefix) { vain[prefix] = now.instant }
    }
}

// MARK: Puts

extension KademliaNode {
    mutating func beginPut(
        _ record: Record,
        _ condition: Request.Condition?,
        as name: OperationID,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        // Where no bucket overflowed we know everybody who answered: the lookup would tell nothing, and
        // should others know more, their answers to the STOREs say so.
        let isComplete = table.isComplete(around: record.location, count: settings.replicas)
        puts[name] = PutOperation(
            record: record,
            condition: condition,
            own: id,
            identity: identity,
            hasLookedUp: !isComplete,
            width: settings.replicas
        )
        if isComplete {
            let known = table.closest(to: record.location, count: settings.replicas * 2)
            targetsFound(name, known, at: now, into: &actions)
        } else {
            beginSearch(.put(name), target: record.location, at: now, into: &actions)
        }
    }

    mutating func targetsFound(
        _ name: OperationID,
        _ contacts: [Contact],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard let (ask, keepsOwn) = puts[name]?.begin(contacts) else { return }
        offer(name, to: ask, into: &actions)
        if keepsOwn { keepOwn(name, at: now, into: &actions) }
        finishIfDone(name, into: &actions)
    }

    mutating func offer(_ name: OperationID, to contacts: [Contact], into actions: inout [KademliaAction]) {
        guard let put = puts[name] else { return }
        for contact in contacts {
            call(contact, .store(put.record, condition: put.condition), .put(name), into: &actions)
        }
    }

    private mutating func keepOwn(_ name: OperationID, at now: Now, into actions: inout [KademliaAction]) {
        guard let put = puts[name] else { return }
        let (decision, displaced) = catalog.offer(
            put.record,
            condition: put.condition,
            unixMilliseconds: now.unixMilliseconds
        )
        switch decision {
        case .keep:
            let errand = Errand.keepOwn(name, put.record, displaced: displaced)
            actions.append(.apply(ticket(for: errand), [.put(put.record)]))
        case .same: puts[name]?.ownStoreEnded(.stored)
        case .conflict(nil): puts[name]?.ownStoreEnded(.conflict(nil))
        case .conflict(let author?):
            let ticket = ticket(for: .tellConflict(name))
            actions.append(.load(ticket, location: put.record.location, author: author))
        case .refuse(let refusal): puts[name]?.ownStoreEnded(.refused(refusal))
        }
    }

    mutating func putAnswered(
        _ name: OperationID,
        _ contact: Contact,
        _ response: Response,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard puts[name] != nil else { return }
        let verdict: PutOutcome.Verdict
        switch response {
        case .stored: verdict = .stored
        case .conflict(let record): verdict = .conflict(record)
        case .refused(let refusal): verdict = .refused(refusal)
        case .pong, .nodes, .values, .retry: verdict = .timeout
        }
        let more = puts[name]?.answered(contact.identity, verdict) ?? []
        offer(name, to: more, into: &actions)
        if case .stored(let receipt) = response, let location = puts[name]?.record.location {
            // Bad contacts count as known: that others still speak of them is no news.
            let unknown = receipt.closest.filter { !table.holds(prefix: $0) && !isVain($0, at: now) }
            let shouldChase = puts[name]?.shouldChase(unknown)
            if shouldChase == true { beginSearch(.chase(name), target: location, at: now, into: &actions) }
        }
        finishIfDone(name, into: &actions)
    }

    mutating func finishIfDone(_ name: OperationID, into actions: inout [KademliaAction]) {
        guard let put = puts[name], put.isFinished else { return }
        puts[name] = nil
        actions.append(.finished(name, .put(put.outcome)))
        for contact in put.bare { call(contact, .store(put.record, condition: nil), .repair, into: &actions) }
    }
}
