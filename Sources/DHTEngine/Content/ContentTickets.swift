import DHTCore
import DHTEnvelope

// Content and the store: what became of tickets, and what is to be forgotten.

extension GatedEngine where Keeper: ~Copyable {
    /// The store is done with a ticket of ours.
    mutating func completeTransfer(
        _ ticket: Ticket,
        with outcome: StorageOutcome,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let errand = transfers.errands.removeValue(forKey: ticket) else { return }
        switch errand {
        case .outline(let reference):
            noteStored(.outline, of: reference, outcome.refusal)
            written(reference, outcome.refusal, at: now, into: &actions)
        case .piece(let reference, let index):
            noteStored(.piece(index), of: reference, outcome.refusal)
            written(reference, outcome.refusal, at: now, into: &actions)
        case .imported(let operation, let reference, let index):
            noteStored(index.map { .piece($0) } ?? .outline, of: reference, outcome.refusal)
            imported(operation, reference, outcome.refusal, at: now, into: &actions)
        case .part(let name):
            var stored: StoredPart?
            if case .part(let read) = outcome { stored = read }
            partLoaded(name, stored, isReadable: outcome.refusal == nil, at: now, into: &actions)
        case .survey:
            guard case .surveyed(let digests) = outcome else { return }
            transfers.touchUploads(at: now.instant)
            let forgotten = transfers.inventory.forget(unreferred: digests, at: now.instant)
            guard !forgotten.isEmpty else { return }
            let removal = transfers.ticket(for: .removal)
            actions.append(.apply(removal, forgotten.map { .removeContent($0) }))
        case .removal: break
        }
    }

    private mutating func noteStored(
        _ part: ContentPart,
        of reference: ContentReference,
        _ refusal: Response.Refusal?
    ) {
        if refusal == nil {
            transfers.inventory.note(part, of: reference.digest)
            transfers.mending.noteWritten(part, of: reference.digest)
            counters.mended = transfers.mending.mended
        } else if part == .outline {
            transfers.inventory.lost(.outline, of: reference.digest)
        }
    }

    private mutating func written(
        _ reference: ContentReference,
        _ refusal: Response.Refusal?,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        transfers.incoming[reference]?.unwritten -= 1
        if let refusal {
            guard let state = transfers.incoming.removeValue(forKey: reference) else { return }
            return abandon(state, refusal, isUndelivered: false, at: now, into: &actions)
        }
        pursueIncoming(reference, at: now, into: &actions)
    }

    private mutating func partLoaded(
        _ name: PartName,
        _ stored: StoredPart?,
        isReadable: Bool,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let isKnown = transfers.inventory[name.content] != nil
        let bytes = isReadable ? sound(stored, as: name, at: now) : nil
        if isKnown, transfers.inventory[name.content] == nil {
            // Without its outline, and without a record, it is good for nothing.
            actions.append(.apply(transfers.ticket(for: .removal), [.removeContent(name.content)]))
        }
        // What is only looked at is not at hand for others, whom the disk is to be read for.
        if let bytes, transfers.loads[name]?.contains(where: { $0 != .mending }) == true {
            transfers.cache.insert(bytes, as: name)
        }
        for recipient in transfers.loads.removeValue(forKey: name) ?? [] {
            deliver(bytes, as: name, to: recipient, at: now, into: &actions)
        }
    }

    /// Content the store holds at start.
    package mutating func restore(_ content: StoredContent, at now: Now) {
        transfers.inventory.restore(content, at: now.instant)
        transfers.nextSurvey = now.instant + Transfers.surveyInterval
        noteRestored(content, at: now)
    }

    /// Looks now and then for content that no record refers to.
    mutating func surveyContent(at now: Now, into actions: inout [EngineAction]) {
        guard let survey = transfers.nextSurvey, survey <= now.instant else { return }
        let isEmpty = transfers.inventory.holdings.isEmpty
        transfers.nextSurvey = isEmpty ? nil : now.instant + Transfers.surveyInterval
        if !isEmpty { actions.append(.survey(transfers.ticket(for: .survey))) }
    }
}

extension StorageOutcome {
    /// Why nothing came of it, if nothing did.
    var refusal: Response.Refusal? {
        switch self {
        case .loaded, .part, .surveyed, .applied: nil
        case .full: .quota
        case .unavailable: .unavailable
        }
    }
}
