import DHTCore
import DHTEnvelope

// Requests of ours: sent, sent again, answered, given up.

extension GatedEngine where Keeper: ~Copyable {
    /// The length of the answer each request makes room for while it may not be live.
    private static func answerLength(of request: Request) -> Int {
        switch request {
        case .ping, .store, .passOn: Datagram.minimumLength
        case .findNode: 768
        case .findValue, .findChunk: Datagram.maximumLength
        }
    }

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
            isPrelude: needsPrelude(request, to: contact, at: now),
            firstSent: now.instant
        )
        send(call, at: now, into: &actions)
    }

    /// Whether a PING goes ahead: a write that is not live would come back with `retry`, and to an address
    /// that never answered goes nothing but a PING.
    private func needsPrelude(_ request: Request, to contact: Contact, at now: Now) -> Bool {
        let (peer, endpoint) = (contact.identity, contact.endpoint)
        if request.operation != .ping, !gate.hasProved(peer, at: endpoint) { return true }
        let isChange =
            request == .ping(isLeaving: true) || request.isWrite || request.operation == .findChunk
        return isChange && !gate.expectsLife(of: peer, at: endpoint, now: now.instant)
    }

    /// Sends the call's next datagram, or has it wait for another one's answer; a call that cannot be sent
    /// fails at its time-out.
    private mutating func send(_ call: OutgoingCall, at now: Now, into actions: inout [EngineAction]) {
        var call = call
        let request = call.isPrelude ? .ping(isLeaving: false) : call.request
        let waits = waits(for: request, to: call.contact.identity, transmission: call.attempts)
        call.timeout = now.instant + waits.timeout
        if call.wanted != nil {
            // Half of the content may be there: a peer that starts anew goes on with it.
            call.timeout = max(call.timeout, now.instant + Self.wantTimeout * (1 << UInt64(call.attempts)))
        }
        if call.request.operation == .passOn, !call.isPrelude {
            // It asks others, who may have to be found.
            call.timeout = max(call.timeout, now.instant + Self.passingTimeout * (1 << UInt64(call.attempts)))
        }
        call.attempts += 1
        call.isHeld = opens(call, at: now) && !calls.openings.begin(call.id, at: call.contact)
        if !call.isHeld { transmit(&call, request, at: now, into: &actions) }
        calls.keep(call, due: call.isOverdue ? call.timeout : now.instant + waits.patience)
    }

    /// Whether the next transmission asks the peer to know us, as far as we can tell.
    private func opens(_ call: OutgoingCall, at now: Now) -> Bool {
        let (peer, endpoint) = (call.contact.identity, call.contact.endpoint)
        return isSilent(call) || !gate.expectsLife(of: peer, at: endpoint, now: now.instant)
    }

    /// Whether the peer has answered nothing since the call was last sent: it may be another process now.
    private func isSilent(_ call: OutgoingCall) -> Bool {
        guard call.transmissions > 0 else { return false }
        return gate.answeredAt(call.contact.identity).map { $0 <= call.lastSent } ?? true
    }

    private mutating func transmit(
        _ call: inout OutgoingCall,
        _ request: Request,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let (peer, endpoint) = (call.contact.identity, call.contact.endpoint)
        let options = Gate.SealOptions(
            transaction: call.transaction,
            usesStaticKey: isSilent(call),
            answerLength: Self.answerLength(of: request)
        )
        noteOffer(request, at: now)
        let isProved = gate.hasProved(peer, at: endpoint)
        let isAllowed = isProved || call.isConfigured || probes.admit(endpoint, at: now.instant)
        if isAllowed, endpoint.isUnicast,
            let datagram = gate.seal(request, to: peer, at: endpoint, options, now: now.instant)
        {
            if call.transmissions > 0 { counters.retransmissions += 1 }
            transmit(datagram, to: endpoint, into: &actions)
        }
        if call.transmissions == 0 { call.firstSent = now.instant }
        call.lastSent = now.instant
        call.transmissions += 1
    }

    /// Sends what waited for an answer from there.
    private mutating func release(_ held: [CallID], at now: Now, into actions: inout [EngineAction]) {
        for id in held {
            guard var call = calls[id], call.isHeld else { continue }
            call.isHeld = false
            call.attempts -= 1
            if call.isPrelude { call.isPrelude = needsPrelude(call.request, to: call.contact, at: now) }
            send(call, at: now, into: &actions)
        }
    }

    /// How long until a request is overdue, and until it is sent again.
    private func waits(
        for request: Request,
        to peer: Identity,
        transmission: Int
    ) -> (patience: Interval, timeout: Interval) {
        let estimator = estimators[peer] ?? RoundTripEstimator()
        let timeout = estimator.timeout(transmission: transmission)
        // A disk takes its time, which says nothing of the line; and a copy too many is dearer than a look.
        if request.isWrite {
            let whole =
                writeEstimator.smoothed == nil ? timeout : writeEstimator.timeout(transmission: transmission)
            return (max(timeout, whole), max(timeout, whole))
        }
        // Whoever takes longer than peers do at present is overdue, however slow it was when last asked.
        return (min(estimator.patience, commonEstimator.patience), timeout)
    }

    /// Takes in how long an answer took.
    private mutating func noteWait(for call: OutgoingCall, at now: Now) {
        let wait = now.instant.since(call.firstSent)
        // Karn: an answer to a request that was sent twice does not say to which.
        let isClear = call.transmissions == 1
        // How long others take says nothing of its line.
        if call.request.operation == .passOn, !call.isPrelude { return }
        if call.request.isWrite, !call.isPrelude {
            if isClear { writeEstimator.sample(wait) } else { writeEstimator.answeredLate(after: wait) }
        } else if isClear {
            estimators[call.contact.identity, default: RoundTripEstimator()].sample(wait)
            commonEstimator.sample(wait)
        } else {
            estimators[call.contact.identity, default: RoundTripEstimator()].answeredLate(after: wait)
        }
        boundEstimators()
    }

    mutating func timedOut(_ call: OutgoingCall, at now: Now, into actions: inout [EngineAction]) {
        var call = call
        var wishes: [KademliaAction] = []
        if call.resumes != nil {
            call.resumes = nil
            guard core.awaits(call.id) else { return drop(call.id) }
            return send(call, at: now, into: &actions)
        }
        if !call.isOverdue {
            counters.overdue += 1
            call.isOverdue = true
            core.overdue(call.id, at: now, into: &wishes)
        }
        if now.instant < call.timeout {
            calls.keep(call, due: call.timeout)
        } else if call.attempts < OutgoingCall.transmissionLimit {
            send(call, at: now, into: &actions)
        } else {
            counters.timeouts += 1
            gate.close(call.transaction)
            forget(call)
            transfers.noteUpload(of: call.request, to: call.contact.identity, held: nil)
            if call.id.isTransfer { return chunkFailed(call.id, at: now, into: &actions) }
            core.failed(call.id, at: now, into: &wishes)
        }
        perform(wishes, at: now, into: &actions)
    }

    mutating func accept(_ answer: Gate.InboundResponse, at now: Now, into actions: inout [EngineAction]) {
        probes.clear(answer.endpoint)
        guard let call = calls[transaction: answer.transaction] else { return }
        let held = calls.openings.opened(call.contact)
        conclude(call, answer, opens: !held.isEmpty, at: now, into: &actions)
        release(held, at: now, into: &actions)
    }

    private mutating func conclude(
        _ answered: OutgoingCall,
        _ answer: Gate.InboundResponse,
        opens: Bool,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        var call = answered
        noteWait(for: call, at: now)
        let isRetry = answer.response == .retry
        if call.isPrelude || (isRetry && call.retries < OutgoingCall.retryLimit) {
            if isRetry { call.retries += 1 }
            call.isPrelude = false
            renew(&call, at: now)
            send(call, at: now, into: &actions)
            return
        }
        var response = answer.response
        if case .wanted(let held) = response {
            if pause(call, held: held, at: now) { return }
            response = .refused(.unavailable)
        }
        forget(call)
        if call.id.isTransfer {
            return chunkAnswered(call, response, at: now, into: &actions)
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
            wasLive: answer.wasLive || opens,
            at: now,
            into: &wishes
        )
        perform(wishes, at: now, into: &actions)
    }

    /// The next transmission begins anew.
    mutating func renew(_ call: inout OutgoingCall, at now: Now) {
        call.transaction = gate.makeTransaction()
        (call.transmissions, call.attempts) = (0, 0)
        // Its own answer came while it waited for another's: it waits no more.
        call.isHeld = false
        call.firstSent = now.instant
    }

    /// The first time-out of a request to a peer that has begun to bring content.
    private static var wantTimeout: Interval { .milliseconds(500) }
    /// The first time-out of a request to pass a record on.
    private static var passingTimeout: Interval { .seconds(1) }
    /// Round-trip estimates remembered.
    static var estimatorCapacity: Int { 8192 }

    /// Estimates are kept for contacts; those of others go when there are many.
    private mutating func boundEstimators() {
        guard estimators.count > Self.estimatorCapacity else { return }
        let kept = Set(core.table.contacts.map(\.contact.identity))
        estimators = estimators.filter { kept.contains($0.key) }
    }
}

extension Response {
    fileprivate var isStored: Bool { if case .stored = self { true } else { false } }
}
