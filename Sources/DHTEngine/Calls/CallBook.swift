import DHTCore
import DHTEnvelope

/// All requests of ours: which is sent when, again, or given up, and what is learned from the answers.
///
/// Events are ``send(_:to:at:)``, ``answered(_:isRetry:at:)`` and ``popDue(at:)``. The book seals nothing: a
/// ``Transmission`` it returns is to be sealed and sent by the caller, and each call that it says is over or
/// late is to be told to whoever made it.
struct CallBook: Sendable {
    /// The gate's knowledge of a peer at an address.
    struct PeerStatus: Hashable, Sendable {
        /// The peer is known to receive there.
        let hasProved: Bool
        /// A request to the peer is expected to be live.
        let isExpectedLive: Bool
        /// When the peer last answered.
        let answered: Instant?

        /// Whether a PING goes ahead: a write that is not live would come back with `retry`, and to an
        /// address that never answered goes nothing but a PING.
        func needsPing(before request: Request) -> Bool {
            if request.operation != .ping, !hasProved { return true }
            let isChange =
                request.isGoodbye || request.isWrite || request.operation == .findChunk
            return isChange && !isExpectedLive
        }
    }

    /// A datagram that is due.
    struct Transmission: Sendable {
        let request: Request
        let contact: Contact
        let options: Gate.SealOptions
        /// The request was sent before.
        let isRepeated: Bool
        /// The datagram may go to that address; else it counts as lost.
        let isAllowed: Bool
    }

    /// A call whose time has come, and what is to be done about it.
    struct DueCall: Sendable {
        enum Step: Hashable, Sendable {
            /// The peer was to be asked again: ``CallBook/send(_:to:at:)``, or ``CallBook/remove(_:)``.
            case askAgain
            /// Nothing, for the present.
            case wait
            /// Nobody answered: ``CallBook/send(_:to:at:)``.
            case repeated
            /// The call is over, and removed.
            case givenUp
        }

        let call: OutgoingCall
        let step: Step
        /// The call is late, which it was not before.
        let isNewlyOverdue: Bool
    }

    /// A call that was answered, and what is to be done about it.
    struct Answer: Sendable {
        let call: OutgoingCall
        /// The answer only clears the way: ``CallBook/restart(_:transaction:to:at:)``.
        let isPreliminary: Bool
        /// Calls that waited for any answer from there: ``CallBook/release(_:to:at:)`` each, in this order,
        /// once the answer itself was handled.
        let held: [CallID]
    }

    /// The first time-out of a request to a peer that has begun to bring content.
    private static let wantTimeout = Interval.milliseconds(500)
    /// The first time-out of a request to pass a record on.
    private static let passingTimeout = Interval.seconds(1)

    private var table = CallTable()
    private var openings = Openings()
    private(set) var roundTrips = RoundTrips()
    private var probes = ProbeLimiter()

    // MARK: Queries

    var count: Int { table.count }
    subscript(id: CallID) -> OutgoingCall? { table[id] }

    /// The calls of this kind, the oldest first.
    func ids(where isWanted: (OutgoingCall) -> Bool) -> [CallID] { table.ids(where: isWanted) }

    /// When ``popDue(at:)`` has something to return.
    var nextDeadline: Instant? { mutating get { table.nextDeadline } }

    /// The collections that others can make grow.
    var bounds: [Bound] {
        [
            Bound("round-trip estimators", roundTrips.count, of: RoundTrips.capacity),
            Bound("probed addresses", probes.count, of: ProbeLimiter.capacity),
        ]
    }

    // MARK: Events

    /// Somebody answered from there, or proved to receive there.
    mutating func heard(from endpoint: Endpoint) { probes.clear(endpoint) }

    /// Enters the call's next transmission, and returns it; `nil` if it waits for the answer to another call.
    /// A call that cannot be sent fails at its time-out.
    mutating func send(_ call: OutgoingCall, to peer: PeerStatus, at now: Instant) -> Transmission? {
        var call = call
        let request = call.needsPingFirst ? .ping(isLeaving: false) : call.request
        let waits = roundTrips.waits(
            for: request,
            to: call.contact.identity,
            transmission: call.attempts
        )
        call.timeout = now + waits.timeout
        if call.wanted != nil {
            // Half of the content may be there: a peer that starts anew goes on with it.
            call.timeout = max(call.timeout, now + Self.wantTimeout * (1 << UInt64(call.attempts)))
        }
        if call.request.operation == .passOn, !call.needsPingFirst {
            // The peer asks others, who may have to be found.
            call.timeout = max(call.timeout, now + Self.passingTimeout * (1 << UInt64(call.attempts)))
        }
        call.attempts += 1
        // Whether the request asks the peer to know us, as far as we can tell.
        let opens = call.isSilent(peer) || !peer.isExpectedLive
        call.isHeld = opens && !openings.begin(call.id, at: call.contact)
        let transmission = call.isHeld ? nil : transmit(&call, request, to: peer, at: now)
        table.keep(call, due: call.isOverdue ? call.timeout : now + waits.patience)
        return transmission
    }

    private mutating func transmit(
        _ call: inout OutgoingCall,
        _ request: Request,
        to peer: PeerStatus,
        at now: Instant
    ) -> Transmission {
        let endpoint = call.contact.endpoint
        let isAllowed = peer.hasProved || call.isConfigured || probes.admit(endpoint, at: now)
        let transmission = Transmission(
            request: request,
            contact: call.contact,
            options: Gate.SealOptions(
                transaction: call.transaction,
                usesStaticKey: call.isSilent(peer),
                answerLength: request.answerLength
            ),
            isRepeated: call.transmissions > 0,
            isAllowed: isAllowed && endpoint.isUnicast
        )
        if call.transmissions == 0 { call.firstSent = now }
        call.lastSent = now
        call.transmissions += 1
        return transmission
    }

    /// An answer came to a transaction, to what was `sent` then; `nil` if it is none of ours. `isRetry`: it
    /// says that the peer wants to be asked anew.
    mutating func answered(_ transaction: UInt64, sent: Instant, isRetry: Bool, at now: Instant) -> Answer? {
        guard var call = table[transaction: transaction] else { return nil }
        let held = openings.opened(call.contact)
        roundTrips.answered(
            call.needsPingFirst ? .ping(isLeaving: false) : call.request,
            by: call.contact.identity,
            after: now.since(sent)
        )
        let isPreliminary = call.needsPingFirst || isRetry && call.retries < OutgoingCall.retryLimit
        if isPreliminary {
            if isRetry { call.retries += 1 }
            call.needsPingFirst = false
        }
        return Answer(call: call, isPreliminary: isPreliminary, held: held)
    }

    /// Sends the call as if it were new, see ``send(_:to:at:)``.
    mutating func restart(
        _ call: OutgoingCall,
        transaction: UInt64,
        to peer: PeerStatus,
        at now: Instant
    ) -> Transmission? {
        var call = call
        call.renew(transaction, at: now)
        return send(call, to: peer, at: now)
    }

    /// Sends a call that waited for an answer from there, see ``send(_:to:at:)``; `nil` as well if it waits
    /// no more.
    mutating func release(_ id: CallID, to peer: PeerStatus, at now: Instant) -> Transmission? {
        guard var call = table[id], call.isHeld else { return nil }
        call.isHeld = false
        call.attempts -= 1
        if call.needsPingFirst { call.needsPingFirst = peer.needsPing(before: call.request) }
        return send(call, to: peer, at: now)
    }

    /// The peer says that it brings the content of the call's record first, and has `held` bytes of it: it is
    /// asked again in a while.
    mutating func pause(_ call: OutgoingCall, held: UInt32, transaction: UInt64, at now: Instant) {
        var call = call
        call.isOverdue = false
        let since = call.wanted.flatMap { held > $0.held ? nil : $0.since } ?? now
        call.wanted = (max(held, call.wanted?.held ?? 0), since)
        call.renew(transaction, at: now)
        // Little at first: most content is short.
        let pause = min(max(now.since(since) / 4, .milliseconds(held == 0 ? 20 : 100)), .seconds(1))
        call.resumes = now + pause
        table.keep(call, due: now + pause)
    }

    /// The next call whose time has come, if there is one.
    mutating func popDue(at now: Instant) -> DueCall? {
        guard var call = table.popDue(at: now) else { return nil }
        if call.resumes != nil {
            call.resumes = nil
            return DueCall(call: call, step: .askAgain, isNewlyOverdue: false)
        }
        let isNewlyOverdue = !call.isOverdue
        call.isOverdue = true
        if now < call.timeout {
            table.keep(call, due: call.timeout)
            return DueCall(call: call, step: .wait, isNewlyOverdue: isNewlyOverdue)
        }
        guard call.attempts < OutgoingCall.transmissionLimit else {
            remove(call.id)
            return DueCall(call: call, step: .givenUp, isNewlyOverdue: isNewlyOverdue)
        }
        return DueCall(call: call, step: .repeated, isNewlyOverdue: isNewlyOverdue)
    }

    /// The call is over.
    mutating func remove(_ id: CallID) {
        guard let call = table.remove(id) else { return }
        openings.end(id, at: call.contact)
    }

    /// Forgets how long others than these take: for when there are too many, see ``RoundTrips/isFull``.
    mutating func forgetEstimates(allBut contacts: Set<Identity>) { roundTrips.forget(allBut: contacts) }
}

extension Request {
    /// The length of the answer that the request makes room for while it may not be live.
    fileprivate var answerLength: Int {
        switch self {
        case .ping, .store, .passOn: Datagram.minimumLength
        case .findRoster, .join: 512
        case .findNode: 768
        case .findValue, .findChunk: Datagram.maximumLength
        }
    }
}
