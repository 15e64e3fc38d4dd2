// Requests of peers, and the answers to them.

extension KademliaNode {
    /// A peer asks. `isLive`: it proved that it receives where it sends from; else nothing may change. `view`
    /// is told in the answer to PING.
    package mutating func handleRequest(
        _ inbound: RequestID,
        by sender: Contact,
        _ request: Request,
        isLive: Bool,
        telling view: Response.View? = nil,
        in turn: inout KademliaTurn
    ) {
        switch request {
        case .ping(let isLeaving, _):
            let told = addresses.told(to: sender.endpoint, in: families)
            let pong = Response.pong(observed: sender.endpoint, endpoints: told, view: view)
            turn.actions.append(.reply(inbound, pong))
            if isLeaving, isLive {
                onLeaving(sender, at: turn.now)
                if replication.departure.isUnderWay { takeLeave(of: sender, in: &turn) }
                return
            }
        case .findNode(let target):
            turn.actions.append(.reply(inbound, .nodes(closest(to: target, for: sender))))
        case .findValue(let location, let author, let offset):
            answerFindValue(inbound, from: sender, location, author, offset: Int(offset), in: &turn)
        case .store(let record, let condition):
            guard isLive else {
                turn.actions.append(.reply(inbound, .retry))
                return
            }
            answerStore(inbound, from: sender, record, condition, in: &turn)
        case .passOn(let record, let condition):
            guard isLive else {
                turn.actions.append(.reply(inbound, .retry))
                return
            }
            answerPassOn(inbound, from: sender, record, condition, in: &turn)
        // Content and rosters are the engine's, and nobody joins who is a member.
        case .findChunk, .findRoster, .join: turn.actions.append(.reply(inbound, .absent))
        }
        if isLive {
            if case .findNode(let target) = request { onSearch(for: target, by: sender, in: &turn) }
            onInbound(sender, in: &turn)
        } else {
            onArriving(sender, at: turn.now.instant)
        }
    }

    private mutating func answerFindValue(
        _ inbound: RequestID,
        from sender: Contact,
        _ location: NodeID,
        _ author: Identity?,
        offset: Int,
        in turn: inout KademliaTurn
    ) {
        let entries = catalog.entries(
            at: location,
            by: author,
            for: sender.identity,
            unixMilliseconds: turn.now.unixMilliseconds
        )
        let page = Page(of: entries, from: offset)
        guard !page.authors.isEmpty else {
            let closest = closest(to: location, for: sender)
            let total = UInt16(clamping: entries.count)
            turn.actions.append(.reply(inbound, .values([], total: total, closer: closest)))
            return
        }
        let storeRequest = StoreRequest.answerInbound(
            inbound,
            location: location,
            author: author,
            page,
            requester: sender
        )
        load(for: storeRequest, at: location, by: page.authors, in: &turn)
    }

    /// The answer with the records read of a page, out of all that are there. A record that the store does
    /// not bring is not counted.
    private func values(
        of page: Page,
        _ records: [Record],
        at location: NodeID,
        by author: Identity?,
        for requester: Contact,
        at now: Now
    ) -> Response {
        let clock = now.unixMilliseconds
        let live = records.filter { record in
            let isAsked = record.author == author && author == requester.identity
            return page.authors.contains(record.author) && record.expiry > clock
                && (isAsked || record.isLive(at: clock))
        }
        let brought = Set(live.map(\.author))
        let missing = Set(page.authors).subtracting(brought)
        let entries = catalog.entries(
            at: location,
            by: author,
            for: requester.identity,
            unixMilliseconds: clock
        )
        let total = entries.count { !missing.contains($0.author) }
        return .values(
            live.sorted { $0.isNewer(than: $1) },
            total: UInt16(clamping: max(total, live.count)),
            closer: closest(to: location, for: requester)
        )
    }

    /// The contacts that we name to a peer: addresses of this machine are for peers on it.
    private func closest(to target: NodeID, for requester: Contact) -> [Contact] {
        table.named(
            to: requester.endpoint,
            near: target,
            count: settings.replicas,
            excluding: requester.identity
        )
    }

    private mutating func answerStore(
        _ inbound: RequestID,
        from sender: Contact,
        _ record: Record,
        _ condition: Request.Condition?,
        in turn: inout KademliaTurn
    ) {
        let known = table.entry(for: sender.identity, id: sender.id)?.contact
        let offer = offer(
            record,
            condition: condition,
            from: sender.identity,
            reaching: known?.families ?? sender.families,
            at: turn.now
        )
        switch offer.decision {
        case .keep:
            let client = WriteWaiter.inbound(inbound)
            keep(record, displacing: offer.displaced, offer.evicted, for: client, in: &turn)
        case .same:
            guard !storeRequests.join(record, .inbound(inbound)) else { return }
            turn.actions.append(.reply(inbound, .stored(receipt(for: record, at: turn.now))))
        case .conflict(nil): turn.actions.append(.reply(inbound, .conflict(nil)))
        case .conflict(let author?):
            load(for: .answerConflict(inbound), at: record.location, by: [author], in: &turn)
        case .refuse(let refusal): turn.actions.append(.reply(inbound, .refused(refusal)))
        }
    }

    func receipt(for record: Record, at now: Now) -> Response.Receipt {
        let left = (record.expiry -| now.unixMilliseconds) / 1000
        let closest = table.closest(to: record.location, count: settings.replicas - 1)
        let hider = catalog.hider(of: record, unixMilliseconds: now.unixMilliseconds)
        return .init(
            lifetime: UInt32(clamping: left),
            hiddenBy: hider.map { .author($0) },
            closest: closest.map(\.id.prefix).filter { $0 != 0 }
        )
    }

    // MARK: Events of the store

    /// Records were read; `nil`: the store could not. `withheld`: records that are there as well, but nobody
    /// is to see.
    package mutating func loaded(
        _ ticket: Ticket,
        _ records: [Record]?,
        withheld: [Digest] = [],
        in turn: inout KademliaTurn
    ) {
        let found = records.map { Set($0.map(\.digest)).union(withheld) }
        guard let ended = storeRequests.endRead(ticket, found: found) else { return }
        // Else a replica that offers a lost record again would be told that it is kept already.
        for located in ended.lost { catalog.strikeOut(located.entry.digest, at: located.id) }
        switch ended.request {
        case .answerInbound(let inbound, let location, let author, let page, let requester):
            // A disk that cannot be read is not one that is empty: the requester must not take it for one.
            guard let records else { return turn.actions.append(.reply(inbound, .retry)) }
            let values = values(of: page, records, at: location, by: author, for: requester, at: turn.now)
            turn.actions.append(.reply(inbound, values))
        case .answerConflict(let inbound):
            let response = records.map { Response.conflict($0.first) } ?? .refused(.unavailable)
            turn.actions.append(.reply(inbound, response))
        case .tellConflict(let operation):
            puts[operation]?.ownStoreEnded(records.map { .conflict($0.first) } ?? .refused(.unavailable))
            finishIfDone(operation, in: &turn)
        case .readOwn(let search): ownRecordsRead(search, records ?? [], in: &turn)
        case .replicate(let repair): give(repair, records, in: &turn)
        case .keep, .sweep: preconditionFailure("records came for a ticket that asked for none")
        }
    }

    /// Changes were made durable, or not, for want of room or a working disk.
    package mutating func applied(_ ticket: Ticket, _ outcome: StoreOutcome, in turn: inout KademliaTurn) {
        guard let ended = storeRequests.endWrite(ticket) else { return }
        switch ended.request {
        case .keep(let record, let displaced, let evicted):
            if case .failed = outcome { takeBack(record, displaced, evicted) }
            for waiter in ended.waiters { tell(waiter, outcome, record, in: &turn) }
        case .sweep: break
        case .answerInbound, .answerConflict, .readOwn, .tellConflict, .replicate:
            preconditionFailure("a ticket for reading was used for changes")
        }
    }

    /// The store could neither read nor write: what the ticket was for ends as if nothing were there, or is
    /// refused.
    package mutating func storeFailed(_ ticket: Ticket, in turn: inout KademliaTurn) {
        guard let request = storeRequests[ticket] else { return }
        if request.isWrite {
            applied(ticket, .failed(.unavailable), in: &turn)
        } else {
            loaded(ticket, nil, in: &turn)
        }
    }

    /// How the store fared with changes.
    package enum StoreOutcome: Hashable, Sendable {
        case done
        case failed(Response.Refusal)
    }

    /// A record found in the store at start.
    package mutating func restore(_ record: Record) { catalog.enter(record) }

    /// Enters the metadata that the store keeps of a record, at start. `mayWrite`: its author may.
    package mutating func restore(_ entry: Catalog.Entry, at location: NodeID, mayWrite: Bool = true) {
        catalog.enter(entry, at: location)
        if !mayWrite { catalog.muted.insert(entry.author) }
    }
}
