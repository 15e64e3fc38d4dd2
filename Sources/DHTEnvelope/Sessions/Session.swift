import DHTCore
import DHTCrypto

/// One process of a peer, as its box key shows it. `docs/protocol.md`, section 5.
package struct Session: Sendable {
    /// Addresses remembered.
    package static let addressLimit = 4
    /// A session lasts a day at least, as its key may be current for so long, and ends when nothing was heard
    /// for this long after: every challenge that could begin it again is bad by then.
    package static let leastAge = KeyRing.boxKeyPeriod
    package static let idleLimit = ChallengeMint.epochLength * 4

    package let boxKey: BoxPublicKey
    /// Counters of its requests.
    var window: ReplayWindow
    /// Where the process proved to receive, the newest first.
    private(set) var addresses: [Endpoint]
    let begunAt: Instant
    var heardAt: Instant

    /// `floor`: this counter and all below it count as seen.
    init(boxKey: BoxPublicKey, floor: UInt64, at endpoint: Endpoint, now: Instant) {
        self.boxKey = boxKey
        window = ReplayWindow(through: floor)
        addresses = [endpoint]
        (begunAt, heardAt) = (now, now)
    }

    mutating func prove(_ endpoint: Endpoint) {
        guard addresses.first != endpoint else { return }
        addresses.removeAll { $0 == endpoint }
        addresses.insert(endpoint, at: 0)
        if addresses.count > Self.addressLimit { addresses.removeLast() }
    }

    func isOver(at now: Instant) -> Bool {
        now.since(begunAt) >= Self.leastAge && now.since(heardAt) >= Self.idleLimit
    }
}

/// The prospect of our next request to a peer: whether it is likely to be live.
struct Prospect: Sendable {
    /// How long a challenge is good at least.
    static let challengeLifetime = ChallengeMint.epochLength

    /// The box key of the peer's process, the id of our box key that it knows, and where the process was.
    let peerKey: BoxPublicKey
    let ownKey: UInt32
    let endpoint: Endpoint
    /// The challenge that the process sent; 0: it knows us as we are.
    let challenge: UInt64
    let at: Instant

    func isPromising(at now: Instant) -> Bool {
        challenge == 0 || now.since(at) < Self.challengeLifetime
    }
}

/// The state that the gate keeps of one admitted peer.
struct PeerState: Sendable {
    /// Sessions of an identity; its own next one takes the place of the one heard least lately.
    static let sessionLimit = 4

    let identity: Identity
    /// The peer's sessions, the latest begun first.
    var sessions: [Session] = []
    var budget: TokenBucket
    /// Part of every challenge: with an older number none can begin a session again that had to make room.
    var generation: UInt32 = 0
    var heardAt: Instant

    /// The identity's own conversion, once it was needed.
    var staticKey: BoxPublicKey?
    /// The box key our requests are for: the last one shown by a live request or an answer.
    var sendKey: BoxPublicKey?
    /// Where the last answer came from, or the last challenge was answered.
    var proved: Endpoint?
    var answeredAt: Instant?
    var prospect: Prospect?
    /// The last challenge the peer sent.
    var challenge: UInt64 = 0
    /// The counter of our last request to the peer under `counterKey`, our box key's id.
    var counter: UInt64
    var counterKey: UInt32?

    init(identity: Identity, budget: TokenBucket, counter: UInt64, at now: Instant) {
        (self.identity, self.budget, self.counter) = (identity, budget, counter)
        heardAt = now
    }

    /// Inlined: else all of the state would be copied for it, for each datagram.
    @inline(__always) func session(_ boxKey: BoxPublicKey) -> Int? {
        sessions.firstIndex { $0.boxKey == boxKey }
    }

    /// A session begins. Returns those that end: if one has to for this one, no challenge made so far begins
    /// it again.
    mutating func begin(_ session: Session) -> [Session] {
        var ended = sessions.filter { $0.isOver(at: session.begunAt) }
        sessions.removeAll { $0.isOver(at: session.begunAt) }
        if sessions.count >= Self.sessionLimit,
            let stalest = sessions.indices.min(by: { sessions[$0].heardAt < sessions[$1].heardAt })
        {
            ended.append(sessions.remove(at: stalest))
            generation &+= 1
        }
        sessions.insert(session, at: 0)
        return ended
    }
}
