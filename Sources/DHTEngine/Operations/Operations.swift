import DHTCore
import DHTCrypto
import DHTEnvelope

/// What a user asked for, while it lasts.
enum PendingOperation: Sendable {
    /// A put or a tombstone.
    case put(Operation.Put, Signing)
    /// What stands under the key is looked for, to see whether the condition holds.
    case conditional(Operation.Put)
    /// Our record is looked for, to be replaced by a tombstone.
    case delete(key: [UInt8])
    /// A kept value of ours is read, to be signed anew. `isOurs`: only our own record is asked for.
    case renewal(NodeID, isOurs: Bool)
    case other
}

extension GatedEngine where Keeper: ~Copyable {
    /// Revisions remembered so that a clock set back does not make a write older than the one before.
    static var revisionCapacity: Int { 65_536 }
    /// A tombstone outlives what it deletes by this much, in seconds: clocks differ.
    private static var tombstoneMargin: UInt64 { 600 }

    mutating func begin(
        _ operation: Operation,
        as id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        var wishes: [KademliaAction] = []
        switch operation {
        case .put(let put):
            if put.isKept, let refusal = kept.promise(put.lifetime, at: sha1(put.key)) {
                endUnsigned(id)
                actions.append(.finished(id, .unkeepable(refusal)))
                return
            }
            kept.beginUse(sha1(put.key))
            if order[id] == nil { beginWrite(id, at: sha1(put.key), now) }
        case .delete(let key):
            kept.beginUse(sha1(key))
            beginWrite(id, at: sha1(key), now)
        case .get, .fetch, .read, .ping, .leave: break
        }
        switch operation {
        case .put(let put) where put.content != nil: importContent(of: put, as: id, at: now, into: &actions)
        case .put(let put): proceed(with: put, as: id, at: now, into: &wishes, &actions)
        case .fetch(let record, let contacts):
            fetch(record, from: contacts, as: id, at: now, into: &actions)
        case .read(let record, let contacts):
            fetch(record, from: contacts, through: ReadingOutlet(), as: id, at: now, into: &actions)
        case .delete(let key):
            operations[id] = .delete(key: key)
            let get = KademliaOperation.get(
                location: sha1(key),
                author: identity,
                replicas: Kademlia.parallelism,
                isExhaustive: false
            )
            core.submit(get, as: id, at: now, into: &wishes)
        case .get(let key, let author, let replicas, let isExhaustive, let paths):
            operations[id] = .other
            let get = KademliaOperation.get(
                location: sha1(key),
                author: author,
                replicas: replicas,
                isExhaustive: isExhaustive,
                paths: paths
            )
            core.submit(get, as: id, at: now, into: &wishes)
        case .ping(let peer):
            operations[id] = .other
            core.submit(.ping(peer, id: gate.admission.nodeID(of: peer)), as: id, at: now, into: &wishes)
        case .leave:
            operations[id] = .other
            core.submit(.leave, as: id, at: now, into: &wishes)
        }
        perform(wishes, at: now, into: &actions)
    }

    /// Writes a value whose content, if it has one, is in our store.
    mutating func proceed(
        with put: Operation.Put,
        as id: OperationID,
        at now: Now,
        into wishes: inout [KademliaAction],
        _ actions: inout [EngineAction]
    ) {
        guard put.condition != nil else {
            return write(put, as: id, at: now, into: &wishes, &actions)
        }
        // Read first: replicas that lack a copy would take what the others refuse. They still check, for
        // those who write meanwhile.
        operations[id] = .conditional(put)
        let get = KademliaOperation.get(
            location: sha1(put.key),
            author: nil,
            replicas: Kademlia.parallelism,
            isExhaustive: false
        )
        core.submit(get, as: id, at: now, into: &wishes)
    }

    /// Signs and sends off a record with the revision that its turn gives it, or one above all we know of
    /// ours under the key. `last`: what was signed before for the same put. `above`: a revision of ours that
    /// was found. `goesBack`: what is far ahead of the clock is passed over.
    mutating func write(
        _ put: Operation.Put,
        after last: Signing? = nil,
        above: Revision? = nil,
        goesBack: Bool = false,
        as id: OperationID,
        at now: Now,
        into wishes: inout [KademliaAction],
        _ actions: inout [EngineAction]
    ) {
        let location = sha1(put.key)
        let turn = order[id] ?? beginWrite(id, at: location, now)
        var revision = turn.revision
        let isAbove = last == nil && above.map { $0 < revision } ?? true
        if !isAbove, order.isLast(id) {
            revision = nextRevision(at: location, above: above, goesBack: goesBack, now)
            revisions[location] = revision
        }
        // A write begun later may have a higher one already.
        actions.append(.signed(revisions[location] ?? revision, at: location))
        let record = gate.sign(
            RecordCodec.Draft(
                kind: put.kind,
                key: put.key,
                revision: revision,
                lifetime: put.lifetime,
                value: put.value
            )
        )
        operations[id] = .put(
            put,
            Signing(
                record: record,
                attempts: (last?.attempts ?? 0) + 1,
                previous: turn.previous,
                hasGoneBack: goesBack || last?.hasGoneBack == true
            )
        )
        transfers.beginUpload(of: record)
        let condition = put.condition ?? (goesBack || last?.hasGoneBack == true ? .anything : nil)
        let operation = KademliaOperation.put(record, condition: condition, copies: put.copies)
        core.submit(operation, as: id, at: now, into: &wishes)
    }

    mutating func finish(
        _ id: OperationID,
        _ outcome: KademliaOutcome,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        guard let operation = operations.removeValue(forKey: id) else { return }
        var wishes: [KademliaAction] = []
        switch (outcome, operation) {
        case (.put(let outcome), .put(let put, let signing)):
            transfers.endUpload(of: signing.record)
            let course = signing.course(
                after: outcome,
                isLast: order.isLast(id),
                unixMilliseconds: now.unixMilliseconds
            )
            switch course {
            case .above(let newer):
                write(put, after: signing, above: newer, as: id, at: now, into: &wishes, &actions)
            case .back: write(put, after: signing, goesBack: true, as: id, at: now, into: &wishes, &actions)
            case .end: written(put, signing, outcome, as: id, at: now, into: &actions)
            }
        case (.got(let outcome), .conditional(let put)):
            if let standing = standing(outcome, against: put.condition) {
                giveUp(id, at: sha1(put.key), isKept: put.isKept, now)
                actions.append(.finished(id, .conflict(standing)))
            } else {
                write(put, as: id, at: now, into: &wishes, &actions)
            }
        case (.got(let outcome), .delete(let key)):
            writeTombstone(key, outcome, as: id, at: now, into: &wishes, &actions)
        case (.got(let outcome), .renewal(let location, let isOurs)):
            renew(location, isOurs: isOurs, outcome, as: id, at: now, into: &wishes, &actions)
        case (.got(let outcome), _): actions.append(.finished(id, .got(outcome)))
        case (.pinged(let roundTrip), _): actions.append(.finished(id, .pinged(roundTrip)))
        case (.left, _): actions.append(.finished(id, .left))
        case (.put, _): preconditionFailure("a put ended that nobody began")
        }
        perform(wishes, at: now, into: &actions)
    }

    /// A user's write is over, and nothing of it was signed.
    mutating func giveUp(_ id: OperationID, at location: NodeID, isKept: Bool, _ now: Now) {
        endUnsigned(id)
        resumeKeeping(at: location, nil, isKept: isKept, now)
    }

    /// What a read found that contradicts a condition; `.some(nil)`: the record it names is not there.
    private func standing(_ outcome: GetOutcome, against condition: Request.Condition?) -> Record?? {
        switch condition {
        case nil, .anything: return nil
        case .absent:
            let value = outcome.found.first { !$0.record.isTombstone }?.record
            return value.map { .some($0) }
        case .revision(let expected):
            let newest = outcome.found.first?.record
            return newest?.revision == expected ? nil : .some(newest)
        }
    }

    /// A put is over.
    private mutating func written(
        _ put: Operation.Put,
        _ signing: Signing,
        _ outcome: PutOutcome,
        as id: OperationID,
        at now: Now,
        into actions: inout [EngineAction]
    ) {
        let record = signing.record
        _ = order.end(id)
        if Signing.isNowhere(outcome), revisions[record.location] == record.revision {
            revisions[record.location] = signing.previous
            actions.append(.signed(signing.previous, at: record.location))
        }
        if id.isRenewal { return renewed(record, outcome, at: now) }
        let written = outcome.stored > 0 ? record : nil
        resumeKeeping(at: record.location, written, isKept: put.isKept, now)
        actions.append(.finished(id, .put(record, outcome)))
    }

    /// Writes the tombstone over what the read found of ours; it lasts as long as what it covers might.
    private mutating func writeTombstone(
        _ key: [UInt8],
        _ outcome: GetOutcome,
        as id: OperationID,
        at now: Now,
        into wishes: inout [KademliaAction],
        _ actions: inout [EngineAction]
    ) {
        guard let standing = outcome.last, !standing.isTombstone else {
            kept.drop(sha1(key))
            endUnsigned(id)
            actions.append(.finished(id, .nothingToDelete(outcome)))
            return
        }
        let left = (standing.expiry -| now.unixMilliseconds) / 1000
        let limits = RecordLayout.lifetimes
        let lifetime = UInt32(clamping: max(left, UInt64(86_400)) +| Self.tombstoneMargin)
        var put = Operation.Put(
            key: key,
            value: [],
            lifetime: min(max(lifetime, limits.lowerBound), limits.upperBound)
        )
        put.kind = .tombstone
        write(put, above: standing.revision, as: id, at: now, into: &wishes, &actions)
    }
}
