// What others ask of us.

extension KademliaNode {
    /// A peer asks. `isLive`: it proved that it receives where it sends from; else nothing may change.
    package mutating func inquired(
        _ inquiry: InquiryID,
        by sender: Contact,
        _ request: Request,
        isLive: Bool,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        switch request {
        case .ping(let isLeaving):
            let told = endpoints.filter { !$0.isLoopback || sender.endpoint.isLoopback }
            actions.append(.reply(inquiry, .pong(observed: sender.endpoint, endpoints: told)))
            if isLeaving, isLive {
                noteLeaving(sender, at: now)
                return
            }
        case .findNode(let target):
            actions.append(.reply(inquiry, .nodes(closest(to: target, for: sender))))
        case .findValue(let location, let author, let offset):
            answerFindValue(
                inquiry,
                from: sender,
                location,
                author,
                offset: Int(offset),
                at: now,
                into: &actions
            )
        case .store(let record, let condition):
            guard isLive else {
                actions.append(.reply(inquiry, .retry))
                return
            }
            answerStore(inquiry, from: sender.identity, record, condition, at: now, into: &actions)
        case .findChunk: actions.append(.reply(inquiry, .absent))  // content is the engine's
        }
        if isLive {
            noteInbound(sender, at: now, into: &actions)
        } else {
            noteArriving(sender, at: now.instant)
        }
    }

    private mutating func answerFindValue(
        _ inquiry: InquiryID,
        from sender: Contact,
        _ location: NodeID,
        _ author: Identity?,
        offset: Int,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let entries = catalog.entries(at: location, by: author, unixMilliseconds: now.unixMilliseconds)
        let page = Page(of: entries, from: offset)
        guard !page.authors.isEmpty else {
            let closest = closest(to: location, for: sender)
            let total = UInt16(clamping: entries.count)
            actions.append(.reply(inquiry, .values([], total: total, closer: closest)))
            return
        }
        let errand = Errand.answerInquiry(
            inquiry,
            location: location,
            author: author,
            page,
            requester: sender
        )
        load(for: errand, at: location, by: page.authors, at: now, into: &actions)
    }

    /// What was read of a page, out of all that is there. What the store does not bring is not counted.
    private func values(
        of page: Page,
        _ records: [Record],
        at location: NodeID,
        by author: Identity?,
        for requester: Contact,
        at now: Now
    ) -> Response {
        let live = records.filter { $0.expiry > now.unixMilliseconds && page.authors.contains($0.author) }
        let brought = Set(live.map(\.author))
        let missing = Set(page.authors).subtracting(brought)
        let entries = catalog.entries(at: location, by: author, unixMilliseconds: now.unixMilliseconds)
        let total = entries.count { !missing.contains($0.author) }
        return .values(
            live.sorted { $0.isNewer(than: $1) },
            total: UInt16(clamping: max(total, live.count)),
            closer: closest(to: location, for: requester)
        )
    }

    /// Whom we name to a peer: addresses of this machine are for those on it.
    private func closest(to target: NodeID, for requester: Contact) -> [Contact] {
        table.closest(
            to: target,
            count: settings.replicas,
            excluding: requester.identity,
            tellingTo: requester.endpoint
        )
    }

    private mutating func answerStore(
        _ inquiry: InquiryID,
        from sender: Identity,
        _ record: Record,
        _ condition: Request.Condition?,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let offer = offer(record, condition: condition, from: sender, at: now)
        switch offer.decision {
        case .keep:
            let client = KeepingClient.inquiry(inquiry)
            keep(record, displacing: offer.displaced, offer.evicted, for: client, into: &actions)
        case .same:
            guard !awaitsStore(record, for: .inquiry(inquiry)) else { return }
            actions.append(.reply(inquiry, .stored(receipt(for: record, at: now))))
        case .conflict(nil): actions.append(.reply(inquiry, .conflict(nil)))
        case .conflict(let author?):
            load(for: .answerConflict(inquiry), at: record.location, by: [author], at: now, into: &actions)
        case .refuse(let refusal): actions.append(.reply(inquiry, .refused(refusal)))
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

    /// Records were read; `nil`: the store could not. `withheld`: they are there as well, but nobody is to
    /// see them.
    package mutating func loaded(
        _ ticket: Ticket,
        _ records: [Record]?,
        withheld: [Digest] = [],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard let errand = errands.removeValue(forKey: ticket) else { return }
        if let records {
            strikeOutLost(ticket, found: records, withheld: withheld)
        } else {
            expected[ticket] = nil
        }
        switch errand {
        case .answerInquiry(let inquiry, let location, let author, let page, let requester):
            // A disk that cannot be read is not one that is empty: who asked must not take it for an answer.
            guard let records else { return actions.append(.reply(inquiry, .retry)) }
            let values = values(of: page, records, at: location, by: author, for: requester, at: now)
            actions.append(.reply(inquiry, values))
        case .answerConflict(let inquiry):
            let response = records.map { Response.conflict($0.first) } ?? .refused(.unavailable)
            actions.append(.reply(inquiry, response))
        case .tellConflict(let operation):
            puts[operation]?.ownStoreEnded(records.map { .conflict($0.first) } ?? .refused(.unavailable))
            finishIfDone(operation, at: now, into: &actions)
        case .readOwn(let search): ownRecordsRead(search, records ?? [], at: now, into: &actions)
        case .replicate(let offer): give(offer, records, at: now, into: &actions)
        case .keep, .sweep: preconditionFailure("records came for a ticket that asked for none")
        }
    }

    /// Changes were made durable, or not, for want of room or a working disk.
    package mutating func applied(
        _ ticket: Ticket,
        _ outcome: StoreOutcome,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard let errand = errands.removeValue(forKey: ticket) else { return }
        switch errand {
        case .keep(let record, let displaced, let evicted):
            if case .failed = outcome { takeBack(record, displaced, evicted) }
            for client in undurable.removeValue(forKey: record.digest) ?? [] {
                tell(client, outcome, record, at: now, into: &actions)
            }
        case .sweep: break
        case .answerInquiry, .answerConflict, .readOwn, .tellConflict, .replicate:
            preconditionFailure("a ticket for reading was used for changes")
        }
    }

    /// The store could neither read nor write: what the ticket was for ends as if nothing were there, or is
    /// refused.
    package mutating func storeFailed(_ ticket: Ticket, at now: Now, into actions: inout [KademliaAction]) {
        switch errands[ticket] {
        case .keep, .sweep: applied(ticket, .failed(.unavailable), at: now, into: &actions)
        case .answerInquiry, .answerConflict, .readOwn, .tellConflict, .replicate:
            loaded(ticket, nil, at: now, into: &actions)
        case nil: break
        }
    }

    /// How the store fared with changes.
    package enum StoreOutcome: Hashable, Sendable {
        case done
        case failed(Response.Refusal)
    }

    /// A record found in the store at start.
    package mutating func restore(_ record: Record) { catalog.enter(record) }

    /// What the store remembers of a record, at start. `mayWrite`: its author may.
    package mutating func restore(_ entry: Catalog.Entry, at location: NodeID, mayWrite: Bool = true) {
        catalog.enter(entry, at: location)
        if !mayWrite { catalog.muted.insert(entry.author) }
    }
}
