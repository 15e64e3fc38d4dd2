import DHTCore

/// The content that this node's store has, in whole or in part, or is to have.
///
/// As long as no record refers to content, all of it counts against bounds, from the moment on when somebody
/// was told that it is wanted: room promised to one is not there for another.
struct ContentInventory: Sendable {
    /// On whose account content is brought until a record refers to it.
    enum Owner: Hashable, Sendable {
        /// Our own users put it.
        case users
        /// A member offered a record of this author.
        case member(author: Identity, sender: Identity)
        /// The content was here when we started.
        case unknown
    }

    /// The record for which content is here, or was to come.
    struct Claim: Hashable, Sendable {
        let location: NodeID
        let author: Identity
        let revision: Revision

        init(_ record: Record) {
            (location, author, revision) = (record.location, record.author, record.revision)
        }

        func isOfSamePlace(as other: Claim) -> Bool {
            location == other.location && author == other.author
        }
    }

    struct Entry: Sendable {
        let reference: ContentReference
        fileprivate(set) var owner: Owner
        /// The store was told of the content.
        fileprivate(set) var isBegun = false
        /// The store has the outline.
        fileprivate(set) var hasOutline = false
        /// Pieces the store has, and their bytes.
        fileprivate(set) var pieces: Set<Int> = []
        fileprivate(set) var heldBytes: UInt32 = 0
        /// The content is on its way here.
        fileprivate(set) var isAwaited = false
        /// A record of ours refers to it, as far as we know.
        fileprivate(set) var isReferred = false
        /// Where that record belongs.
        fileprivate(set) var location: NodeID?
        /// No record refers to the content any more, as it seems.
        fileprivate(set) var isParting = false
        /// The one place whose record the content is for, by the last revision known there; `nil`: nobody
        /// knows, or there are several.
        fileprivate(set) var claim: Claim?
        fileprivate var isShared = false
        /// When a part last came, or our own users had to do with the content. Requests of strangers prolong
        /// nothing.
        fileprivate(set) var touched: Instant

        var isComplete: Bool { hasOutline && pieces.count == reference.pieceCount }

        /// Bytes the content counts with: all that were promised, or those left lying when that came to
        /// nothing.
        var charge: Int {
            if isReferred { return 0 }
            let bytes = isAwaited || isComplete ? reference.length : heldBytes
            return max(Int(bytes), ContentInventory.leastCharge)
        }

        func has(_ part: ContentPart) -> Bool {
            switch part {
            case .outline: hasOutline
            case .piece(let index): pieces.contains(index)
            }
        }
    }

    /// Content no record refers to is kept for this long, so that a transfer that was broken off can go on.
    static let grace = Interval.minutes(10)
    /// Content is kept for this long after its record was seen to be gone, so that its readers can end.
    static let afterlife = Interval.minutes(2)
    /// Bytes of content no record refers to, at most. More is not taken on.
    static let looseLimit = 256 << 20
    /// Of these, the bytes that only our own users can take.
    static let reserve = 64 << 20
    static let strangeLimit = looseLimit - reserve
    /// For the records of one author, and for the offers of one member.
    static let limitByAuthor = 64 << 20
    static let limitBySender = 64 << 20
    /// Content that nobody had to do with for so long may give way to other content on the same account.
    static let dormancy = Interval.seconds(30)
    /// Bytes that content counts with at least, however short it is.
    static let leastCharge = 4096

    private(set) var holdings: [Digest: Entry] = [:]
    /// Bytes of content no record refers to: in all, those not our users', and these by author and by sender.
    private(set) var loose = 0
    private var strange = 0
    private var byAuthor: [Identity: Int] = [:]
    private var bySender: [Identity: Int] = [:]
    /// Bytes that records began to refer to since content was last surveyed.
    private(set) var unseen = 0

    // MARK: Events

    /// The content is to come here: from now on there is room for all of it.
    mutating func expect(_ reference: ContentReference, for owner: Owner, at now: Instant) {
        change(reference.digest) { holding in
            var next = holding ?? Entry(reference: reference, owner: owner, touched: now)
            if next.owner != .users { next.owner = owner }
            next.isAwaited = true
            holding = next
        }
    }

    /// The content is for this record.
    mutating func claim(_ digest: Digest, for record: Record) {
        guard holdings[digest]?.isShared == false else { return }
        let claim = Claim(record)
        if let before = holdings[digest]?.claim {
            holdings[digest]?.isShared = !before.isOfSamePlace(as: claim)
            holdings[digest]?.claim =
                before.isOfSamePlace(as: claim) ? (claim.revision > before.revision ? claim : before) : nil
        } else {
            holdings[digest]?.claim = claim
        }
    }

    /// Makes room for content by forgetting content that is worth less: first what was replaced, whose record
    /// is gone or is one of the claims given, and then, on the same account, what nobody had to do with
    /// lately. Returns the content forgotten; `nil`, and none is, if that is not enough.
    mutating func makeRoom(
        for reference: ContentReference,
        of owner: Owner,
        replaced: Set<Claim>,
        at now: Instant
    ) -> [Digest]? {
        var (next, forgotten) = (self, [Digest]())
        for holding in expendable(for: owner, replaced: replaced, at: now) {
            let lack = next.lack(for: reference, of: owner)
            guard !lack.isEmpty else { break }
            let digest = holding.reference.digest
            guard digest != reference.digest, !lack.isDisjoint(with: Bound.all(of: holding.owner, owner))
            else {
                continue
            }
            next.change(digest) { $0 = nil }
            forgotten.append(digest)
        }
        guard next.hasRoom(for: reference, of: owner) else { return nil }
        self = next
        return forgotten
    }

    /// The content comes no more, or is there. Returns whether the store has a beginning of it that is good
    /// for nothing.
    mutating func expectNoMore(_ digest: Digest) -> Bool {
        var isUseless = false
        change(digest) { holding in
            holding?.isAwaited = false
            guard let known = holding, known.pieces.isEmpty, !known.isReferred else { return }
            isUseless = known.isBegun
            holding = nil
        }
        return isUseless
    }

    /// Our users want the content no more. Returns whether the store need not keep it.
    mutating func drop(_ digest: Digest) -> Bool {
        guard let known = holdings[digest], known.isBegun, !known.isReferred, !known.isAwaited,
            known.owner == .users
        else { return false }
        change(digest) { $0 = nil }
        return true
    }

    /// The store is told of the content; `false` if it was before.
    mutating func begin(_ reference: ContentReference, for owner: Owner, at now: Instant) -> Bool {
        if holdings[reference.digest] == nil { expect(reference, for: owner, at: now) }
        guard holdings[reference.digest]?.isBegun == false else { return false }
        holdings[reference.digest]?.isBegun = true
        return true
    }

    /// The store has this part now.
    mutating func record(_ part: ContentPart, of digest: Digest) {
        change(digest) { holding in
            switch part {
            case .outline: holding?.hasOutline = true
            case .piece(let index):
                guard let length = holding?.reference.length(of: part),
                    holding?.pieces.insert(index).inserted == true
                else { return }
                holding?.heldBytes += UInt32(length)
            }
        }
    }

    /// The store does not have this part after all.
    mutating func lost(_ part: ContentPart, of digest: Digest) {
        change(digest) { holding in
            switch part {
            case .outline:
                // The outline is written anew before pieces that are missing; pieces that are there stay.
                if holding?.isReferred == true {
                    holding?.isBegun = false
                    holding?.hasOutline = false
                } else {
                    holding = nil
                }
            case .piece(let index):
                guard let length = holding?.reference.length(of: part),
                    holding?.pieces.remove(index) != nil
                else { return }
                holding?.heldBytes -= UInt32(length)
            }
        }
    }

    mutating func touch(_ digest: Digest, at now: Instant) { holdings[digest]?.touched = now }

    /// A record that refers to the content is being stored at `location`; `nil`: that is known.
    mutating func setReferred(_ digest: Digest, by location: NodeID? = nil, at now: Instant) {
        change(digest) { holding in
            holding?.isReferred = true
            if let location { holding?.location = location }
            holding?.isParting = false
            holding?.touched = now
        }
        unseen += Int(holdings[digest]?.reference.length ?? 0)
    }

    mutating func restore(_ content: StoredContent, at now: Instant) {
        change(content.reference.digest) { holding in
            var next = Entry(reference: content.reference, owner: .unknown, touched: now)
            (next.isBegun, next.hasOutline) = (content.hasOutline, content.hasOutline)
            (next.isReferred, next.location) = (content.isReferred, content.location)
            next.pieces = Set(content.pieces)
            for index in next.pieces {
                next.heldBytes += UInt32(content.reference.length(of: .piece(index)) ?? 0)
            }
            holding = next
        }
    }

    /// No record refers to these: forgets, and returns, those that nobody had to do with for long.
    mutating func forget(unreferred digests: [Digest], at now: Instant) -> [Digest] {
        unseen = 0
        let parting = holdings.filter { $0.value.isParting }.keys
        for digest in Set(parting).subtracting(digests) {
            // Its record was just on its way to the store.
            change(digest) { holding in
                holding?.isReferred = true
                holding?.isParting = false
            }
        }
        return digests.filter { digest in
            guard let holding = holdings[digest], !holding.isAwaited else { return false }
            if holding.isReferred {
                change(digest) { holding in
                    holding?.isReferred = false
                    holding?.isParting = true
                    holding?.touched = now
                }
                return false
            }
            let grace = holding.isParting ? Self.afterlife : Self.grace
            guard now.since(holding.touched) >= grace else { return false }
            change(digest) { $0 = nil }
            return true
        }
    }

    // MARK: Queries

    subscript(digest: Digest) -> Entry? { holdings[digest] }

    /// Bytes of content that is on its way here for members, and no record refers to.
    var promised: Int {
        holdings.values.lazy.filter { $0.isAwaited && $0.owner != .users }.reduce(0) { $0 + $1.charge }
    }

    func isComplete(_ reference: ContentReference) -> Bool {
        holdings[reference.digest].map { $0.reference == reference && $0.isComplete } ?? false
    }

    /// Whether the content may be taken on before a record refers to it.
    func hasRoom(for reference: ContentReference, of owner: Owner) -> Bool {
        lack(for: reference, of: owner).isEmpty
    }

    /// The records for which content is here to which none refers.
    var looseClaims: [Claim] { holdings.values.filter { !$0.isReferred }.compactMap(\.claim) }

    // MARK: Room

    /// A bound on the bytes of content.
    private enum Bound: Hashable {
        case all
        case strangers
        case author
        case sender

        /// The bounds by which content of one owner counts and that of the other as well.
        static func all(of owner: Owner, _ other: Owner) -> Set<Bound> {
            var bounds: Set<Bound> = owner == .users ? [.all] : [.all, .strangers]
            if case .member(let author, let sender) = owner, case .member(let next, let bringer) = other {
                if author == next { bounds.insert(.author) }
                if sender == bringer { bounds.insert(.sender) }
            }
            return bounds
        }
    }

    /// The bounds beyond which the content would be.
    private func lack(for reference: ContentReference, of owner: Owner) -> Set<Bound> {
        let known = holdings[reference.digest]
        if known?.isReferred == true || known?.owner == .users { return [] }
        let charge = max(Int(reference.length), Self.leastCharge)
        // The bytes of the content that are here count already, on somebody's account.
        let counted = known?.charge ?? 0
        var lack: Set<Bound> = loose - counted + charge > Self.looseLimit ? [.all] : []
        guard case .member(let author, let sender) = owner else { return lack }
        var (ofAuthor, ofSender) = (byAuthor[author, default: 0], bySender[sender, default: 0])
        if case .member(let before, let bringer) = known?.owner {
            if before == author { ofAuthor -= counted }
            if bringer == sender { ofSender -= counted }
        }
        if strange - counted + charge > Self.strangeLimit { lack.insert(.strangers) }
        if ofAuthor + charge > Self.limitByAuthor { lack.insert(.author) }
        if ofSender + charge > Self.limitBySender { lack.insert(.sender) }
        return lack
    }

    /// The content that may be forgotten in favour of such an owner, the least worth first.
    private func expendable(for owner: Owner, replaced: Set<Claim>, at now: Instant) -> [Entry] {
        let loose = holdings.values.filter { !$0.isAwaited && !$0.isReferred }
        func isReplaced(_ holding: Entry) -> Bool {
            holding.isParting || holding.claim.map { replaced.contains($0) } == true
        }
        func isDormant(_ holding: Entry) -> Bool {
            guard now.since(holding.touched) >= Self.dormancy else { return false }
            switch (holding.owner, owner) {
            case (.unknown, _), (.users, .users): return true
            case (.member(let author, let sender), .member(let next, let bringer)):
                return author == next || sender == bringer
            default: return false
            }
        }
        func byAge(_ first: Entry, _ second: Entry) -> Bool {
            (first.touched, first.reference.digest) < (second.touched, second.reference.digest)
        }
        return loose.filter { isReplaced($0) }.sorted(by: byAge)
            + loose.filter { !isReplaced($0) && isDormant($0) }.sorted(by: byAge)
    }

    // MARK: Private

    /// Lets something happen to a holding, and counts it as what it is then.
    private mutating func change(_ digest: Digest, _ body: (inout Entry?) -> Void) {
        if let before = holdings[digest] { count(before.owner, -before.charge) }
        body(&holdings[digest])
        if let after = holdings[digest] { count(after.owner, after.charge) }
    }

    private mutating func count(_ owner: Owner, _ bytes: Int) {
        loose += bytes
        guard owner != .users else { return }
        strange += bytes
        guard case .member(let author, let sender) = owner else { return }
        Self.count(&byAuthor, author, bytes)
        Self.count(&bySender, sender, bytes)
    }

    private static func count(_ sums: inout [Identity: Int], _ identity: Identity, _ bytes: Int) {
        let sum = sums[identity, default: 0] + bytes
        sums[identity] = sum == 0 ? nil : sum
    }
}
