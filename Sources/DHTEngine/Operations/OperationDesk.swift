import DHTCore
import DHTCrypto
import DHTEnvelope

/// The operations of users and of the node itself, from the beginning of each to its end; the revisions of
/// our writes, and the values that are kept alive.
///
/// Events are users' operations, ends of the core's operations and time. Each returns ``Step``s, which the
/// caller does in order: the desk signs nothing and asks nobody.
struct OperationDesk: Sendable {
    /// Whether a condition holds, by what a read found.
    private enum ConditionCheck {
        case holds
        /// `nil`: the record that the condition names is not there.
        case violated(by: Record?)
    }

    /// A tombstone outlives the record it deletes by this much, in seconds: clocks differ.
    private static let tombstoneMargin: UInt64 = 600
    /// Writes whose turn may be taken before it is known what they write.
    private static let reservationLimit = 1024

    private(set) var operations: [OperationID: Pending] = [:]
    private(set) var order = WriteOrder()
    private(set) var kept = RenewedValues()
    private var nextRenewal: UInt64 = 0

    // MARK: Queries

    /// Where the operation writes, if it does.
    func location(of id: OperationID) -> NodeID? {
        switch operations[id] {
        case .put(_, let signing): signing.record.location
        case .conditional(let put): sha1(put.key)
        case .delete(let key): sha1(key)
        case .renewal(let location, _): location
        case .other, nil: nil
        }
    }

    /// When ``dueRenewals(at:)`` has something to return.
    var deadline: Instant? { kept.nextLook }

    /// The collections that others can make grow. `importing`: puts whose content is on its way to our store.
    func bounds(importing: Int) -> [Bound] {
        [
            Bound("revisions", order.revisions.count, of: WriteOrder.revisionCapacity),
            Bound("writes", order.count, of: writeLimit(importing: importing)),
            Bound("kept keys", kept.entries.count, of: RenewedValues.capacity),
        ]
    }

    private func writeLimit(importing: Int) -> Int { operations.count + importing + Self.reservationLimit }

    // MARK: Beginnings

    /// A user is about to put a value under a key, which has still to come: its turn is now. The turn ends
    /// with the put of that name, or when that is cancelled.
    mutating func reserve(
        _ id: OperationID,
        of key: [UInt8],
        importing: Int,
        in surroundings: Surroundings,
        at now: Now
    ) {
        guard order[id] == nil, order.count < writeLimit(importing: importing) else { return }
        beginWrite(id, at: sha1(key), in: surroundings, now)
    }

    @discardableResult
    private mutating func beginWrite(
        _ id: OperationID,
        at location: NodeID,
        in surroundings: Surroundings,
        _ now: Now
    ) -> WriteOrder.Turn {
        let known = surroundings.catalogued
        return order.begin(id, at: location, catalogued: known, unixMilliseconds: now.unixMilliseconds)
    }

    /// A user asks for something.
    mutating func begin(
        _ operation: Operation,
        as id: OperationID,
        in surroundings: Surroundings,
        at now: Now
    ) -> [Step] {
        switch operation {
        case .put(let put):
            let location = sha1(put.key)
            if put.isKept, let refusal = kept.promise(put.lifetime, at: location) {
                order.endUnsigned(id)
                return [.finished(.unkeepable(refusal))]
            }
            kept.beginUse(location)
            if order[id] == nil { beginWrite(id, at: location, in: surroundings, now) }
            if put.content != nil { return [.importContent(put)] }
            return proceed(with: put, as: id, in: surroundings, at: now)
        case .delete(let key):
            kept.beginUse(sha1(key))
            beginWrite(id, at: sha1(key), in: surroundings, now)
            operations[id] = .delete(key: key)
            return [.submit(.newest(at: sha1(key), by: surroundings.identity))]
        case .get(let key, let author, let replicas, let isExhaustive, let paths):
            let get = KademliaOperation.get(
                location: sha1(key),
                author: author,
                replicas: replicas,
                isExhaustive: isExhaustive,
                paths: paths
            )
            return passOn(.submit(get), as: id)
        case .fetch(let record, let contacts): return [.fetch(record, from: contacts, isStreamed: false)]
        case .read(let record, let contacts): return [.fetch(record, from: contacts, isStreamed: true)]
        case .ping(let peer): return passOn(.ping(peer), as: id)
        case .trace(let location): return passOn(.submit(.trace(location: location)), as: id)
        case .leave: return passOn(.submit(.leave), as: id)
        }
    }

    private mutating func passOn(_ step: Step, as id: OperationID) -> [Step] {
        operations[id] = .other
        return [step]
    }

    /// Writes a value whose content, if it has one, is in our store.
    mutating func proceed(
        with put: Operation.Put,
        as id: OperationID,
        in surroundings: Surroundings,
        at now: Now
    ) -> [Step] {
        guard put.condition != nil else { return write(put, as: id, in: surroundings, now) }
        // Read first: replicas that lack a copy would take what the others refuse. They still check, for
        // those who write meanwhile.
        operations[id] = .conditional(put)
        return [.submit(.newest(at: sha1(put.key), by: nil))]
    }

    /// Values that are due to be renewed: each is read, under a name of the desk's own. Everybody's records
    /// are, for a value that somebody else wrote since is not to be passed over.
    mutating func dueRenewals(at now: Now) -> [(name: OperationID, read: KademliaOperation)] {
        guard let look = kept.nextLook, look <= now.instant else { return [] }
        return kept.begin(at: now).map { location in
            nextRenewal += 1
            operations[.renewal(nextRenewal)] = .renewal(location, isOurs: false)
            return (.renewal(nextRenewal), .newest(at: location, by: nil))
        }
    }

    // MARK: Signing

    /// Has a record signed with the revision that its turn gives it, or one above all we know of ours under
    /// the key. `last`: the record signed before for the same put. `above`: a revision of ours that was
    /// found. `goesBack`: revisions far ahead of the clock are passed over.
    private mutating func write(
        _ put: Operation.Put,
        after last: Signing? = nil,
        above: Revision? = nil,
        goesBack: Bool = false,
        as id: OperationID,
        in surroundings: Surroundings,
        _ now: Now
    ) -> [Step] {
        let location = sha1(put.key)
        let turn = order[id] ?? beginWrite(id, at: location, in: surroundings, now)
        var revision = turn.revision
        let isAbove = last == nil && above.map { $0 < revision } ?? true
        if !isAbove, order.isLast(id) {
            revision = order.raise(
                location,
                above: [above, surroundings.catalogued],
                goesBack: goesBack,
                unixMilliseconds: now.unixMilliseconds
            )
        }
        let draft = RecordCodec.Draft(
            kind: put.kind,
            key: put.key,
            revision: revision,
            lifetime: put.lifetime,
            value: put.value
        )
        let signing = SigningOrder(
            put: put,
            draft: draft,
            attempts: (last?.attempts ?? 0) + 1,
            previous: turn.previous,
            hasGoneBack: goesBack || last?.hasGoneBack == true
        )
        // A write begun later may have a higher revision already.
        return [.remember(order.revisions[location] ?? OwnRevisions(revision), at: location), .sign(signing)]
    }

    /// The record was signed: returns the put that the core is asked for.
    mutating func signed(_ record: Record, by order: SigningOrder, as id: OperationID) -> KademliaOperation {
        operations[id] = .put(
            order.put,
            Signing(
                record: record,
                attempts: order.attempts,
                previous: order.previous,
                hasGoneBack: order.hasGoneBack
            )
        )
        let condition = order.put.condition ?? (order.hasGoneBack ? .anything : nil)
        return .put(record, condition: condition, copies: order.put.copies)
    }

    // MARK: Ends

    /// The core is done with an operation.
    mutating func finish(
        _ id: OperationID,
        _ outcome: KademliaOutcome,
        in surroundings: Surroundings,
        at now: Now
    ) -> [Step] {
        guard let operation = operations.removeValue(forKey: id) else { return [] }
        switch (outcome, operation) {
        case (.put(let outcome), .put(let put, let signing)):
            let course = signing.course(
                after: outcome,
                isLast: order.isLast(id),
                unixMilliseconds: now.unixMilliseconds
            )
            let steps =
                switch course {
                case .above(let newer):
                    write(put, after: signing, above: newer, as: id, in: surroundings, now)
                case .back: write(put, after: signing, goesBack: true, as: id, in: surroundings, now)
                case .end: written(put, signing, outcome, as: id, in: surroundings, now)
                }
            return [.uploadEnded(signing.record)] + steps
        case (.got(let outcome), .conditional(let put)):
            switch Self.check(put.condition, against: outcome) {
            case .holds: return write(put, as: id, in: surroundings, now)
            case .violated(let record):
                giveUp(id, put, at: now)
                return [.finished(.conflict(record))]
            }
        case (.got(let outcome), .delete(let key)):
            return writeTombstone(key, outcome, as: id, in: surroundings, now)
        case (.got(let outcome), .renewal(let location, let isOurs)):
            return renew(location, isOurs: isOurs, outcome, as: id, in: surroundings, now)
        case (.got(let outcome), _): return [.finished(.got(outcome))]
        case (.pinged(let roundTrip), _): return [.finished(.pinged(roundTrip))]
        case (.left, _): return [.finished(.left)]
        case (.put, _): preconditionFailure("a put ended that nobody began")
        }
    }

    private static func check(_ wanted: Request.Condition?, against outcome: GetOutcome) -> ConditionCheck {
        switch wanted {
        case nil, .anything: return .holds
        case .absent:
            let value = outcome.found.first { !$0.record.isTombstone }?.record
            return value.map { .violated(by: $0) } ?? .holds
        case .revision(let expected):
            let newest = outcome.found.first?.record
            return newest?.revision == expected ? .holds : .violated(by: newest)
        }
    }

    /// A put is over.
    private mutating func written(
        _ put: Operation.Put,
        _ signing: Signing,
        _ outcome: PutOutcome,
        as id: OperationID,
        in surroundings: Surroundings,
        _ now: Now
    ) -> [Step] {
        let record = signing.record
        var steps: [Step] = []
        order.end(id)
        if Signing.isNowhere(outcome), order.takeBack(record, to: signing.previous) {
            steps.append(.remember(signing.previous, at: record.location))
        }
        if id.isRenewal {
            kept.renewed(record, outcome, in: surroundings, at: now)
            return steps
        }
        // A write that a later one of ours has passed says nothing of whether the key is kept alive.
        let counts = outcome.stored > 0 && order.isNewest(record)
        kept.resume(record.location, counts ? record : nil, isKept: put.isKept, at: now)
        return steps + [.finished(.put(record, outcome))]
    }

    /// Writes the tombstone over the record of ours that was found; it lasts as long as that might.
    private mutating func writeTombstone(
        _ key: [UInt8],
        _ outcome: GetOutcome,
        as id: OperationID,
        in surroundings: Surroundings,
        _ now: Now
    ) -> [Step] {
        guard let standing = outcome.last, !standing.isTombstone else {
            kept.drop(sha1(key))
            order.endUnsigned(id)
            return [.finished(.nothingToDelete(outcome))]
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
        return write(put, above: standing.revision, as: id, in: surroundings, now)
    }

    /// The value that is to be renewed was read, or not. `isOurs`: only records of ours were asked for.
    private mutating func renew(
        _ location: NodeID,
        isOurs: Bool,
        _ outcome: GetOutcome,
        as id: OperationID,
        in surroundings: Surroundings,
        _ now: Now
    ) -> [Step] {
        switch kept.course(at: location, isOurs: isOurs, outcome, in: surroundings, at: now) {
        case nil: return []
        case .giveWay: kept.giveWay(location, now)
        case .fail: kept.recordFailure(at: location, now)
        case .drop: kept.drop(location)
        case .stop(let phase): kept.stop(location, phase, now)
        case .readOwn:
            operations[id] = .renewal(location, isOurs: true)
            return [.submit(.newest(at: location, by: surroundings.identity))]
        case .write(let put, let revision):
            return write(put, above: revision, as: id, in: surroundings, now)
        }
        return []
    }

    /// A user's put is over, and nothing of it was signed.
    mutating func giveUp(_ id: OperationID, _ put: Operation.Put, at now: Now) {
        order.endUnsigned(id)
        kept.resume(sha1(put.key), nil, isKept: put.isKept, at: now)
    }

    // MARK: Cancelling

    /// Whether the operation can be taken back. One that cannot runs to its end: a put whose record of a
    /// short value is on its way, a tombstone, a renewal.
    func isCancellable(_ id: OperationID) -> Bool {
        switch operations[id] {
        case .put(_, let signing): signing.record.reference != nil
        case .conditional, .delete, .other: true
        case .renewal, nil: false
        }
    }

    /// The operation, which can be, is taken back. Returns the record that was on its way for it.
    mutating func cancel(_ id: OperationID, at now: Now) -> Record? {
        switch operations.removeValue(forKey: id) {
        case .put(let put, let signing):
            order.end(id)
            kept.resume(signing.record.location, nil, isKept: put.isKept, at: now)
            return signing.record
        case .conditional(let put): giveUp(id, put, at: now)
        case .delete(let key):
            order.endUnsigned(id)
            kept.resume(sha1(key), nil, isKept: false, at: now)
        case .renewal, .other, nil: break
        }
        return nil
    }

    /// A write whose turn was taken is not put.
    mutating func withdraw(_ id: OperationID) {
        if operations[id] == nil { order.endUnsigned(id) }
    }

    // MARK: From one process to the next

    /// The last revisions of ours, from the process before this one: new ones will be above.
    mutating func remember(_ revisions: [NodeID: OwnRevisions]) { order.remember(revisions) }

    /// Goes on with the values that a process before us kept. A value that has ended meanwhile cannot be read
    /// any more, and is not taken up; nor are values beyond the bound.
    mutating func restoreRenewed(_ keys: [RenewedValue], at now: Now) {
        for key in keys {
            let location = sha1(key.key)
            guard key.expiry > now.unixMilliseconds else {
                kept.recordEnd(key, at: location, now)
                continue
            }
            kept.restore(key, at: location, now)
            order.remember(key.revision, at: location)
        }
    }

    mutating func takeRenewedChanges() -> [[UInt8]: RenewedValue?] { kept.takeChanges() }

    mutating func takeRenewalNews(at now: Instant) -> RenewalNews? { kept.takeNews(at: now) }
}
