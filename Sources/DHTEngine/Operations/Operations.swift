import DHTCore
import DHTCrypto
import DHTEnvelope

// Users' operations: the engine does what the desk says, and tells it how that went.

extension GatedEngine where Keeper: ~Copyable {
    /// A user asks for something. `finished` tells how it ended.
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func submit(_ operation: Operation, as id: OperationID, in turn: inout EngineTurn) {
        let location = operation.writtenKey.map { sha1($0) }
        take(desk.begin(operation, as: id, in: surroundings(of: location), at: turn.now), for: id, in: &turn)
    }

    /// A user is about to put a value under a key, which has still to come: its turn is now. The turn ends
    /// with the put of that name, or when that is cancelled.
    package mutating func reserveWrite(_ id: OperationID, of key: [UInt8], at now: Now) {
        let surroundings = surroundings(of: sha1(key))
        desk.reserve(id, of: key, importing: transfers.imports.count, in: surroundings, at: now)
    }

    /// Writes that have their turn.
    package var openWrites: Int { desk.order.count }

    /// Writes a value whose content is in our store.
    mutating func proceed(with put: Operation.Put, as id: OperationID, in turn: inout EngineTurn) {
        let surroundings = surroundings(of: sha1(put.key))
        take(desk.proceed(with: put, as: id, in: surroundings, at: turn.now), for: id, in: &turn)
    }

    /// The core is done with an operation.
    mutating func finish(_ id: OperationID, _ outcome: KademliaOutcome, in turn: inout EngineTurn) {
        let surroundings = surroundings(of: desk.location(of: id))
        // A record may have come before its author was expelled.
        let outcome = outcome.records { gate.admission.mayWrite($0.author) }
        take(desk.finish(id, outcome, in: surroundings, at: turn.now), for: id, in: &turn)
    }

    private func surroundings(of location: NodeID?) -> OperationDesk.Surroundings {
        OperationDesk.Surroundings(
            identity: identity,
            catalogued: location.flatMap { core.catalog.entry(at: $0, by: identity)?.revision },
            isAlone: core.table.count == 0
        )
    }

    private mutating func take(
        _ steps: [OperationDesk.Step],
        for id: OperationID,
        in turn: inout EngineTurn
    ) {
        var inner = KademliaTurn(at: turn.now)
        for step in steps {
            switch step {
            case .submit(let operation): core.submit(operation, as: id, in: &inner)
            case .ping(let peer):
                let operation = KademliaOperation.ping(peer, id: gate.admission.nodeID(of: peer))
                core.submit(operation, as: id, in: &inner)
            case .sign(let signing):
                let record = gate.sign(signing.draft)
                transfers.beginUpload(of: record)
                let operation = desk.signed(record, by: signing, as: id)
                core.submit(operation, as: id, in: &inner)
            case .remember(let revisions, let location): turn.actions.append(.signed(revisions, at: location))
            case .importContent(let put):
                transfer(in: &turn) { $0.importContent(of: put, as: id, &$1) }
            case .fetch(let record, let contacts, let isStreamed):
                let outlet = isStreamed ? ReadingOutlet() : nil
                transfer(in: &turn) { transfers, turn in
                    transfers.fetch(record, from: contacts, through: outlet, as: id, &turn)
                }
            case .uploadEnded(let record): transfers.endUpload(of: record)
            case .finished(let outcome): turn.actions.append(.finished(id, outcome))
            }
        }
        perform(inner.actions, in: &turn)
    }

    // MARK: Values that are kept alive

    /// Keys whose values are kept alive, and those that are no more though nobody said so, with how each
    /// stands.
    package var renewalStates: [RenewalState] { desk.kept.states }

    /// How many values are kept, and of how many the last renewal failed; and how many are kept no more.
    package var renewalCounts: (kept: Int, failing: Int, stopped: Int) {
        (desk.kept.entries.count, desk.kept.failing, desk.kept.stopped.count)
    }

    package var hasRenewedChanges: Bool {
        @_specialize(exported:true,where Keeper == Gate)
        get { !desk.kept.changes.isEmpty }
    }

    /// The kept values that are to be stored since the last call, by key; `nil`: the value is kept no more.
    package mutating func takeRenewedChanges() -> [[UInt8]: RenewedValue?] { desk.takeRenewedChanges() }

    /// News of kept values for the operator, if there are any: once a minute at most.
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func takeRenewalNews(at now: Instant) -> RenewalNews? { desk.takeRenewalNews(at: now) }

    /// Goes on with values that a process before us kept and that have not ended meanwhile, within the bound.
    package mutating func restoreRenewed(_ keys: [RenewedValue], at now: Now) {
        desk.restoreRenewed(keys, at: now)
    }

    /// The last revisions of ours, from the process before this one: new ones will be above.
    package mutating func remember(_ revisions: [NodeID: OwnRevisions]) { desk.remember(revisions) }

    /// Renews the values that are due.
    mutating func renewValues(in turn: inout EngineTurn) {
        for (name, read) in desk.dueRenewals(at: turn.now) { take([.submit(read)], for: name, in: &turn) }
    }
}

extension Operation {
    /// The key under which it writes, if it does.
    fileprivate var writtenKey: [UInt8]? {
        switch self {
        case .put(let put): put.key
        case .delete(let key): key
        case .get, .fetch, .read, .ping, .trace, .leave: nil
        }
    }
}

extension KademliaOutcome {
    /// The outcome with these records only.
    fileprivate func records(where counts: (Record) -> Bool) -> KademliaOutcome {
        guard case .got(var outcome) = self else { return self }
        outcome.found.removeAll { !counts($0.record) }
        if let ahead = outcome.ahead, !counts(ahead) { outcome.ahead = nil }
        return .got(outcome)
    }
}
