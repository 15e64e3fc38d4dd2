import DHTCore
import DHTEnvelope
import HeapModule

/// A request of the core's on its way: what was sent, when, and what comes next.
struct OutgoingCall: Sendable {
    /// How often one request is sent at most.
    static let transmissionLimit = 3
    /// How often one is asked anew because the peer said `retry`.
    static let retryLimit = 2

    let id: CallID
    let contact: Contact
    let request: Request
    /// The address is the operator's word.
    let isConfigured: Bool
    var transaction: UInt64
    /// A PING goes ahead, to get a challenge or a sign of life; the request follows its answer.
    var needsPingFirst: Bool
    /// Transmissions of the present transaction.
    var transmissions = 0
    /// How often the request was to be sent: transmissions, and times when another went ahead.
    var attempts = 0
    /// The call waits for the answer to another request to the same peer.
    var isHeld = false
    var retries = 0
    var firstSent: Instant
    var lastSent = Instant(nanoseconds: 0)
    /// When the request is sent again, or given up.
    var timeout = Instant(nanoseconds: 0)
    /// The core was told that the answer is late.
    var isOverdue = false
    /// The peer brings the content of a record before it takes that: how much it had when it was last asked,
    /// and since when it has had no more.
    var wanted: (held: UInt32, since: Instant)?
    /// When the peer is asked again, which is waited for.
    var resumes: Instant?

    /// Whether the peer has answered nothing since this was last sent: it may be another process now.
    func isSilent(_ peer: CallBook.PeerStatus) -> Bool {
        guard transmissions > 0 else { return false }
        return peer.answered.map { $0 <= lastSent } ?? true
    }

    /// The next transmission begins anew.
    mutating func renew(_ transaction: UInt64, at now: Instant) {
        self.transaction = transaction
        (transmissions, attempts) = (0, 0)
        // The call's own answer came while it waited for another's: it waits no more.
        isHeld = false
        firstSent = now
    }
}

/// A moment at which a call's time-out may have run out.
struct CallDeadline: Comparable, Sendable {
    let at: Instant
    let call: CallID
    let transmission: Int
    let transaction: UInt64

    static func < (lhs: CallDeadline, rhs: CallDeadline) -> Bool {
        (lhs.at, lhs.call, lhs.transmission) < (rhs.at, rhs.call, rhs.transmission)
    }
}

/// All calls in flight, and when each is next due.
struct CallTable: Sendable {
    private var calls: [CallID: OutgoingCall] = [:]
    private var byTransaction: [UInt64: CallID] = [:]
    private var deadlines = Heap<CallDeadline>()
    /// Whether the earliest deadline may be out of date.
    private var mayBeStale = false

    var count: Int { calls.count }
    subscript(id: CallID) -> OutgoingCall? { calls[id] }
    subscript(transaction transaction: UInt64) -> OutgoingCall? {
        byTransaction[transaction].flatMap { calls[$0] }
    }

    /// Enters the call, or its new state, and when to look at it again.
    mutating func keep(_ call: OutgoingCall, due: Instant) {
        if let old = calls.updateValue(call, forKey: call.id), old.transaction != call.transaction {
            byTransaction[old.transaction] = nil
        }
        mayBeStale = true
        byTransaction[call.transaction] = call.id
        deadlines.insert(
            CallDeadline(
                at: due,
                call: call.id,
                transmission: call.transmissions,
                transaction: call.transaction
            )
        )
    }

    /// The calls of this kind, the oldest first.
    func ids(where isWanted: (OutgoingCall) -> Bool) -> [CallID] {
        calls.values.filter(isWanted).map(\.id).sorted()
    }

    /// Returns what was removed.
    @discardableResult
    mutating func remove(_ id: CallID) -> OutgoingCall? {
        guard let call = calls.removeValue(forKey: id) else { return nil }
        byTransaction[call.transaction] = nil
        mayBeStale = true
        return call
    }

    /// The next call whose time-out has run out, if there is one.
    mutating func popDue(at now: Instant) -> OutgoingCall? {
        discardStale()
        guard let first = deadlines.min, first.at <= now else { return nil }
        deadlines.removeMin()
        mayBeStale = true
        return calls[first.call]
    }

    /// When the next time-out runs out.
    var nextDeadline: Instant? {
        mutating get {
            discardStale()
            return deadlines.min?.at
        }
    }

    /// Deadlines of calls that were answered or sent again since are left in the heap until they come up.
    private mutating func discardStale() {
        guard mayBeStale else { return }
        mayBeStale = false
        while let first = deadlines.min {
            let call = calls[first.call]
            if call?.transmissions == first.transmission, call?.transaction == first.transaction { return }
            deadlines.removeMin()
        }
    }
}
