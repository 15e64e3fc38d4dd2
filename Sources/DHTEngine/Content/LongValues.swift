import DHTCore
import DHTEnvelope

// Long values: the engine tells their machine of events, and does the steps that follow.

extension GatedEngine where Keeper: ~Copyable {
    /// Content that is being brought or sent for users.
    package var transferStates: [TransferState] { transfers.states }

    /// Lets something happen to long values, and does what follows.
    mutating func transfer(
        in turn: inout EngineTurn,
        _ event: (inout ContentTransfers, inout ContentTurn) -> Void
    ) {
        let steps = steps(at: turn.now, event)
        gatherCounters()
        for step in steps {
            switch step {
            case .perform(let action): turn.actions.append(action)
            case .ask(let call, let contact, let request):
                start(call, contact, request, isConfigured: false, in: &turn)
            case .drop(let call): drop(call)
            case .reply(let id, let response): reply(id, response, in: &turn)
            case .applied(let ticket, let outcome):
                tellCore(in: &turn) { $0.applied(ticket, outcome, in: &$1) }
            case .report(let offence, let peer): core.record(offence, of: peer, at: turn.now.instant)
            case .imported(let id, let put): proceed(with: put, as: id, in: &turn)
            case .givenUp(let id, let put, let refusal):
                desk.giveUp(id, put, at: turn.now)
                if let refusal { turn.actions.append(.finished(id, .unstorable(refusal))) }
            }
        }
    }

    /// The state that the machine looks at is let go of before any of it changes: nothing is copied.
    private mutating func steps(
        at now: Now,
        _ event: (inout ContentTransfers, inout ContentTurn) -> Void
    ) -> [ContentTurn.Step] {
        var turn = ContentTurn(
            at: now,
            identity: identity,
            table: core.table,
            catalog: core.catalog,
            revisions: desk.order.revisions
        )
        event(&transfers, &turn)
        return turn.steps
    }

    /// Takes over the counts of the machines.
    mutating func gatherCounters() {
        (counters.replication, counters.evictions) = (core.replication.counters, core.catalog.evictions)
        counters.losses = core.catalog.losses + transfers.mending.lost
        counters.mended = transfers.mending.mended
        counters.chunksServed = transfers.counters.chunksServed
        counters.chunksFetched = transfers.counters.chunksFetched
        counters.contentAbandoned = transfers.counters.abandoned
        counters.brokenParts = transfers.counters.brokenParts
        counters.slowParts = transfers.counters.slowParts
    }

    /// Answers a request that is about content, or begins the work for it; `false`: the core is to answer.
    mutating func handleContent(
        _ id: RequestID,
        _ inbound: Gate.InboundRequest,
        from sender: Contact,
        in turn: inout EngineTurn
    ) -> Bool {
        switch inbound.request {
        case .findChunk(let content, let part, let chunk):
            guard inbound.isLive else {
                reply(id, .retry, in: &turn)
                return true
            }
            let name = PartName(content: content, part: part)
            transfer(in: &turn) { transfers, turn in
                transfers.asked(for: Int(chunk), of: name, by: sender.identity, id, &turn)
            }
            return true
        case .store(let record, let condition):
            guard inbound.isLive, let reference = record.reference else { return false }
            if transfers.inventory.isComplete(reference) { return false }
            // Content of a record that is not to be kept need not be brought.
            switch core.judgement(of: record, condition, from: sender.identity, at: turn.now).decision {
            case .keep, .same: break
            case .conflict, .refuse: return false
            }
            transfer(in: &turn) { transfers, turn in
                let answer = transfers.offered(record, reference, by: sender, &turn)
                turn.reply(id, answer)
            }
            return true
        case .ping, .findNode, .findValue, .passOn, .findRoster, .join: return false
        }
    }

    /// The user of a value that is read piece by piece is ready for the next one: `piece` tells it, or
    /// `finished` that there is none. Until then nothing is to be pulled. `false`: it is over, or was never
    /// begun.
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func pull(_ id: OperationID, in turn: inout EngineTurn) -> Bool {
        var isUnderWay = false
        transfer(in: &turn) { transfers, turn in isUnderWay = transfers.pull(id, &turn) }
        return isUnderWay
    }

    /// Content the store holds at start.
    package mutating func restore(_ content: StoredContent, at now: Now) {
        transfers.restore(content, at: now)
        gatherCounters()
    }
}
