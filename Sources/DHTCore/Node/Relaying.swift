// How a record comes to those who have no address of a family of ours: a member that has both gives it to
// them. `docs/protocol.md`, section 8.

// MARK: Asking a member to pass a record on

extension KademliaNode {
    /// If there are members out of our reach, asks one who reaches them to give them the record.
    mutating func passOn(_ name: OperationID, in turn: inout KademliaTurn) {
        guard families != .all, let put = puts[name], put.passing.isOpen,
            membership.outOfReach.number(at: turn.now.instant) > 0
        else { return }
        let lacking = Endpoint.Families.all.subtracting(families)
        puts[name]?.passing.record(unreached: lacking)
        // Content is brought by a node that has it.
        guard put.record.reference == nil || !put.takers.isEmpty else { return }
        let bridges = bridges(to: put.record.location, at: turn.now.instant)
            .filter { !put.passing.tried.contains($0.identity) }
        guard put.record.reference != nil else {
            return bridges.first.map { ask($0, toPassOn: name, in: &turn) } ?? ()
        }
        if let bridge = bridges.first(where: { bridge in
            put.takers.contains { $0.identity == bridge.identity }
        }) {
            ask(bridge, toPassOn: name, in: &turn)
        } else if let bridge = bridges.first, !put.isTarget(bridge.identity) {
            offer(name, to: puts[name]?.found(bridge) ?? [], in: &turn)
        }
    }

    private mutating func ask(_ bridge: Contact, toPassOn name: OperationID, in turn: inout KademliaTurn) {
        guard let put = puts[name] else { return }
        puts[name]?.passing.begin(bridge.identity)
        let attempt = PutAttempt(operation: name, record: put.record.digest)
        call(bridge, .passOn(put.record, condition: put.condition), .passing(attempt), in: &turn)
    }

    /// Contacts that told of members out of our reach, nearest first.
    private func bridges(to location: NodeID, at now: Instant) -> [Contact] {
        table.closest(to: location, count: OutOfReach.capacity)
            .filter { membership.outOfReach.isNamer($0.identity, at: now) }
    }

    /// The member answered the request to pass a record on; `nil`: there was no answer.
    mutating func passingAnswered(
        _ attempt: PutAttempt,
        by bridge: Contact,
        _ response: Response?,
        in turn: inout KademliaTurn
    ) {
        guard puts.isUnderWay(attempt) else { return }
        let verdict = PutOutcome.Verdict(response)
        puts[attempt.operation]?.passing.ended(bridge.identity, verdict)
        finishIfDone(attempt.operation, in: &turn)
    }
}

// MARK: Passing a record on for a peer

extension KademliaNode {
    /// A peer with one family only asks us to give the record to nodes without an address of that family.
    mutating func answerPassOn(
        _ inbound: RequestID,
        from sender: Contact,
        _ record: Record,
        _ condition: Request.Condition?,
        in turn: inout KademliaTurn
    ) {
        guard !puts.joinRelay(of: record.digest, inbound) else { return }
        let isHere = catalog.entry(at: record.location, by: record.author)?.digest == record.digest
        guard families == .all, membership.isSettled(at: turn.now.instant, patience: settings.joinPatience),
            puts.relayCount < Relay.limit, record.reference == nil || isHere
        else { return turn.actions.append(.reply(inbound, .refused(.unavailable))) }
        let name = OperationID.maintenance(freshName())
        puts.relay(record.digest, as: name, for: inbound)
        let family: Endpoint.Family = sender.endpoint.family == .ipv4 ? .ipv6 : .ipv4
        beginPut(record, condition, to: [PutAudience(family: family)], as: name, in: &turn)
    }

    /// The put for a relay is over.
    mutating func relayed(_ relay: Relay, _ put: PutOperation, in turn: inout KademliaTurn) {
        // A record that one of the nodes did not take is put again from here, if we have it: the peer that
        // asked cannot.
        let isSettled = put.unreached.isEmpty && put.outcome.isComplete
        for newer in put.outcome.successors(of: put.record, unixMilliseconds: turn.now.unixMilliseconds) {
            adoptNewer(newer, in: &turn)
        }
        let place = put.record.id
        let second = ContactChange.second(of: turn.now.instant)
        if !isSettled {
            catalog.record(.underReplicated, of: put.record.digest, at: place, second: second)
        } else if catalog.entry(at: place.location, by: place.author)?.replicationState == .inOneFamily {
            catalog.record(.replicated, of: put.record.digest, at: place, second: second)
        }
        let conflict = put.outcome.replicas.lazy.map(\.verdict).first { $0.isConflict }
        let response: Response =
            if case .conflict(let record)? = conflict {
                .conflict(record)
            } else if put.unreached.isEmpty {
                .stored(receipt(for: put.record, at: turn.now))
            } else {
                .refused(.unavailable)
            }
        for client in relay.clients { turn.actions.append(.reply(client, response)) }
    }
}
