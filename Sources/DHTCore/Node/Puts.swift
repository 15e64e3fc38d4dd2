// Records of ours on their way to the nodes closest to them. The life of one is a `PutOperation`.

extension KademliaNode {
    mutating func beginPut(
        _ record: Record,
        _ condition: Request.Condition?,
        copies: Int = 0,
        to audiences: [PutAudience],
        as name: OperationID,
        in turn: inout KademliaTurn
    ) {
        let location = record.location
        // One lookup serves all readers, but for those who have one family only.
        let families = audiences.count == 1 ? audiences.map(\.family) : [.ipv4, .ipv6]
        // Where no bucket overflowed we know everybody who answered: the lookup would tell nothing, and
        // should others know more, their answers to the STOREs say so.
        let isComplete = families.allSatisfy {
            table.isComplete(around: location, count: settings.replicas, having: $0)
        }
        let put = PutOperation(
            record: record,
            condition: condition,
            own: id,
            identity: identity,
            lookups: isComplete ? 0 : families.count,
            width: settings.replicas,
            copies: copies,
            audiences: audiences,
            ownFamilies: self.families
        )
        puts.begin(put, as: name)
        guard !isComplete else {
            return targetsFound(name, nearest(to: location, for: audiences), in: &turn)
        }
        for family in families {
            beginSearch(.put(name), target: location, goal: .reachable, having: family, in: &turn)
        }
    }

    /// One of the lookups for a put has ended.
    mutating func lookedUp(_ name: OperationID, _ contacts: [Contact], in turn: inout KademliaTurn) {
        guard let found = puts[name]?.lookedUp(contacts) else { return }
        targetsFound(name, found, in: &turn)
    }

    mutating func targetsFound(_ name: OperationID, _ contacts: [Contact], in turn: inout KademliaTurn) {
        guard let ask = puts[name]?.begin(contacts) else { return }
        offer(name, to: ask, in: &turn)
        finishIfDone(name, in: &turn)
    }

    mutating func offer(_ name: OperationID, to contacts: [Contact], in turn: inout KademliaTurn) {
        guard let put = puts[name] else { return }
        var (contacts, next) = (contacts, 0)
        while next < contacts.count {
            let contact = contacts[next]
            next += 1
            let attempt = PutAttempt(operation: name, record: put.record.digest)
            call(contact, .store(put.record, condition: put.condition), .put(attempt), in: &turn)
            if isSuspect(contact) { contacts += puts[name]?.overdue(contact.identity) ?? [] }
        }
    }

    private mutating func keepOwn(_ name: OperationID, in turn: inout KademliaTurn) {
        guard let put = puts[name] else { return }
        let offer = offer(put.record, condition: put.condition, from: identity, at: turn.now)
        switch offer.decision {
        case .keep:
            let client = WriteWaiter.operation(name)
            keep(put.record, displacing: offer.displaced, offer.evicted, for: client, in: &turn)
        case .same:
            guard !storeRequests.join(put.record, .operation(name)) else { return }
            recordOwnHider(of: put.record, for: name, at: turn.now)
            puts[name]?.ownStoreEnded(.stored)
        case .conflict(nil): puts[name]?.ownStoreEnded(.conflict(nil))
        case .conflict(let author?):
            load(for: .tellConflict(name), at: put.record.location, by: [author], in: &turn)
        case .refuse(let refusal): puts[name]?.ownStoreEnded(.refused(refusal))
        }
    }

    /// Our own store has the record: who hides it here?
    mutating func recordOwnHider(of record: Record, for name: OperationID, at now: Now) {
        let (hider, own) = (catalog.hider(of: record, unixMilliseconds: now.unixMilliseconds), identity)
        puts[name]?.recordHider(hider.map { .author($0) }, by: own)
    }

    mutating func putAnswered(
        _ attempt: PutAttempt,
        _ contact: Contact,
        _ response: Response,
        in turn: inout KademliaTurn
    ) {
        let name = attempt.operation
        guard puts.isUnderWay(attempt) else {
            // Late, but done: it need not be spared.
            if case .stored = response { replication.queue.backoff.took(contact.identity) }
            return
        }
        if case .stored(let receipt) = response {
            puts[name]?.recordHider(receipt.hiddenBy, by: contact.identity)
        }
        let more = puts[name]?.answered(contact.identity, .init(response)) ?? []
        offer(name, to: more, in: &turn)
        if case .stored(let receipt) = response {
            chase(attempt, receipt.closest, toldBy: contact, in: &turn)
        }
        finishIfDone(name, in: &turn)
    }

    mutating func finishIfDone(_ name: OperationID, in turn: inout KademliaTurn) {
        if puts[name]?.takesOwnTurn() == true { keepOwn(name, in: &turn) }
        passOn(name, in: &turn)
        puts[name]?.notice(turn.now.instant)
        // Only users' puts insist: the node's own are made again later.
        let again = name.isMaintenance ? [] : puts[name]?.insist(at: turn.now.instant) ?? []
        offer(name, to: again, in: &turn)
        guard again.isEmpty, let put = puts[name] else { return }
        let end = put.deadline ?? Instant(nanoseconds: .max)
        guard put.isFinished || end <= turn.now.instant else {
            puts.awaitEnd(at: end)
            return
        }
        if let relay = puts.end(name)?.relay { return relayed(relay, put, in: &turn) }
        if name.isMaintenance {
            republished(put, in: &turn)
            return
        }
        if put.outcome.stored > 0 { recordCopies(of: put, at: turn.now) }
        turn.actions.append(.finished(name, .put(put.outcome)))
        let place = put.record.id
        let purpose = Purpose.repair(place, put.record.digest)
        for contact in put.bare { call(contact, .store(put.record, condition: nil), purpose, in: &turn) }
    }
}

extension KademliaNode {
    /// Ends the puts that have copies enough and have waited for the rest.
    mutating func endPuts(in turn: inout KademliaTurn) {
        for name in puts.takeDue(at: turn.now.instant) { finishIfDone(name, in: &turn) }
    }
}

// MARK: Nodes others know and we do not

extension KademliaNode {
    /// A replica named these prefixes: it is asked where the nodes are that ought to have the record and are
    /// not known.
    private mutating func chase(
        _ put: PutAttempt,
        _ prefixes: [UInt32],
        toldBy replica: Contact,
        in turn: inout KademliaTurn
    ) {
        // Bad contacts count as known: that others still speak of them is no news.
        let unknown = prefixes.filter { prefix in
            !table.holds(prefix: prefix) && !membership.unfindable.holds(prefix, at: turn.now.instant)
                && !membership.outOfReach.holds(prefix: prefix, at: turn.now.instant)
        }
        guard !unknown.isEmpty, let news = puts[put.operation]?.chase(unknown), !news.isEmpty,
            let location = puts[put.operation]?.record.location
        else { return }
        call(replica, .findNode(target: location), .chase(put, news: news), in: &turn)
    }

    /// The replica said where these nodes are, or nothing: each node is asked whether it is there.
    mutating func chaseAnswered(
        _ put: PutAttempt,
        _ news: [UInt32],
        _ response: Response?,
        in turn: inout KademliaTurn
    ) {
        var contacts: [Contact] = []
        if case .nodes(let named)? = response {
            // The replica was recorded as a namer of those out of reach when the answer came.
            contacts = named.filter { news.contains($0.id.prefix) }.compactMap { $0.reached(by: families) }
        }
        recordUnfindable(
            news.filter { prefix in !contacts.contains { $0.id.prefix == prefix } },
            at: turn.now
        )
        guard puts.isUnderWay(put) else { return }
        puts[put.operation]?.chased(furtherQuestions: contacts.count)
        for contact in contacts { call(contact, .ping(isLeaving: false), .newcomer(put), in: &turn) }
        finishIfDone(put.operation, in: &turn)
    }

    /// A node that a replica spoke of answered, or did not.
    mutating func newcomerAnswered(
        _ put: PutAttempt,
        _ contact: Contact,
        isThere: Bool,
        in turn: inout KademliaTurn
    ) {
        if !isThere { recordUnfindable([contact.id.prefix], at: turn.now) }
        guard puts.isUnderWay(put) else { return }
        puts[put.operation]?.chased()
        if isThere { offer(put.operation, to: puts[put.operation]?.found(contact) ?? [], in: &turn) }
        finishIfDone(put.operation, in: &turn)
    }

    private mutating func recordUnfindable(_ prefixes: [UInt32], at now: Now) {
        membership.unfindable.record(prefixes.filter { !table.holds(prefix: $0) }, at: now.instant)
    }
}
