import DHTCore
import DHTEnvelope

// Content and the store: outcomes of tickets, and content that is to be forgotten.

extension ContentTransfers {
    /// The store is done with a ticket of ours.
    mutating func complete(
        _ ticket: Ticket,
        with outcome: StorageOutcome,
        _ turn: inout ContentTurn
    ) {
        guard let purpose = tickets.removeValue(forKey: ticket) else { return }
        switch purpose {
        case .outline(let reference):
            onPartStored(.outline, of: reference, outcome.refusal)
            written(reference, outcome.refusal, &turn)
        case .piece(let reference, let index):
            onPartStored(.piece(index), of: reference, outcome.refusal)
            written(reference, outcome.refusal, &turn)
        case .imported(let operation, let reference, let index):
            onPartStored(index.map { .piece($0) } ?? .outline, of: reference, outcome.refusal)
            imported(operation, reference, outcome.refusal, &turn)
        case .part(let name):
            var stored: StoredPart?
            if case .part(let read) = outcome { stored = read }
            partLoaded(name, stored, isReadable: outcome.refusal == nil, &turn)
        case .survey:
            guard case .surveyed(let digests) = outcome else { return }
            touchUploads(at: turn.now.instant)
            let forgotten = inventory.forget(unreferred: digests, at: turn.now.instant)
            guard !forgotten.isEmpty else { return }
            let removal = self.ticket(for: .removal)
            turn.perform(.apply(removal, forgotten.map { .removeContent($0) }))
        case .removal: break
        }
    }

    private mutating func onPartStored(
        _ part: ContentPart,
        of reference: ContentReference,
        _ refusal: Response.Refusal?
    ) {
        if refusal == nil {
            inventory.record(part, of: reference.digest)
            mending.recordWrite(part, of: reference.digest)
        } else if part == .outline {
            inventory.lost(.outline, of: reference.digest)
        }
    }

    private mutating func written(
        _ reference: ContentReference,
        _ refusal: Response.Refusal?,
        _ turn: inout ContentTurn
    ) {
        incoming[reference]?.unwritten -= 1
        if let refusal {
            guard let state = incoming.removeValue(forKey: reference) else { return }
            return abandon(state, refusal, isUndelivered: false, &turn)
        }
        pursueIncoming(reference, &turn)
    }

    private mutating func partLoaded(
        _ name: PartName,
        _ stored: StoredPart?,
        isReadable: Bool,
        _ turn: inout ContentTurn
    ) {
        let isKnown = inventory[name.content] != nil
        let bytes = isReadable ? sound(stored, as: name, &turn) : nil
        if isKnown, inventory[name.content] == nil {
            // Without its outline, and without a record, the content is good for nothing.
            turn.perform(.apply(ticket(for: .removal), [.removeContent(name.content)]))
        }
        // A part that is only looked at is not kept at hand: for others the disk is to be read.
        if let bytes, loads[name]?.contains(where: { $0 != .mending }) == true {
            cache.insert(bytes, as: name)
        }
        for recipient in loads.removeValue(forKey: name) ?? [] {
            deliver(bytes, as: name, to: recipient, &turn)
        }
    }

    /// Content the store holds at start.
    mutating func restore(_ content: StoredContent, at now: Now) {
        inventory.restore(content, at: now.instant)
        timers[.survey] = now.instant + Self.surveyInterval
        onRestored(content, at: now.instant)
    }

    /// Looks now and then for content that no record refers to.
    mutating func surveyContent(_ turn: inout ContentTurn) {
        guard timers.take(.survey, at: turn.now.instant), !inventory.holdings.isEmpty else { return }
        timers[.survey] = turn.now.instant + Self.surveyInterval
        turn.perform(.survey(ticket(for: .survey)))
    }
}

extension StorageOutcome {
    /// Why the ticket failed; `nil`: it did not.
    var refusal: Response.Refusal? {
        switch self {
        case .loaded, .part, .surveyed, .applied: nil
        case .full: .quota
        case .unavailable: .unavailable
        }
    }
}
