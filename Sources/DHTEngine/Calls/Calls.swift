import DHTCore
import DHTEnvelope

// Requests of ours: sealed, sent and told of as the call book says.

extension GatedEngine where Keeper: ~Copyable {
    mutating func start(
        _ id: CallID,
        _ contact: Contact,
        _ request: Request,
        isConfigured: Bool,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard core.families.contains(contact.endpoint.family) || id.isTransfer else {
            // There is no socket by which it could go, so nothing is waited for.
            var wishes: [KademliaAction] = []
            core.failed(id, at: now, into: &wishes)
            return perform(wishes, at: now, into: &actions)
        }
        transfers.noteUpload(of: request, to: contact.identity, held: 0)
        let call = OutgoingCall(
            id: id,
            contact: contact.alone,
            request: request,
            isConfigured: isConfigured,
            transaction: gate.makeTransaction(),
            isPrelude: status(of: contact, at: now).needsPing(before: request),
            firstSent: now.instant
        )
        send(call, at: now, into: &actions)
    }

    private func status(of contact: Contact, at now: Now) -> CallBook.PeerStatus {
        let (peer, endpoint) = (contact.identity, contact.endpoint)
        return CallBook.PeerStatus(
            hasProved: gate.hasProved(peer, at: endpoint),
            isExpectedLive: gate.expectsLife(of: peer, at: endpoint, now: now.instant),
            answered: gate.answeredAt(peer)
        )
    }

    private mutating func send(_ call: OutgoingCall, at now: Now, into actions: inout [EngineAction]) {
        let peer = status(of: call.contact, at: now)
        transmit(calls.send(call, to: peer, at: now.instant), at: now, into: &actions)
    }

    private mutating func transmit(
        _ transmission: CallBook.Transmission?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let transmission else { return }
        let (request, endpoint) = (transmission.request, transmission.contact.endpoint)
        transfers.noteOffer(request, at: now.instant)
        guard transmission.isAllowed,
            let datagram = gate.seal(
                request,
                to: transmission.contact.identity,
                at: endpoint,
                transmission.options,
                now: now.instant
            )
        else { return }
        if transmission.isRepeated { counters.retransmissions += 1 }
        transmit(datagram, to: endpoint, into: &actions)
    }

    mutating func timedOut(_ due: CallBook.DueCall, at now: Now, into actions: inout [EngineAction]) {
        let call = due.call
        var wishes: [KademliaAction] = []
        if due.isNewlyOverdue {
            counters.overdue += 1
            core.overdue(call.id, at: now, into: &wishes)
        }
        switch due.step {
        case .askAgain where !core.awaits(call.id): drop(call.id)
        case .askAgain, .repeated: send(call, at: now, into: &actions)
        case .wait: break
        case .givenUp:
            counters.timeouts += 1
            gate.close(call.transaction)
            forget(call)
            transfers.noteUpload(of: call.request, to: call.contact.identity, held: nil)
            if call.id.isTransfer {
                return transfer(at: now, into: &actions) { $0.chunkFailed(call.id, &$1) }
            }
            core.failed(call.id, at: now, into: &wishes)
        }
        perform(wishes, at: now, into: &actions)
    }

    mutating func accept(_ answer: Gate.InboundResponse, at now: Now, into actions: inout [EngineAction]) {
        calls.heard(from: answer.endpoint)
        let isRetry = answer.response == .retry
        guard let answered = calls.answered(answer.transaction, isRetry: isRetry, at: now.instant) else {
            return
        }
        if calls.roundTrips.isFull {
            calls.forgetEstimates(allBut: Set(core.table.contacts.map(\.contact.identity)))
        }
        conclude(answered, answer, at: now, into: &actions)
        for id in answered.held {
            guard let call = calls[id] else { continue }
            let peer = status(of: call.contact, at: now)
            transmit(calls.release(id, to: peer, at: now.instant), at: now, into: &actions)
        }
    }

    private mutating func conclude(
        _ answered: CallBook.Answer,
        _ answer: Gate.InboundResponse,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let call = answered.call
        if answered.isPreliminary {
            let transaction = gate.makeTransaction()
            let peer = status(of: call.contact, at: now)
            let next = calls.restart(call, transaction: transaction, to: peer, at: now.instant)
            return transmit(next, at: now, into: &actions)
        }
        var response = answer.response
        if case .wanted(let held) = response {
            if pause(call, held: held, at: now) { return }
            response = .refused(.unavailable)
        }
        forget(call)
        if call.id.isTransfer {
            return transfer(at: now, into: &actions) { $0.chunkAnswered(call, response, &$1) }
        }
        if case .store(let record, _) = call.request {
            let held = response.isStored ? record.reference?.length : nil
            transfers.noteUpload(of: call.request, to: call.contact.identity, held: held)
        }
        var wishes: [KademliaAction] = []
        core.answered(
            call.id,
            response,
            struckOut: answer.recordsStruckOut,
            // What waited goes now, with the challenge in the answer: it makes us known.
            wasLive: answer.wasLive || !answered.held.isEmpty,
            at: now,
            into: &wishes
        )
        perform(wishes, at: now, into: &actions)
    }

    // MARK: Calls that wait

    /// The peer says that it brings the content of the record before it takes that: it is asked again in a
    /// while, if it is believed and anybody waits for it. `false`: it counts as unable to.
    private mutating func pause(_ call: OutgoingCall, held: UInt32, at now: Now) -> Bool {
        guard !call.id.isTransfer else { return false }
        guard core.awaits(call.id) else {
            drop(call.id)
            return true
        }
        let peer = call.contact.identity
        guard transfers.isWanted(by: call, held: held, at: now.instant) else {
            counters.wantsDisbelieved += 1
            core.note(.wantsInVain, of: peer, at: now.instant)
            return false
        }
        core.heard(call.id)
        transfers.noteUpload(of: call.request, to: peer, held: held)
        calls.pause(call, held: held, transaction: gate.makeTransaction(), at: now.instant)
        return true
    }

    /// The call is no more.
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
