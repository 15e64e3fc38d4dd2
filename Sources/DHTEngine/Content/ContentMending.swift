import DHTCore
import DHTEnvelope

// Content here that is not what it was: found, asked of others, and written back.

extension ContentTransfers {
    /// The bytes of a part that was read, if they are what they must be; else it is lost.
    mutating func sound(_ stored: StoredPart?, as name: PartName, _ turn: inout ContentTurn) -> [UInt8]? {
        guard let reference = inventory[name.content]?.reference else { return nil }
        guard let stored else {
            onLoss(name.part, of: reference, &turn)
            return nil
        }
        guard let digests = reference.digests(in: stored.outline) else {
            onLoss(.outline, of: reference, &turn)
            return nil
        }
        if case .piece(let index) = name.part,
            index >= digests.count || !digests[index].isDigest(of: stored.bytes)
        {
            onLoss(name.part, of: reference, &turn)
            return nil
        }
        return stored.bytes
    }

    private mutating func onLoss(
        _ part: ContentPart,
        of reference: ContentReference,
        _ turn: inout ContentTurn
    ) {
        guard let holding = inventory[reference.digest], holding.has(part) else { return }
        inventory.lost(part, of: reference.digest)
        if holding.isReferred {
            mending.recordLoss(1, of: reference.digest, isSeen: false, at: turn.now.instant)
        }
    }

    /// Content that a record refers to, and of which the store lacked some at start.
    mutating func onRestored(_ content: StoredContent, at now: Instant) {
        mending.start(at: now)
        guard content.isReferred else { return }
        let missing = content.reference.pieceCount - Set(content.pieces).count + (content.hasOutline ? 0 : 1)
        guard missing > 0 else { return }
        mending.recordLoss(missing, of: content.reference.digest, isSeen: true, at: now)
    }

    /// Looks at what is due, and brings what is lost.
    mutating func mendContent(_ turn: inout ContentTurn) {
        guard let deadline = mending.deadline, deadline <= turn.now.instant else { return }
        if let look = nextLook(&turn) { read(look.piece, of: look.content, &turn) }
        for content in mending.begin(at: turn.now.instant) {
            mend(content, &turn)
        }
    }

    private mutating func nextLook(_ turn: inout ContentTurn) -> (content: Digest, piece: Int)? {
        let inventory = inventory
        return mending.nextLook(
            among: { inventory.holdings.keys.sorted() },
            pieces: { inventory[$0]?.pieces.sorted() ?? [] },
            at: turn.now.instant
        )
    }

    /// From the disk, whatever is at hand.
    private mutating func read(_ piece: Int, of content: Digest, _ turn: inout ContentTurn) {
        let name = PartName(content: content, part: .piece(piece))
        loads[name, default: []].append(.mending)
        guard loads[name]?.count == 1 else { return }
        turn.perform(.loadPart(ticket(for: .part(name)), of: name.content, name.part))
    }

    private mutating func mend(_ content: Digest, _ turn: inout ContentTurn) {
        guard let holding = inventory[content], holding.isReferred, !holding.isComplete else {
            return mending.heal(content, at: turn.now.instant)
        }
        let reference = holding.reference
        // Somebody else brings it: how that ends is how this does.
        guard incoming[reference] == nil else { return }
        guard let location = holding.location else {
            return mending.recordFailure(of: content, at: turn.now.instant)
        }
        let sources = closest(to: location, having: reference, &turn)
        guard !sources.isEmpty, incoming.count < Self.incomingLimit else {
            return mending.postpone(content, at: turn.now.instant)
        }
        inventory.expect(reference, for: .unknown, at: turn.now.instant)
        var fetch = ContentFetch(reference, pieces: holding.pieces)
        for contact in sources { fetch.add(contact) }
        incoming[reference] = .init(
            fetch: fetch,
            location: location,
            sender: turn.identity,
            // Nobody offered a record: this is for all that refer to the content.
            record: content,
            begun: turn.now.instant,
            grown: turn.now.instant
        )
        watchTransfers(&turn)
        pursueIncoming(reference, &turn)
    }

    /// Content is brought no more: all of it is there, or it could not be had.
    mutating func endMending(of reference: ContentReference, _ turn: inout ContentTurn) {
        guard mending.isWounded(reference.digest) else { return }
        if inventory.isComplete(reference) || inventory[reference.digest] == nil {
            mending.heal(reference.digest, at: turn.now.instant)
        } else {
            mending.recordFailure(of: reference.digest, at: turn.now.instant)
        }
    }
}
