import DHTCore
import DHTCrypto

/// What every datagram passes, in both directions: sealing and opening, admission, replay, tokens, limits.
///
/// ``receive(_:from:at:)`` is `docs/protocol.md`, section 4, in its order. Whatever it lets through was
/// signed by an admitted peer, for this node, and for the first time; whatever it does not is a counter and
/// nothing else.
package struct Gate: ~Copyable {
    /// Bounds a node may set: `docs/operations.md`.
    package struct Limits: Sendable {
        /// First-contact requests opened a second, in all and by source address.
        package var firstContacts: UInt32 = 200
        package var firstContactsBySource: UInt32 = 5
        /// Requests a second of one authenticated peer.
        package var requestsByPeer: UInt32 = 5000

        package init() {}
    }

    var keys: KeyRing
    var sharedKeys: SharedKeyCache
    package private(set) var admission: AdmissionPolicy
    var sessions: SessionTable
    var pending = PendingRequests()
    var lane: FirstContactLane
    let mint = TokenMint()
    var verified = VerifiedRecords()
    var counter: UInt64
    var entropy: any RandomNumberGenerator & Sendable

    /// `start`: microseconds since 1970, where this node's counters begin.
    package init(
        keys: consuming KeyRing,
        admission: AdmissionPolicy,
        limits: Limits = Limits(),
        start: UInt64,
        entropy: some RandomNumberGenerator & Sendable,
        at now: Instant
    ) {
        self.keys = keys
        self.admission = admission
        let members = admission.memberCount
        // Static, current and previous key with each member; what lies beyond is derived again when needed.
        sharedKeys = SharedKeyCache(capacity: min(4096, max(64, (members ?? 1024) * 3)))
        sessions = SessionTable(
            capacity: members.map { max($0, 1) } ?? SessionTable.openCapacity,
            start: start,
            budgetRate: limits.requestsByPeer
        )
        lane = FirstContactLane(
            rate: limits.firstContacts,
            sourceRate: limits.firstContactsBySource,
            at: now
        )
        counter = start
        self.entropy = entropy
    }

    package var identity: Identity { keys.identity }
    package var networkID: NetworkID { keys.networkID }

    /// Replaces the list of who is admitted, and forgets those who no longer are.
    package mutating func replaceAdmission(_ policy: AdmissionPolicy) {
        admission = policy
        sessions.capacity = policy.memberCount.map { max($0, 1) } ?? SessionTable.openCapacity
        sessions.keep { policy.admits($0) }
    }

    /// Whether the peer's last answer came from `endpoint`.
    package func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool {
        sessions[identity]?.proved == endpoint
    }

    /// Whether a request to the peer would be live.
    package func hasToken(for identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool {
        sessions[identity]?.token(for: endpoint, at: now) != nil
    }

    /// Signs a record as this node.
    package mutating func sign(_ draft: RecordCodec.Draft) -> Record {
        let record = RecordCodec.sign(draft, with: keys.signing, network: keys.networkID)
        verified.insert(record)
        return record
    }

    /// Whether the record was signed by somebody who may write here.
    package mutating func accepts(_ record: Record) -> Bool {
        guard admission.mayWrite(record.author) else { return false }
        if verified.contains(record) { return true }
        guard RecordCodec.verifies(record, network: keys.networkID) else { return false }
        verified.insert(record)
        return true
    }

    /// When ``advance(to:)`` has something to do.
    package var nextDeadline: Instant { keys.nextDeadline }

    /// Rotates the box key when its period is over.
    package mutating func advance(to now: Instant) {
        guard let wiped = keys.rotate(at: now) else { return }
        sharedKeys.forget(own: wiped)
    }
}
