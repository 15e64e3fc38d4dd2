import DHTCore
import DHTEnvelope

// Requests of ours: sealed, sent and told of as the call book says.

extension GatedEngine where Keeper: ~Copyable {
    mutating func start(
        _ id: CallID,
        _ contact: Contact,
        _ request: Request,
        isConfigured: Bool,
        in turn: inout EngineTurn
    ) {
        let isReachable = core.families.contains(contact.endpoint.family) || id.isContent
        guard isReachable, gate.admission.admits(contact.identity) else {
            // There is no socket by which the request could go, or it may not, so nothing is waited for.
            return ended(id, isExpelled: isReachable, in: &turn)
        }
        transfers.recordUpload(of: request, to: contact.identity, held: 0)
        let call = OutgoingCall(
            id: id,
            contact: contact.alone,
            request: request,
            isConfigured: isConfigured,
            transaction: gate.makeTransaction(),
            needsPingFirst: status(of: contact, at: turn.now).needsPing(before: request),
            firstSent: turn.now.instant
        )
        figures.begin(request.operation)
        send(call, in: &turn)
    }

    /// Ends a call that was sent, and whose answer counts no more.
    mutating func giveUp(_ call: OutgoingCall, isExpelled: Bool, in turn: inout EngineTurn) {
        gate.close(call.transaction)
        forget(call)
        transfers.recordUpload(of: call.request, to: call.contact.identity, held: nil)
        ended(call.id, isExpelled: isExpelled, in: &turn)
    }

    /// Tells whoever began a call that there is no answer. `isExpelled`: for its peer is admitted no more.
    private mutating func ended(_ id: CallID, isExpelled: Bool, in turn: inout EngineTurn) {
        switch id {
        case .content: transfer(in: &turn) { $0.chunkFailed(id, &$1) }
        case .roster: consult(in: &turn) { $0.failed(id, &$1) }
        case .core: tellCore(in: &turn) { isExpelled ? $0.expelled(id, in: &$1) : $0.failed(id, in: &$1) }
        }
    }

    private func status(of contact: Contact, at now: Now) -> CallBook.PeerStatus {
        let (peer, endpoint) = (contact.identity, contact.endpoint)
        return CallBook.PeerStatus(
            hasProved: gate.hasProved(peer, at: endpoint),
            isExpectedLive: gate.expectsLife(of: peer, at: endpoint, now: now.instant),
            answered: gate.answeredAt(peer)
        )
    }

    private mutating func send(_ call: OutgoingCall, in turn: inout EngineTurn) {
        let peer = status(of: call.contact, at: turn.now)
        transmit(calls.send(call, to: peer, at: turn.now.instant), in: &turn)
    }

    private mutating func transmit(_ transmission: CallBook.Transmission?, in turn: inout EngineTurn) {
        guard let transmission else { return }
        let (request, endpoint) = (transmission.request, transmission.contact.endpoint)
        transfers.recordOffer(request, at: turn.now.instant)
        guard transmission.isAllowed,
            let datagram = gate.draft(
                telling(request),
                to: transmission.contact.identity,
                at: endpoint,
                transmission.options,
                now: turn.now.instant
            )
        else { return }
        if transmission.isRepeated { counters.retransmissions += 1 }
        transmit(datagram, to: endpoint, in: &turn)
    }

    mutating func timedOut(_ due: CallBook.DueCall, in turn: inout EngineTurn) {
        let call = due.call
        var inner = KademliaTurn(at: turn.now)
        if due.isNewlyOverdue {
            counters.overdue += 1
            switch call.id {
            case .content: transfer(in: &turn) { $0.chunkOverdue(call, &$1) }
            case .roster: consult(in: &turn) { $0.overdue(call.id, sent: call.firstSent, &$1) }
            case .core: core.overdue(call.id, in: &inner)
            }
        }
        switch due.step {
        case .askAgain where !core.awaits(call.id): drop(call.id)
        case .repeated where calls[call.id] == nil: break  // nobody waits for it since it is late
        case .askAgain, .repeated: send(call, in: &turn)
        case .wait: break
        case .givenUp:
            counters.timeouts += 1
            record(.timeout, of: call, at: turn.now.instant)
            perform(inner.actions, in: &turn)
            return giveUp(call, isExpelled: false, in: &turn)
        }
        perform(inner.actions, in: &turn)
    }

    mutating func accept(_ answer: Gate.InboundResponse, in turn: inout EngineTurn) {
        calls.heard(from: answer.endpoint)
        let isRetry = answer.response == .retry
        guard
            let answered = calls.answered(
                answer.transaction,
                sent: answer.sent,
                isRetry: isRetry,
                at: turn.now.instant
            )
        else { return }
        if calls.roundTrips.isFull {
            calls.forgetEstimates(allBut: Set(core.table.contacts.map(\.contact.identity)))
        }
        conclude(answered, answer, in: &turn)
        if case .pong(_, _, let view?, _) = answer.response {
            record(view, told: answered.call, at: turn.now)
        }
        if case .pong(_, _, _, let mark) = answer.response {
            onRosterMark(mark, of: answered.call.contact, sent: answer.sent, in: &turn)
        }
        for id in answered.held {
            guard let call = calls[id] else { continue }
            let peer = status(of: call.contact, at: turn.now)
            transmit(calls.release(id, to: peer, at: turn.now.instant), in: &turn)
        }
    }

    /// A peer told its view. Those of others than contacts are of no use.
    private mutating func record(_ view: Response.View, told call: OutgoingCall, at now: Now) {
        let peer = call.contact
        guard core.table.entry(for: peer.identity, id: peer.id) != nil else { return }
        if views.isFull { views.forget(allBut: Set(core.table.contacts.map(\.contact.identity))) }
        let view = PeerView(view, after: now.instant.since(call.firstSent), at: now)
        views.record(view, of: peer.identity)
    }

    private mutating func conclude(
        _ answered: CallBook.Answer,
        _ answer: Gate.InboundResponse,
        in turn: inout EngineTurn
    ) {
        let call = answered.call
        if answered.isPreliminary {
            let transaction = gate.makeTransaction()
            let peer = status(of: call.contact, at: turn.now)
            let next = calls.restart(call, transaction: transaction, to: peer, at: turn.now.instant)
            return transmit(next, in: &turn)
        }
        var response = answer.response
        if case .wanted(let held) = response {
            if pause(call, held: held, at: turn.now) { return }
            response = .refused(.unavailable)
        }
        record(call.transmissions > 1 ? .repeated : .answered, of: call, at: turn.now.instant)
        forget(call)
        if call.id.isContent {
            return transfer(in: &turn) { $0.chunkAnswered(call, response, &$1) }
        }
        if case .roster = call.id {
            let isClear = call.transmissions == 1
            return consult(in: &turn) {
                $0.answered(call.id, by: call.contact, isClear: isClear, response, &$1)
            }
        }
        if case .store(let record, _) = call.request {
            let held = response.isStored ? record.reference?.length : nil
            transfers.recordUpload(of: call.request, to: call.contact.identity, held: held)
        }
        // Calls that waited go now, with the challenge in the answer: it makes us known.
        let wasLive = answer.wasLive || !answered.held.isEmpty
        tellCore(in: &turn) { core, turn in
            core.answered(call.id, response, struckOut: answer.recordsStruckOut, wasLive: wasLive, in: &turn)
        }
    }

    private mutating func record(_ outcome: CallFigures.Outcome, of call: OutgoingCall, at now: Instant) {
        figures.end(call.request.operation, outcome, after: now.since(call.firstSent))
    }

    /// Single requests and lookups are told of from now on: ``takeCallEnds(_:)`` and
    /// ``KademliaNode/takeLookupEnds(_:)`` are called after every turn.
    package mutating func observe() {
        figures.isObserved = true
        core.observeLookups()
    }

    /// Tells of every request of ours that ended since this was last called.
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func takeCallEnds(_ observe: (CallFigures.Observation) -> Void) { figures.take(observe) }

    // MARK: Calls that wait

    /// The peer says that it brings the content of the record before it takes that: it is asked again in a
    /// while, if it is believed and anybody waits for it. `false`: it counts as unable to.
    private mutating func pause(_ call: OutgoingCall, held: UInt32, at now: Now) -> Bool {
        guard !call.id.isContent else { return false }
        guard core.awaits(call.id) else {
            drop(call.id)
            return true
        }
        let peer = call.contact.identity
        guard transfers.isWanted(by: call, held: held, at: now.instant) else {
            counters.wantsDisbelieved += 1
            core.record(.wantsInVain, of: peer, at: now.instant)
            return false
        }
        core.heard(call.id)
        transfers.recordUpload(of: call.request, to: peer, held: held)
        calls.pause(call, held: held, transaction: gate.makeTransaction(), at: now.instant)
        return true
    }

    /// The call is over.
    private mutating func forget(_ call: OutgoingCall) {
        calls.remove(call.id)
        transfers.ended(call)
    }

    /// Ends a call for whose answer nobody waits any more.
    mutating func drop(_ id: CallID) {
        guard let call = calls[id] else { return }
        gate.close(call.transaction)
        forget(call)
        core.dropped(id)
    }
}

extension Response {
    fileprivate var isStored: Bool { if case .stored = self { true } else { false } }
}
