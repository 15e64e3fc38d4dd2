import DHTCore
import DHTCrypto

/// Peers and their sessions, bounded. `docs/protocol.md`, section 5.
///
/// Knows no cryptography: the messages it is told of were authenticated, and the maker of challenges tells
/// whether one is good.
package struct SessionTable: Sendable {
    /// A peer may ask this much at once, in seconds of its rate.
    static let budgetBurstSeconds: UInt32 = 2
    /// Peers remembered in open mode, where nobody says how many there are.
    package static let openCapacity = 16_384
    /// In open mode a full table forgets this share of them at a time.
    private static let forgottenShare = 8
    /// A process that is heard this long after a later one began runs beside it.
    private static let successionLength = Interval.seconds(10)
    /// Such a process counts as running for this long after it was heard.
    private static let twinMemory = Interval.minutes(20)

    /// The verdict on an authenticated request.
    package struct Acceptance: Hashable, Sendable {
        /// The request may change state.
        package var isLive = false
        /// The request answered a challenge: its address was not proved before.
        package var provesAddress = false
        /// The peer is another process than before.
        package var isNewProcess = false
        /// The peer has another process that runs at the same time, and was last there.
        package var twin: Endpoint?

        package init(isLive: Bool = false, provesAddress: Bool = false) {
            (self.isLive, self.provesAddress) = (isLive, provesAddress)
        }
    }

    /// How a request stands before it is opened.
    package enum Familiarity: Hashable, Sendable {
        /// Of a session that is known.
        case known
        /// A first contact of a process whose first contacts are remembered.
        case remembered
        case unknown
    }

    package private(set) var capacity: Int
    package private(set) var firstContacts = FirstContacts()
    private let isOpen: Bool
    private let budgetRate: UInt32
    private var peers: [PeerState] = []
    private var indices: [Identity: Int] = [:]
    /// The highest counter of ours toward peers that were forgotten.
    private var counterFloor: UInt64 = 0
    /// Challenges made so far could begin a session again that was forgotten.
    private var hasForgotten = false

    /// `members`: how many there can be; `nil` if nobody knows.
    package init(members: Int?, budgetRate: UInt32) {
        isOpen = members == nil
        capacity = members.map { max($0, 1) } ?? Self.openCapacity
        self.budgetRate = budgetRate
    }

    package var count: Int { peers.count }
    package var sessionCount: Int { peers.reduce(0) { $0 + $1.sessions.count } }

    subscript(identity: Identity) -> PeerState? { indices[identity].map { peers[$0] } }

    subscript(place place: Int) -> PeerState {
        get { peers[place] }
        _modify { yield &peers[place] }
    }

    // MARK: Requests

    /// How a request stands that has this counter; `nil` if it was seen, or is too old to tell.
    package func familiarity(
        of identity: Identity,
        _ boxKey: BoxPublicKey,
        sending counter: UInt64
    ) -> Familiarity? {
        if let place = indices[identity], let session = peers[place].session(boxKey) {
            return peers[place].sessions[session].window.isNew(counter) ? .known : nil
        }
        return firstContacts.familiarity(of: identity, boxKey, sending: counter)
    }

    /// Whether the request was seen, or is too old to tell.
    package func hasSeen(_ counter: UInt64, of identity: Identity, _ boxKey: BoxPublicKey) -> Bool {
        familiarity(of: identity, boxKey, sending: counter) == nil
    }

    /// Charges one verification to the peer, or to the process that is no session yet. It is no proof of
    /// whose doing it is: no signature was looked at.
    package mutating func charge(_ identity: Identity, _ boxKey: BoxPublicKey, at now: Instant) -> Bool {
        if let place = indices[identity], peers[place].session(boxKey) != nil {
            return peers[place].budget.take(at: now)
        }
        return firstContacts.charge(identity, boxKey, at: now)
    }

    /// Whether ``charge(_:_:at:)`` would succeed.
    func canCharge(_ identity: Identity, _ boxKey: BoxPublicKey, at now: Instant) -> Bool {
        if let place = indices[identity], peers[place].session(boxKey) != nil {
            return peers[place].budget.holdsOne(at: now)
        }
        return firstContacts.canCharge(identity, boxKey, at: now)
    }

    /// Whether that process proved to receive there: else a challenge may prove it.
    package func isProved(_ identity: Identity, _ boxKey: BoxPublicKey, at endpoint: Endpoint) -> Bool {
        guard let place = indices[identity], let known = peers[place].session(boxKey) else { return false }
        return peers[place].sessions[known].addresses.contains(endpoint)
    }

    /// The number that goes into the peer's challenges: once it rises, older challenges cannot begin a
    /// session again that ended.
    package func generation(of identity: Identity) -> UInt32 {
        indices[identity].map { peers[$0].generation } ?? 0
    }

    /// Takes in an authenticated request; `answersChallenge`: it carries a good one. `nil`: there is no room
    /// for one more peer.
    package mutating func accept(
        _ counter: UInt64,
        of identity: Identity,
        _ boxKey: BoxPublicKey,
        from endpoint: Endpoint,
        answersChallenge: Bool,
        at now: Instant
    ) -> Acceptance? {
        guard let place = place(for: identity, at: now) else { return nil }
        var acceptance = Acceptance()
        peers[place].heardAt = now
        if let known = peers[place].session(boxKey) {
            peers[place].sessions[known].window.mark(counter)
            peers[place].sessions[known].heardAt = now
            if peers[place].sessions[known].addresses.contains(endpoint) {
                acceptance.isLive = true
            } else if answersChallenge {
                acceptance = Acceptance(isLive: true, provesAddress: true)
            }
            if acceptance.isLive { acceptance.twin = twin(of: known, at: place, now) }
        } else if answersChallenge {
            acceptance = Acceptance(isLive: true, provesAddress: true)
            acceptance.isNewProcess = peers[place].sendKey != nil
            begin(Session(boxKey: boxKey, floor: counter, at: endpoint, now: now), at: place)
        } else {
            firstContacts.record(counter, of: identity, boxKey, at: now)
        }
        guard acceptance.isLive else { return acceptance }
        if let known = peers[place].session(boxKey) { peers[place].sessions[known].prove(endpoint) }
        peers[place].sendKey = boxKey
        if acceptance.provesAddress { peers[place].proved = endpoint }
        return acceptance
    }

    /// Another process of the peer that runs beside this one: it began later, or is still heard though this
    /// one did.
    private func twin(of session: Int, at place: Int, _ now: Instant) -> Endpoint? {
        guard let latest = peers[place].sessions.first,
            now.since(latest.begunAt) >= Self.successionLength
        else { return nil }
        if session > 0 { return latest.addresses.first }
        let older = peers[place].sessions.dropFirst().first { other in
            other.heardAt.since(latest.begunAt) >= Self.successionLength
                && now.since(other.heardAt) < Self.twinMemory
        }
        return older?.addresses.first
    }

    private mutating func begin(_ session: Session, at place: Int) {
        let identity = peers[place].identity
        var session = session
        // Requests answered before the session began, with a higher counter than began it, are not answered
        // again.
        if let seen = firstContacts.window(of: identity, session.boxKey) { session.window.mark(seen) }
        firstContacts.forget(identity, session.boxKey)
        for ended in peers[place].begin(session) {
            firstContacts.retire(ended, of: identity, at: session.begunAt)
        }
    }

    // MARK: Answers

    /// The peer answered one of our requests. `counter`: of its own requests to us, the last. `challenge`: 0
    /// if our request was live. `ownKey`: which of our box keys it knows. `nil`: there is no room. Else
    /// whether the peer is another process than before.
    package mutating func answered(
        _ identity: Identity,
        _ boxKey: BoxPublicKey,
        from endpoint: Endpoint,
        counter: UInt64,
        challenge: UInt64,
        ownKey: UInt32,
        at now: Instant
    ) -> Bool? {
        guard let place = place(for: identity, at: now) else { return nil }
        var isNews = false
        if let known = peers[place].session(boxKey) {
            peers[place].sessions[known].prove(endpoint)
            peers[place].sessions[known].heardAt = now
        } else {
            isNews = peers[place].sendKey != nil
            begin(Session(boxKey: boxKey, floor: counter, at: endpoint, now: now), at: place)
        }
        peers[place].heardAt = now
        peers[place].answeredAt = now
        peers[place].sendKey = boxKey
        peers[place].proved = endpoint
        if challenge != 0 { peers[place].challenge = challenge }
        peers[place].prospect = Prospect(
            peerKey: boxKey,
            ownKey: ownKey,
            endpoint: endpoint,
            challenge: challenge,
            at: now
        )
        return isNews
    }

    /// We answer a live request: the peer will know us by that.
    package mutating func answering(
        _ identity: Identity,
        _ boxKey: BoxPublicKey,
        at endpoint: Endpoint,
        ownKey: UInt32,
        now: Instant
    ) {
        guard let place = indices[identity], peers[place].sendKey == boxKey,
            !peers[place].expectsLife(at: endpoint, ownKey: ownKey, now)
        else { return }
        peers[place].prospect = Prospect(
            peerKey: boxKey,
            ownKey: ownKey,
            endpoint: endpoint,
            challenge: 0,
            at: now
        )
    }

    // MARK: Our requests

    /// Whether the peer's process is known to receive there.
    package func hasProved(_ identity: Identity, at endpoint: Endpoint) -> Bool {
        guard let place = indices[identity] else { return false }
        if peers[place].proved == endpoint { return true }
        guard let sendKey = peers[place].sendKey, let session = peers[place].session(sendKey) else {
            return false
        }
        return peers[place].sessions[session].addresses.contains(endpoint)
    }

    /// Whether a request to the peer is expected to be live.
    package func expectsLife(of identity: Identity, at endpoint: Endpoint, ownKey: UInt32, now: Instant)
        -> Bool
    {
        guard let place = indices[identity] else { return false }
        return peers[place].expectsLife(at: endpoint, ownKey: ownKey, now)
    }

    /// When the peer last answered anything.
    package func answeredAt(_ identity: Identity) -> Instant? {
        indices[identity].flatMap { peers[$0].answeredAt }
    }

    /// The fields of the next request to the peer: its number, and the last challenge the peer sent (0:
    /// none). `nil`: there is no room for the peer.
    package mutating func outgoing(
        for identity: Identity,
        ownKey: UInt32,
        at now: Instant
    ) -> (counter: UInt64, challenge: UInt64)? {
        guard let place = place(for: identity, at: now) else { return nil }
        if peers[place].counterKey != ownKey {
            if peers[place].counterKey != nil { peers[place].counter = 0 }
            peers[place].counterKey = ownKey
        }
        peers[place].counter += 1
        return (peers[place].counter, peers[place].challenge)
    }

    /// The number of our last request to the peer under this key of ours; 0 if there was none.
    package func lastCounter(to identity: Identity, ownKey: UInt32) -> UInt64 {
        guard let place = indices[identity] else { return counterFloor }
        let isOther = peers[place].counterKey.map { $0 != ownKey } ?? false
        return isOther ? 0 : peers[place].counter
    }

    // MARK: Peers

    /// The peer's place, made if need be; `nil` when the table is full.
    mutating func place(for identity: Identity, at now: Instant) -> Int? {
        if let place = indices[identity] { return place }
        if peers.count >= capacity {
            guard isOpen else { return nil }
            forgetStalest()
        }
        let budget = TokenBucket(
            rate: budgetRate,
            burst: budgetRate &* Self.budgetBurstSeconds,
            at: now
        )
        peers.append(PeerState(identity: identity, budget: budget, counter: counterFloor, at: now))
        indices[identity] = peers.count - 1
        return peers.count - 1
    }

    /// Forgets peers that are no longer admitted; now there can be so many. Returns the box keys that were
    /// theirs.
    @discardableResult
    package mutating func keep(members: Int?, where isKept: (Identity) -> Bool) -> [BoxPublicKey] {
        capacity = members.map { max($0, 1) } ?? Self.openCapacity
        let gone = peers.filter { !isKept($0.identity) }
        forget { !isKept($0.identity) }
        return gone.flatMap { peer in
            peer.sessions.map(\.boxKey) + [peer.staticKey, peer.sendKey].compactMap(\.self)
        }
    }

    /// Whether challenges must be made with another secret from now on; told once.
    package mutating func takeForgotten() -> Bool {
        defer { hasForgotten = false }
        return hasForgotten
    }

    private mutating func forgetStalest() {
        let order = peers.sorted { ($0.heardAt, $0.identity) < ($1.heardAt, $1.identity) }
        let gone = Set(order.prefix(max(order.count / Self.forgottenShare, 1)).map(\.identity))
        forget { gone.contains($0.identity) }
    }

    private mutating func forget(where isGone: (PeerState) -> Bool) {
        let count = peers.count
        for peer in peers where isGone(peer) { counterFloor = max(counterFloor, peer.counter) }
        peers.removeAll(where: isGone)
        guard peers.count < count else { return }
        hasForgotten = true
        indices = Dictionary(uniqueKeysWithValues: peers.enumerated().map { ($1.identity, $0) })
    }
}

extension PeerState {
    fileprivate func expectsLife(at endpoint: Endpoint, ownKey: UInt32, _ now: Instant) -> Bool {
        guard let prospect, prospect.peerKey == sendKey, prospect.ownKey == ownKey,
            prospect.endpoint == endpoint
        else { return false }
        return prospect.isPromising(at: now)
    }
}
