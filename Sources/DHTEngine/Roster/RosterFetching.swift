import DHTCore
import DHTEnvelope

/// The text of a roster on its way to us: an administrator signed its head.
struct RosterFetch: Sendable {
    /// Between two looks at whether it gets on.
    static let lookInterval = Interval.seconds(1)
    /// Nothing comes for so long, and it is given up.
    static let patience = Interval.seconds(30)

    let head: RosterHead
    var content: ContentFetch
    private(set) var text: [UInt8]
    /// When a part last came, or the fetch began.
    private(set) var grown: Instant
    /// Peers that were asked for a part, and those of them that gave one.
    private var asked: Set<Identity> = []
    private var givers: Set<Identity> = []

    init(_ head: RosterHead, at now: Instant) {
        self.head = head
        content = ContentFetch(head.text)
        text = [UInt8](repeating: 0, count: Int(head.text.length))
        grown = now
    }

    /// Peers that were asked, and gave no part.
    var idle: Set<Identity> { asked.subtracting(givers) }

    mutating func nextRequests(at now: Instant) -> [ContentFetch.ChunkRequest] {
        let requests = content.nextRequests(limit: ContentTransfers.partLimit, at: now)
        for request in requests { asked.insert(request.contact.identity) }
        return requests
    }

    /// A peer made this part whole.
    mutating func take(_ part: ContentFetch.CompletedPart, from giver: Identity, at now: Instant) {
        grown = now
        givers.insert(giver)
        if case .piece(let bytes, let index) = part {
            let start = index * ContentLayout.pieceLength
            text.replaceSubrange(start..<start + bytes.count, with: bytes)
        }
    }
}

// How a newer roster comes here: its head, which a signature proves to be genuine, and then its text.

extension RosterDesk {
    /// A peer holds a roster that may be newer than ours, or is another of the same serial.
    mutating func offered(_ claim: RosterClaims.Claim, _ turn: inout RosterTurn) {
        if let head = fetch?.head, head.mark == claim.mark {
            // One that is silent or dawdles is passed over by the fetch itself.
            return addSource(claim.contact, &turn)
        }
        guard !claims.isDistrusted(claim.contact.identity, at: turn.now) else { return }
        claims.add(claim)
        inquire(&turn)
    }

    /// Asks for heads of rosters above the one held, and above the one that is being fetched.
    mutating func inquire(_ turn: inout RosterTurn) {
        let (own, fetched) = (keeper.mark, fetch?.head.serial)
        while let claim = claims.next(
            at: turn.now,
            { mark in
                mark.serial < own.serial || mark == own || fetched.map { mark.serial <= $0 } ?? false
            }
        ) {
            ask(claim.contact, .findRoster, .head(claim.mark, of: claim.contact.identity), &turn)
        }
    }

    /// A peer that showed `mark` gave this head.
    mutating func judge(
        _ head: RosterHead,
        offeredAs mark: RosterMark,
        by contact: Contact,
        _ turn: inout RosterTurn
    ) {
        // It said that it holds another, and can only have come to hold a newer one since.
        if head.mark != mark, head.serial <= mark.serial { claims.distrust(contact.identity, at: turn.now) }
        switch keeper.judge(head) {
        case .newer: begin(head, from: contact, &turn)
        case .conflict: note(head, &turn)
        case .forged, .stranger:
            counters.refused += 1
            refused = head.mark
            claims.distrust(contact.identity, at: turn.now)
        case .held, .older: break
        }
        inquire(&turn)
    }

    private mutating func begin(_ head: RosterHead, from contact: Contact, _ turn: inout RosterTurn) {
        guard head.mark != unreadable else { return }
        if let current = fetch?.head {
            guard head.mark == current.mark || head.serial > current.serial else { return }
            if head.mark == current.mark { return addSource(contact, &turn) }
            endFetch(&turn)
        }
        if lacking?.head.mark != head.mark {
            lacking = (head, MissingRoster(mark: head.mark, since: turn.now))
        }
        let holders = ([contact] + claims.takeHolders(of: head.mark)).filter {
            !liars.contains($0.identity, of: head.text.digest, at: turn.now)
        }
        guard !holders.isEmpty else { return }
        var fetch = RosterFetch(head, at: turn.now)
        for holder in holders { fetch.content.add(holder) }
        self.fetch = fetch
        timers[.look] = turn.now + RosterFetch.lookInterval
        pursue(&turn)
    }

    /// One more holds the roster that is being fetched.
    private mutating func addSource(_ contact: Contact, _ turn: inout RosterTurn) {
        guard let digest = fetch?.head.text.digest,
            !liars.contains(contact.identity, of: digest, at: turn.now)
        else { return }
        fetch?.content.add(contact, isOffer: true)
        pursue(&turn)
    }

    /// Has what takes too long be asked of others, and gives up what does not come at all.
    mutating func lookAtFetch(_ turn: inout RosterTurn) {
        guard let fetch else { return }
        guard turn.now.since(fetch.grown) < RosterFetch.patience else { return abandonFetch(&turn) }
        self.fetch?.content.takeBackSlow(at: turn.now)
        timers[.look] = turn.now + RosterFetch.lookInterval
        pursue(&turn)
    }

    /// Something happens to a request for a chunk.
    mutating func progress(
        _ request: ContentFetch.ChunkRequest,
        _ turn: inout RosterTurn,
        _ body: (inout ContentFetch) -> ContentFetch.CompletedPart?
    ) {
        guard var fetch else { return }
        self.fetch = nil
        if let part = body(&fetch.content) { fetch.take(part, from: request.contact.identity, at: turn.now) }
        for liar in fetch.content.takeLiars() {
            claims.distrust(liar, at: turn.now)
            liars.record(liar, of: fetch.head.text.digest, at: turn.now)
        }
        let isComplete = fetch.content.isComplete
        self.fetch = fetch
        if isComplete { finish(fetch, &turn) } else { pursue(&turn) }
    }

    private mutating func pursue(_ turn: inout RosterTurn) {
        guard let requests = fetch?.nextRequests(at: turn.now), let digest = fetch?.head.text.digest else {
            return
        }
        for request in requests {
            let chunk = Request.findChunk(content: digest, part: request.part, chunk: UInt8(request.chunk))
            ask(request.contact, chunk, .chunk(request), &turn)
        }
        if fetch?.content.isStuck == true { abandonFetch(&turn) }
    }

    /// Nobody gives the text: whoever gave nothing of it is not believed for a while.
    private mutating func abandonFetch(_ turn: inout RosterTurn) {
        for peer in fetch?.idle.sorted() ?? [] { claims.distrust(peer, at: turn.now) }
        endFetch(&turn)
        inquire(&turn)
    }

    /// A roster that is being fetched may count no more: its signer was dropped, or there is a newer one.
    mutating func reviewFetch(_ turn: inout RosterTurn) {
        if let lacking, keeper.judge(lacking.head) != .newer { self.lacking = nil }
        if let fetch, keeper.judge(fetch.head) != .newer { endFetch(&turn) }
    }

    private mutating func endFetch(_ turn: inout RosterTurn) {
        fetch = nil
        timers[.look] = nil
        for (id, purpose) in calls.sorted(by: { $0.key < $1.key }) {
            guard case .chunk = purpose else { continue }
            calls[id] = nil
            turn.take(.drop(id))
        }
    }

    private mutating func finish(_ fetch: RosterFetch, _ turn: inout RosterTurn) {
        endFetch(&turn)
        counters.fetched += 1
        // While it was under way there may have come a newer one, or other administrators.
        guard keeper.judge(fetch.head) == .newer else { return inquire(&turn) }
        do throws(AllowlistError) {
            adopt(try Roster(fetch.head, fetch.text, file: "roster"), isPublished: false, &turn)
        } catch {
            counters.unreadable += 1
            unreadable = fetch.head.mark
            lacking?.missing.reason = .unreadable
        }
        inquire(&turn)
    }
}
