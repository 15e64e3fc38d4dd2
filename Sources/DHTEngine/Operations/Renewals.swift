import DHTCore
import DHTCrypto

// The course of a kept value that was read to be signed anew, and of one that was put.

extension RenewedValues {
    /// The course to take with a value that is due.
    enum Course: Sendable {
        /// Somebody writes there just now: later.
        case giveWay
        /// The value was not to be had: later as well.
        case fail
        /// The value is deleted.
        case drop
        case stop(RenewalState.Phase)
        /// Read again, our own record alone: it was not shown.
        case readOwn
        /// Sign this, above that revision.
        case write(Operation.Put, above: Revision)
    }

    /// The value was read, or not; `nil`: it is kept no more. `isOurs`: only records of ours were asked for.
    func course(
        at location: NodeID,
        isOurs: Bool,
        _ outcome: GetOutcome,
        in surroundings: OperationDesk.Surroundings,
        at now: Now
    ) -> Course? {
        guard let entry = self[location] else { return nil }
        guard entry.users == 0 else { return .giveWay }
        let identity = surroundings.identity
        let records = outcome.found.map(\.record).filter { $0.key.elementsEqual(entry.value.key) }
        var ours = records.first { $0.author == identity }
        // Written when the clock was ahead: nobody else sees it.
        if let last = outcome.last, last.author == identity { ours = last }
        let newest = records.first { !$0.isTombstone }
        if let newest, newest.author != identity,
            newest.revision > max(entry.value.revision, ours?.revision ?? entry.value.revision)
        {
            return .stop(.superseded(by: newest.author))
        }
        guard let ours else {
            if newest != nil || entry.value.revision.isFarAhead(of: now.unixMilliseconds), !isOurs {
                // An older record was enough for the read, or only its author is shown the newest.
                return .readOwn
            }
            return entry.value.expiry <= now.unixMilliseconds ? .stop(.ended) : .fail
        }
        // Deleted by another process with our key.
        guard !ours.isTombstone else { return .drop }
        // The nodes that answered lack the record that was written last.
        guard ours.revision >= entry.value.revision else { return .fail }
        // Where nobody answers, others may have written since: our copy is renewed when it must be.
        let left = ours.expiry -| now.unixMilliseconds
        if outcome.contacts.isEmpty, !surroundings.isAlone, left > UInt64(ours.lifetime) *| 250 {
            return .fail
        }
        var put = Operation.Put(
            key: entry.value.key,
            value: Array(ours.value),
            lifetime: entry.value.lifetime,
            isKept: true
        )
        put.kind = ours.kind
        return .write(put, above: ours.revision)
    }

    /// A renewed value was put.
    mutating func renewed(
        _ record: Record,
        _ outcome: PutOutcome,
        in surroundings: OperationDesk.Surroundings,
        at now: Now
    ) {
        let location = record.location
        // A user may have deleted it meanwhile, or written another one.
        guard let entry = self[location],
            record.revision > entry.value.revision
                || entry.value.revision.isFarAhead(of: now.unixMilliseconds)
        else { return }
        // A copy that only we have is none, if there is anybody else.
        let others = outcome.replicas.count {
            $0.verdict == .stored && $0.identity != surroundings.identity
        }
        guard others > 0 || outcome.stored > 0 && surroundings.isAlone else {
            return recordFailure(at: location, now)
        }
        keep(record, at: now)
    }

    /// A user's operation on a key is over. `record`: the record written, if one was.
    mutating func resume(_ location: NodeID, _ record: Record?, isKept: Bool, at now: Now) {
        if isKept { release(location) }
        endUse(location, now)
        guard let record else { return }
        guard isKept, !record.isTombstone else { return drop(location) }
        keep(record, at: now)
    }

    private mutating func keep(_ record: Record, at now: Now) {
        let key = RenewedValue(key: Array(record.key), lifetime: record.lifetime, revision: record.revision)
        let isAhead = record.revision.isFarAhead(of: now.unixMilliseconds)
        keep(key, at: record.location, now, isAhead: isAhead)
    }
}

extension OperationID {
    var isRenewal: Bool { if case .renewal = self { true } else { false } }
}
