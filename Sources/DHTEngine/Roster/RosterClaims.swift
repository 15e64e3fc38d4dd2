import DHTCore
import DHTEnvelope

/// The word of peers that say they hold a roster which we lack: who is asked for it next, and who is not
/// asked for a while, because nothing came of it.
struct RosterClaims: Sendable {
    /// A peer, and the mark it showed.
    struct Claim: Hashable, Sendable {
        let mark: RosterMark
        let contact: Contact
    }

    /// Peers whose word is remembered, for as long as it is of use.
    static let limit = 16
    /// Peers asked for a head at once: one that is silent does not keep others from being asked.
    static let askedAtOnce = 3
    /// A peer that told of a roster which is none, or cannot be had, is asked no more for so long.
    static let distrust = Interval.seconds(30)

    private var claims: [Claim] = []
    private var asked: Set<Identity> = []
    private var distrusted: [Identity: Instant] = [:]

    var count: Int { claims.count }

    func isDistrusted(_ peer: Identity, at now: Instant) -> Bool {
        distrusted[peer].map { $0 > now } ?? false
    }

    /// Takes in a peer's word, in the place of the one before.
    mutating func add(_ claim: Claim) {
        claims.removeAll { $0.contact.identity == claim.contact.identity }
        if claims.count >= Self.limit { claims.removeFirst() }
        claims.append(claim)
    }

    /// The claim to be looked into now: the highest, of those by peers that are not being asked. `isOver`: it
    /// is of no use any more.
    mutating func next(at now: Instant, _ isOver: (RosterMark) -> Bool) -> Claim? {
        claims = claims.filter { !isOver($0.mark) && !isDistrusted($0.contact.identity, at: now) }
        guard asked.count < Self.askedAtOnce,
            let best = claims.filter({ !asked.contains($0.contact.identity) })
                .max(by: { $0.mark.serial < $1.mark.serial })
        else { return nil }
        claims.removeAll { $0 == best }
        asked.insert(best.contact.identity)
        return best
    }

    /// The peer that was asked answered, or will not.
    mutating func ended(_ peer: Identity) { asked.remove(peer) }

    /// Nothing came of the peer's word.
    mutating func distrust(_ peer: Identity, at now: Instant) {
        distrusted = distrusted.filter { $0.value > now }
        if distrusted.count < RosterDesk.markLimit { distrusted[peer] = now + Self.distrust }
    }

    /// Those that showed this mark.
    mutating func takeHolders(of mark: RosterMark) -> [Contact] {
        defer { claims.removeAll { $0.mark == mark } }
        return claims.filter { $0.mark == mark }.map(\.contact)
    }

    mutating func forget(where isGone: (Identity) -> Bool) {
        claims.removeAll { isGone($0.contact.identity) }
        distrusted = distrusted.filter { !isGone($0.key) }
    }
}
