import DHTCore
import DHTEnvelope

// Requests of ours: sent, sent again, answered, given up.

extension GatedEngine where Keeper: ~Copyable {
    /// The length of the answer each request makes room for while it has no token.
    private static func answerLength(of request: Request) -> Int {
        switch request {
        case .ping, .store: Datagram.minimumLength
        case .findNode: 768
        case .findValue: Datagram.maximumLength
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
        let needsLife = request == .ping(isLeaving: true) || request.isWrite
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
        let estimator = estimators[peer] ?? RoundTripEstimator()
        call.timeout = now.instant + estimator.timeout(transmission: call.transmissions)
        let postage = Gate.Postage(
            transaction: call.transaction,
            usesStaticKey: call.transmissions > 0,
            answerLength: Self.answerLength(of: request)
        )
        let isAllowed = isProved || call.isConfigured || probes.admit(endpoint, at: now.instant)
        if isAllowed, endpoint.isUnicast,
            let datagram = gate.seal(request, to: peer, at: endpoint, postage, now: now)
        {
            if call.transmissions > 0 { counters.retransmissions += 1 }
            transmit(datagram, to: endpoint, into: &actions)
        }
        call.wasLive = gate.hasToken(for: peer, at: endpoint, now: now.instant)
        call.transmissions += 1
        // Whoever takes longer than peers do at present is overdue, though it was slow itself when last asked.
        let patience = min(estimator.patience, commonEstimator.patience)
        calls.keep(call, due: call.isOverdue ? call.timeout : now.instant + patience)
    }

    mutating func timedOut(_ call: OutgoingCall, at now: Now, into actions: inout [EngineAction]) {
        var call = call
        var wishes: [KademliaAction] = []
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
            calls.remove(call.id)
            core.failed(call.id, at: now, into: &wishes)
        }
        perform(wishes, at: now, into: &actions)
    }

    mutating func accept(_ answer: Gate.Answer, at now: Now, into actions: inout [EngineAction]) {
        probes.clear(answer.endpoint)
        guard var call = calls[transaction: answer.transaction] else { return }
        let wait = now.instant.since(call.firstSent)
        if call.transmissions == 1 {
            estimators[answer.sender, default: RoundTripEstimator()].sample(wait)
            commonEstimator.sample(wait)
        } else {
            // Karn: an answer to a request that was sent twice does not say to which.
            estimators[answer.sender, default: RoundTripEstimator()].answeredLate(after: wait)
        }
        boundEstimators()
        let isRetry = answer.response == .retry
        if call.isPrelude || (isRetry && call.retries < OutgoingCall.retryLimit) {
            if isRetry { call.retries += 1 }
            call.isPrelude = false
            call.transaction = gate.makeTransaction()
            call.transmissions = 0
            call.firstSent = now.instant
            send(call, at: now, into: &actions)
            return
        }
        calls.remove(call.id)
        var wishes: [KademliaAction] = []
        core.answered(
            call.id,
            answer.response,
            struckOut: answer.recordsStruckOut,
            wasLive: call.wasLive,
            at: now,
            into: &wishes
        )
        perform(wishes, at: now, into: &actions)
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
