import DHTCore
import DHTCrypto
import DHTEnvelope

/// The roster of a node as a machine: whose is newer, how the newer one comes here, and who is told.
///
/// Every PING shows which roster its sender holds. A node that sees a newer one asks for its head, looks at
/// that, and fetches the text as a long value; one that sees an older one, or has just come to hold another,
/// tells of it, by PING. `docs/protocol.md`, section 12.
struct RosterDesk: Sendable {
    /// The purpose of a request of ours.
    enum Purpose: Hashable, Sendable {
        case head(RosterMark, of: Identity)
        case chunk(ContentFetch.ChunkRequest)
        case tell
    }

    enum Timer: Int, CaseIterable, Sendable { case tell, compare, look }

    /// Marks of others; more than a routing table holds.
    static let markLimit = 4096
    /// Between two times that the same peer is told of the same roster, unless we published it.
    static let tellingInterval = Interval.seconds(5)
    /// Contacts told at once by a node that comes to hold another roster, and so many more each ``pace``.
    static let firstTold = 8
    static let toldAtOnce = 4
    static let pace = Interval.milliseconds(20)
    /// The first are told so much after a roster came to count: an answer that names none means the roster
    /// that its request told of, and all that were sent before told of another.
    static let firstPause = Interval.milliseconds(1)
    /// As many of those told in a row that had it already, and the others will have it from others.
    static let enoughHadIt = 6
    /// A node that published a roster tells those that lack it again after the pace, doubled each time to
    /// this.
    static let longestPause = Interval.seconds(1)
    /// For so long.
    static let publishing = Interval.seconds(30)
    /// Between two contacts that are asked by PING whose is newer, when nothing else makes that known.
    static let comparing = Interval.seconds(20)

    var keeper: RosterKeeper
    /// The rule of the operator's own lists.
    private var local: AdmissionPolicy
    var counters = RosterCounters()

    private var adoptedAt: Instant?
    /// The last word of others.
    private var marks: [Identity: (mark: RosterMark, since: Instant)] = [:]
    private var toldAt: [Identity: Instant] = [:]
    var claims = RosterClaims()
    /// Peers that gave wrong parts of a text.
    var liars = ContentLiars()
    /// A newer one that an administrator signed, and that is not here.
    var lacking: (head: RosterHead, missing: MissingRoster)?
    /// The last one that no administrator signed.
    var refused: RosterMark?
    var unreadable: RosterMark?
    var fetch: RosterFetch?
    var calls: [CallID: Purpose] = [:]
    var telling = RosterTelling()
    var timers = TimerTable<Timer>()
    private var nextName: UInt64 = 0

    /// A node whose operator's lists say this.
    init(network: NetworkID, local: AdmissionPolicy) {
        self.local = local
        keeper = RosterKeeper(network: network, pinned: local.administrators, revoked: local.revoked)
    }

    /// The rule that counts.
    var policy: AdmissionPolicy { keeper.policy(local) }

    /// When ``advance(_:)`` has something to do.
    var deadline: Instant? { timers.next }

    /// A peer's last word on the roster it holds, and since when it says so; `nil`: it said nothing yet.
    func word(of peer: Identity) -> (mark: RosterMark, since: Instant)? { marks[peer] }

    /// The newest roster that others hold and we could not get. The word of one peer alone is none: whoever
    /// would be believed without a signature could make every node say so.
    var missing: MissingRoster? {
        let own = keeper.mark.serial
        if let missing = lacking?.missing, missing.mark.serial > own { return missing }
        var words: [RosterMark: (count: Int, since: Instant)] = [:]
        for word in marks.values where word.mark.serial > own {
            let known = words[word.mark]
            words[word.mark] = ((known?.count ?? 0) + 1, min(known?.since ?? word.since, word.since))
        }
        let believed = words.filter { $0.value.count > 1 }
        guard let newest = believed.max(by: { $0.key.serial < $1.key.serial }) else { return nil }
        var missing = MissingRoster(mark: newest.key, since: newest.value.since)
        if newest.key == refused { missing.reason = .unsigned }
        return missing
    }

    /// The collections that others can make grow.
    var bounds: [Bound] {
        [
            Bound("rosters of peers", marks.count, of: Self.markLimit),
            Bound("offers of rosters", claims.count, of: RosterClaims.limit),
            Bound("liars about rosters", liars.count, of: ContentLiars.capacity),
        ]
    }

    // MARK: Events

    /// The process begins; `roster`: of the one before it, or one that the operator starts the node with.
    mutating func begin(with roster: Roster?, at now: Instant) {
        if let roster {
            keeper.adopt(roster)
            adoptedAt = now
        }
        if keeper.isFollowing { timers[.compare] = now + Self.comparing }
    }

    /// The operator has other lists.
    mutating func replace(_ local: AdmissionPolicy, _ turn: inout RosterTurn) {
        self.local = local
        (keeper.pinned, keeper.revoked) = (local.administrators, local.revoked)
        reviewFetch(&turn)
        if keeper.isFollowing { timers.start(.compare, at: turn.now + Self.comparing) }
    }

    /// A peer said which roster it holds, in a live request or in an answer.
    mutating func heard(_ mark: RosterMark, from contact: Contact, _ turn: inout RosterTurn) {
        guard keeper.isFollowing else { return }
        if marks[contact.identity] == nil, marks.count >= Self.markLimit {
            let known = Set(turn.table.contacts.map(\.contact.identity))
            marks = marks.filter { known.contains($0.key) }
            toldAt = toldAt.filter { known.contains($0.key) }
            guard marks.count < Self.markLimit else { return }
        }
        if marks[contact.identity]?.mark != mark { marks[contact.identity] = (mark, turn.now) }
        if timers[.compare] == nil { timers[.compare] = turn.now + Self.comparing }
        let own = keeper.mark
        if mark == own {
            telling.hadIt(contact.identity)
        } else if mark.serial < own.serial {
            telling.lacked(contact.identity)
            if !telling.isToTell(contact.identity) { remind(contact, &turn) }
        } else if mark != unreadable, mark.serial > own.serial || keeper.conflict == nil {
            offered(RosterClaims.Claim(mark: mark, contact: contact), &turn)
        }
    }

    /// A call of ours was answered. `isClear`: it was sent once only.
    mutating func answered(
        _ id: CallID,
        by contact: Contact,
        isClear: Bool,
        _ response: Response,
        _ turn: inout RosterTurn
    ) {
        guard let purpose = calls.removeValue(forKey: id) else { return }
        let now = turn.now
        switch purpose {
        case .head(let mark, let peer):
            claims.ended(peer)
            if case .roster(let head) = response { return judge(head, offeredAs: mark, by: contact, &turn) }
            claims.distrust(peer, at: now)
            inquire(&turn)
        case .chunk(let request):
            progress(request, &turn) { fetch in
                fetch.heard(from: request.contact.identity, at: now)
                switch response {
                case .chunk(let bytes): return fetch.answered(request, bytes, isClear: isClear, at: now)
                case .absent: fetch.lacks(request)
                default: fetch.failed(request)
                }
                return nil
            }
        case .tell: break
        }
    }

    /// A call of ours has not been answered in the usual time; it may still be.
    mutating func overdue(_ id: CallID, sent: Instant, _ turn: inout RosterTurn) {
        guard case .chunk(let request) = calls[id] else { return }
        progress(request, &turn) { fetch in
            fetch.overdue(request, sent: sent)
            return nil
        }
    }

    /// A call of ours will not be answered.
    mutating func failed(_ id: CallID, _ turn: inout RosterTurn) {
        switch calls.removeValue(forKey: id) {
        case .head(_, let peer):
            claims.ended(peer)
            claims.distrust(peer, at: turn.now)
            inquire(&turn)
        case .chunk(let request):
            progress(request, &turn) { fetch in
                fetch.failed(request)
                return nil
            }
        case .tell, nil: break
        }
    }

    /// The meaning of an answer to PING that names no roster: its responder holds the one it was told of, if
    /// that was ours already when it was `sent`.
    func mark(impliedBy sent: Instant) -> RosterMark? {
        guard let adoptedAt else { return nil }
        return adoptedAt < sent ? keeper.mark : nil
    }

    /// A roster comes from this node's own user: all contacts are to hear of it from us.
    mutating func publish(_ roster: Roster, _ turn: inout RosterTurn) -> RosterKeeper.Verdict {
        let verdict = keeper.judge(roster.head)
        switch verdict {
        case .newer: adopt(roster, isPublished: true, &turn)
        case .conflict: note(roster.head, &turn)
        case .held: spread(isPublished: true, &turn)
        case .older, .forged, .stranger: break
        }
        return verdict
    }

    /// Those who are admitted no more are forgotten.
    mutating func forget(where isGone: (Identity) -> Bool) {
        marks = marks.filter { !isGone($0.key) }
        toldAt = toldAt.filter { !isGone($0.key) }
        claims.forget(where: isGone)
        fetch?.content.expel(where: isGone)
        telling.forget(where: isGone)
    }

    /// Does the work that has fallen due.
    mutating func advance(_ turn: inout RosterTurn) {
        if timers.take(.tell, at: turn.now) { tellMore(&turn) }
        if timers.take(.look, at: turn.now) { lookAtFetch(&turn) }
        if timers.take(.compare, at: turn.now) { compare(&turn) }
    }

    // MARK: Adopting

    mutating func note(_ head: RosterHead, _ turn: inout RosterTurn) {
        guard keeper.record(conflicting: head), let conflict = keeper.conflict else { return }
        turn.take(.conflicting(conflict))
    }

    mutating func adopt(_ roster: Roster, isPublished: Bool, _ turn: inout RosterTurn) {
        keeper.adopt(roster)
        adoptedAt = turn.now
        counters.adopted += 1
        reviewFetch(&turn)
        turn.take(.adopted(roster))
        toldAt = [:]
        spread(isPublished: isPublished, &turn)
    }

    // MARK: Telling

    /// Begins to tell contacts of the roster held.
    private mutating func spread(isPublished: Bool, _ turn: inout RosterTurn) {
        let own = keeper.mark
        let contacts = turn.table.contacts.filter { $0.reachability.grade != .bad }.map(\.contact)
            .filter { (marks[$0.identity]?.mark.serial ?? 0) < own.serial }
        telling = RosterTelling(contacts, of: own, until: isPublished ? turn.now + Self.publishing : nil)
        timers[.compare] = turn.now + Self.comparing
        timers[.tell] = turn.now + Self.firstPause
    }

    private mutating func tellMore(_ turn: inout RosterTurn) {
        for contact in telling.next(at: turn.now) { tell(contact, &turn) }
        timers[.tell] = telling.due
    }

    /// A peer holds an older one than ours: it is told, unless it was just now.
    private mutating func remind(_ contact: Contact, _ turn: inout RosterTurn) {
        if let last = toldAt[contact.identity], turn.now.since(last) < Self.tellingInterval { return }
        tell(contact, &turn)
    }

    private mutating func tell(_ contact: Contact, _ turn: inout RosterTurn) {
        counters.told += 1
        ping(contact, &turn)
    }

    /// Any PING tells of the roster held, and asks for the other's.
    private mutating func ping(_ contact: Contact, _ turn: inout RosterTurn) {
        toldAt[contact.identity] = turn.now
        ask(contact, .ping(isLeaving: false), .tell, &turn)
    }

    /// Asks one contact after the other which roster it holds: whatever was lost of the telling is made up
    /// for.
    private mutating func compare(_ turn: inout RosterTurn) {
        guard keeper.isFollowing else { return }
        timers[.compare] = turn.now + Self.comparing
        let contacts = turn.table.contacts.filter { $0.reachability.grade == .good }
        let oldest = contacts.min {
            (toldAt[$0.contact.identity] ?? Instant(nanoseconds: 0), $0.contact.identity)
                < (toldAt[$1.contact.identity] ?? Instant(nanoseconds: 0), $1.contact.identity)
        }
        if let oldest { ping(oldest.contact, &turn) }
    }

    mutating func ask(
        _ contact: Contact,
        _ request: Request,
        _ purpose: Purpose,
        _ turn: inout RosterTurn
    ) {
        nextName += 1
        calls[.roster(nextName)] = purpose
        turn.take(.ask(.roster(nextName), contact, request))
    }
}
