import DHTCore
import DHTEnvelope

// Content here that is not what it was: found, asked of others, and written back.

extension GatedEngine where Keeper: ~Copyable {
    /// The bytes of a part that was read, if they are what they must be; else it is lost.
    mutating func sound(_ stored: StoredPart?, as name: PartName, at now: Now) -> [UInt8]? {
        guard let reference = transfers.inventory[name.content]?.reference else { return nil }
        guard let stored else {
            noteLost(name.part, of: reference, at: now)
            return nil
        }
        guard let digests = reference.digests(in: stored.outline) else {
            noteLost(.outline, of: reference, at: now)
            return nil
        }
        if case .piece(let index) = name.part,
            index >= digests.count || !digests[index].isDigest(of: stored.bytes)
        {
            noteLost(name.part, of: reference, at: now)
            return nil
        }
        return stored.bytes
    }

    private mutating func noteLost(_ part: ContentPart, of reference: ContentReference, at now: Now) {
        guard let holding = transfers.inventory[reference.digest], holding.has(part) else { return }
        transfers.inventory.lost(part, of: reference.digest)
        if holding.isReferred {
            transfers.mending.noteLost(1, of: reference.digest, isSeen: false, at: now.instant)
        }
        countLosses()
    }

    /// Records, and parts of content.
    mutating func countLosses() { counters.losses = core.catalog.losses + transfers.mending.lost }

    /// Content that a record refers to, and of which the store lacked some at start.
    mutating func noteRestored(_ content: StoredContent, at now: Now) {
        transfers.mending.start(at: now.instant)
        guard content.isReferred else { return }
        let missing = content.reference.pieceCount - Set(content.pieces).count + (content.hasOutline ? 0 : 1)
        guard missing > 0 else { return }
        transfers.mending.noteLost(missing, of: content.reference.digest, isSeen: true, at: now.instant)
        countLosses()
    }

    /// Looks at what is due, and brings what is lost.
    mutating func mendContent(at now: Now, into actions: inout [EngineAction]) {
        guard let deadline = transfers.mending.deadline, deadline <= now.instant else { return }
        if let look = nextLook(at: now) { read(look.piece, of: look.content, into: &actions) }
        for content in transfers.mending.begin(at: now.instant) {
            mend(content, at: now, into: &actions)
        }
    }

    private mutating func nextLook(at now: Now) -> (content: Digest, piece: Int)? {
        let inventory = transfers.inventory
        return transfers.mending.nextLook(
            among: { inventory.holdings.keys.sorted() },
            pieces: { inventory[$0]?.pieces.sorted() ?? [] },
            at: now.instant
        )
    }

    /// From the disk, whatever is at hand.
    private mutating func read(_ piece: Int, of content: Digest, into actions: inout [EngineAction]) {
        let name = PartName(content: content, part: .piece(piece))
        transfers.loads[name, default: []].append(.mending)
        guard transfers.loads[name]?.count == 1 else { return }
        actions.append(.loadPart(transfers.ticket(for: .part(name)), of: name.content, name.part))
    }

    private mutating func mend(_ content: Digest, at now: Now, into actions: inout [EngineAction]) {
        guard let holding = transfers.inventory[content], holding.isReferred, !holding.isComplete else {
            return transfers.mending.heal(content, at: now.instant)
        }
        let reference = holding.reference
        // Somebody else brings it: how that ends is how this does.
        guard transfers.incoming[reference] == nil else { return }
        guard let location = holding.location else {
            return transfers.mending.noteFailure(of: content, at: now.instant)
        }
        let sources = closest(to: location, having: reference, at: now)
        guard !sources.isEmpty, transfers.incoming.count < Transfers.incomingLimit else {
            return transfers.mending.postpone(content, at: now.instant)
        }
        transfers.inventory.expect(reference, for: .unknown, at: now.instant)
        var fetch = ContentFetch(reference, pieces: holding.pieces)
        for contact in sources { fetch.add(contact) }
        transfers.incoming[reference] = .init(
            fetch: fetch,
            location: location,
            sender: identity,
            // Nobody offered a record: this is for all that refer to the content.
            record: content,
            begun: now.instant,
            grown: now.instant
        )
        watchTransfers(at: now)
        pursueIncoming(reference, at: now, into: &actions)
    }

    /// Content is brought no more: all of it is there, or it could not be had.
    mutating func endMending(of reference: ContentReference, at now: Now) {
        guard transfers.mending.isWounded(reference.digest) else { return }
        if transfers.inventory.isComplete(reference) || transfers.inventory[reference.digest] == nil {
            transfers.mending.heal(reference.digest, at: now.instant)
        } else {
            transfers.mending.noteFailure(of: reference.digest, at: now.instant)
        }
        counters.mended = transfers.mending.mended
    }
}
