import DHTCore
import DHTCrypto

/// What the gate remembers of one admitted peer. All of it may be lost at any time at the cost of a few round
/// trips.
struct Session: Sendable {
    /// How long a token is put into requests: one epoch, after which its maker may refuse it.
    static let tokenLifetime = TokenMint.epochLength

    let identity: Identity
    /// The box key by which requests are told to be in the known lane: the last one that any accepted
    /// datagram showed.
    var laneKey: BoxPublicKey?
    /// The box key our requests are for: the last one shown by a live request or an answer, never by a
    /// possible replay.
    var sendKey: BoxPublicKey?
    /// The identity's own conversion, once it was needed.
    var staticKey: BoxPublicKey?
    /// Where the peer's last answer came from.
    var proved: Endpoint?
    var replay: ReplayGuard
    var budget: TokenBucket
    var lastAccepted: Instant
    private var token: UInt64 = 0
    private var tokenReceived: Instant?

    init(identity: Identity, replay: ReplayGuard, budget: TokenBucket, at now: Instant) {
        self.identity = identity
        self.replay = replay
        self.budget = budget
        lastAccepted = now
    }

    /// The token for a request to `endpoint`; `nil` without a good one.
    func token(for endpoint: Endpoint, at now: Instant) -> UInt64? {
        guard token != 0, proved == endpoint, let tokenReceived else { return nil }
        return now.since(tokenReceived) < Self.tokenLifetime ? token : nil
    }

    /// Whether the peer is known by another key than this one.
    func isNew(_ boxKey: BoxPublicKey) -> Bool { sendKey.map { $0 != boxKey } ?? false }

    /// The peer answered, from `endpoint`.
    mutating func answered(from endpoint: Endpoint, boxKey: BoxPublicKey, token: UInt64, at now: Instant) {
        laneKey = boxKey
        sendKey = boxKey
        proved = endpoint
        self.token = token
        tokenReceived = now
        lastAccepted = now
    }
}

/// Sessions by identity, bounded.
struct SessionTable: Sendable {
    /// A peer may ask this much at once, in seconds of its rate.
    static let budgetBurstSeconds: UInt32 = 2
    /// Peers remembered in open mode, where nobody says how many there are.
    static let openCapacity = 16_384
    /// A session in which nothing was accepted for this long guards against no replay any more.
    private static let idleLimit = TokenMint.epochLength * 2

    var capacity: Int
    private let start: UInt64
    private let budgetRate: UInt32
    private var sessions: [Session] = []
    private var indices: [Identity: Int] = [:]
    /// What peers had sent that were forgotten because nobody admits them: should somebody, none of it counts
    /// again.
    private var retired: [Identity: ReplayGuard] = [:]

    /// `start`: microseconds since 1970 when the node started.
    init(capacity: Int, start: UInt64, budgetRate: UInt32) {
        self.capacity = capacity
        self.start = start
        self.budgetRate = budgetRate
    }

    var count: Int { sessions.count }

    func index(of identity: Identity) -> Int? { indices[identity] }

    subscript(index: Int) -> Session {
        get { sessions[index] }
        _modify { yield &sessions[index] }
    }

    subscript(identity: Identity) -> Session? { indices[identity].map { sessions[$0] } }

    /// A new session without a place in the table.
    func fresh(for identity: Identity, at now: Instant) -> Session {
        Session(
            identity: identity,
            replay: retired[identity] ?? ReplayGuard(start: start),
            budget: TokenBucket(
                rate: budgetRate,
                burst: budgetRate &* Self.budgetBurstSeconds,
                at: now
            ),
            at: now
        )
    }

    /// The session's place, made if need be; `nil` when the table is full of sessions that still guard
    /// something.
    mutating func place(for identity: Identity, at now: Instant) -> Int? {
        if let index = indices[identity] { return index }
        let session = fresh(for: identity, at: now)
        if sessions.count < capacity {
            retired[identity] = nil
            sessions.append(session)
            indices[identity] = sessions.count - 1
            return sessions.count - 1
        }
        guard
            let oldest = sessions.indices.min(by: { sessions[$0].lastAccepted < sessions[$1].lastAccepted }),
            now.since(sessions[oldest].lastAccepted) >= Self.idleLimit
        else { return nil }
        indices[sessions[oldest].identity] = nil
        retired[identity] = nil
        sessions[oldest] = session
        indices[identity] = oldest
        return oldest
    }

    /// Forgets peers that are no longer admitted.
    mutating func keep(where isKept: (Identity) -> Bool) {
        for session in sessions where !isKept(session.identity) { retired[session.identity] = session.replay }
        sessions.removeAll { !isKept($0.identity) }
        indices = Dictionary(uniqueKeysWithValues: sessions.enumerated().map { ($1.identity, $0) })
    }
}
