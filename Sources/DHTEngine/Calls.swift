import DHTCore
import DHTEnvelope

// Requests of ours: sent, sent again, answered, given up.

extension GatedEngine where Keeper: ~Copyable {
    /// The length of the answer each request makes room for while it has no token.
    private static func answerLength(of request: Request) -> Int {
        switch request {
        case .ping, .store: Datagram.minimumLength
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
        // A write without a token would come back with `retry`, and to an address that never answered goes
        // nothing but a PING: in both cases a PING goes first.
        let isPing = request.operation == .ping
        let isProved = gate.hasProved(contact.identity, at: contact.endpoint)
        let hasToken = gate.hasToken(for: contact.identity, at: contact.endpoint, now: now.instant)
        let needsLife =
            request == .ping(isLeaving: true) || request.isWrite || request.operation == .findChunk
        transfers.noteUpload(of: request, to: contact.identity, held: 0)
        let call = OutgoingCall(
            id: id,
            contact: contact,
            request: request,
            isConfigured: isConfigured,
            transaction: gate.makeTransaction(),
            isPrelude: (!isPing && !isProved) || (needsLife && !hasToken),
            firstSent: now.instant
        )
        send(call, at: now, into: &actions)
    }

    /// Sends the call's next datagram; a call that cannot be sent fails at its time-out.
    private mutating func send(_ call: OutgoingCall, at now: Now, into actions: inout [EngineAction]) {
        var call = call
        let peer = call.contact.identity
        let endpoint = call.contact.endpoint
        let request = call.isPrelude ? .ping(isLeaving: false) : call.request
        let isProved = gate.hasProved(peer, at: endpoint)
        let waits = waits(for: request, to: peer, transmission: call.transmissions)
        call.timeout = now.instant + waits.timeout
        let postage = Gate.Postage(
            transaction: call.transaction,
            usesStaticKey: call.transmissions > 0,
            answerLength: Self.answerLength(of: request)
        )
        noteOffer(request, at: now)
        let isAllowed = isProved || call.isConfigured || probes.admit(endpoint, at: now.instant)
        if isAllowed, endpoint.isUnicast,
            let datagram = gate.seal(request, to: peer, at: endpoint, postage, now: now)
        {
            if call.transmissions > 0 { counters.retransmissions += 1 }
            transmit(datagram, to: endpoint, into: &actions)
        }
        call.wasLive = gate.hasToken(for: peer, at: endpoint, now: now.instant)
        call.transmissions += 1
        calls.keep(call, due: call.isOverdue ? call.timeout : now.instant + waits.patience)
    }

    /// How long until a request is overdue, and until it is sent again.
    private func waits(
        for request: Request,
        to peer: Identity,
        transmission: Int
    ) -> (patience: Span, timeout: Span) {
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
        } else if call.transmissions < OutgoingCall.transmissionLimit {
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

    mutating func accept(_ answer: Gate.Answer, at now: Now, into actions: inout [EngineAction]) {
        probes.clear(answer.endpoint)
        guard var call = calls[transaction: answer.transaction] else { return }
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
            wasLive: call.wasLive,
            at: now,
            into: &wishes
        )
        perform(wishes, at: now, into: &actions)
    }

    /// The next transmission begins anew.
    mutating func renew(_ call: inout OutgoingCall, at now: Now) {
        call.transaction = gate.makeTransaction()
        call.transmissions = 0
        call.firstSent = now.instant
    }

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
