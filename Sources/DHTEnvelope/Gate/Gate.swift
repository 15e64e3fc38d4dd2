import DHTCore
import DHTCrypto

/// The gate that every datagram passes, in both directions: sealing and opening, admission, sessions, limits.
///
/// ``receive(_:from:at:)`` is `docs/protocol.md`, section 4, in its order. A datagram that it lets through
/// was signed by an admitted peer, for this node, and for the first time; a datagram that it drops is a
/// counter and nothing else.
package struct Gate: ~Copyable, Sendable {
    /// Bounds a node may set: `docs/operations.md`.
    package struct Limits: Sendable {
        /// First-contact requests opened a second, in all and by source address.
        package var firstContacts: UInt32 = 200
        package var firstContactsBySource: UInt32 = 5
        /// Requests a second of one peer.
        package var requestsByPeer: UInt32 = 5000
        /// Members for whose keys there is room though the list does not have them yet: a roster may.
        package var expectedMembers = 0
        /// Shared keys kept; `nil`: as many as the members need.
        package var sharedKeys: Int?

        package init() {}
    }

    var keys: KeyRing
    var sharedKeys: SharedKeyCache
    package private(set) var admission: AdmissionPolicy
    var sessions: SessionTable
    var pending = PendingRequests()
    var lane: FirstContactLane
    /// Failures of responses under box keys nobody vouched for.
    var junk: TokenBucket
    var mint = ChallengeMint()
    var verified = VerifiedRecords()
    /// Senders that ask for admission in vain.
    package var knocks = Knocks()
    var entropy: any RandomNumberGenerator & Sendable

    /// Failures counted by ``junk`` a second, at most.
    static let junkRate: UInt32 = 200

    package init(
        keys: consuming KeyRing,
        admission: AdmissionPolicy,
        limits: Limits = Limits(),
        entropy: some RandomNumberGenerator & Sendable,
        at now: Instant
    ) {
        self.keys = keys
        self.admission = admission
        let members = admission.memberCount.map { max($0, limits.expectedMembers) }
        // Static, current and previous key with each session of each member; what lies beyond is derived
        // again when needed.
        let keysByMember = 3 * PeerState.sessionLimit
        let needed = min(4096, max(64, (members ?? 1024) * keysByMember))
        sharedKeys = SharedKeyCache(capacity: limits.sharedKeys ?? needed)
        sessions = SessionTable(members: members, budgetRate: limits.requestsByPeer)
        lane = FirstContactLane(
            rate: limits.firstContacts,
            sourceRate: limits.firstContactsBySource,
            at: now
        )
        junk = TokenBucket(rate: Self.junkRate, burst: Self.junkRate, at: now)
        self.entropy = entropy
    }

    package var identity: Identity { keys.identity }
    package var networkID: NetworkID { keys.networkID }

    /// Replaces the rule of who is admitted, and forgets those who no longer are.
    package mutating func replaceAdmission(_ policy: AdmissionPolicy) {
        admission = policy
        knocks.forget { policy.admits($0) }
        let forgotten = sessions.keep(members: policy.memberCount) { policy.admits($0) }
        for boxKey in forgotten { sharedKeys.forget(peer: boxKey) }
        renewChallenges()
    }

    /// Whether the peer is known to receive at `endpoint`.
    package func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool {
        sessions.hasProved(identity, at: endpoint)
    }

    /// Whether a request to the peer is expected to be live.
    package func expectsLife(of identity: Identity, at endpoint: Endpoint, now: Instant) -> Bool {
        sessions.expectsLife(of: identity, at: endpoint, ownKey: keys.boxPublicKey.id, now: now)
    }

    /// When the peer last answered a request.
    package func answeredAt(_ identity: Identity) -> Instant? { sessions.answeredAt(identity) }

    /// Sees to it that no challenge begins a session again that was forgotten.
    mutating func renewChallenges() {
        if sessions.takeForgotten() { mint.renew() }
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
