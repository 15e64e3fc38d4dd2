import DHTCore
import DHTCrypto
import DHTEnvelope

// Kept values of ours on their way: each is read, signed anew and put.

extension GatedEngine where Keeper: ~Copyable {
    /// Keys whose values are kept alive, and those that are no more though nobody said so, with how each
    /// stands.
    package var keptStates: [KeptState] { kept.states }

    /// How many are kept, and of how many the last renewal failed; and those kept no more.
    package var keptCounts: (kept: Int, failing: Int, stopped: Int) {
        (kept.entries.count, kept.failing, kept.stopped.count)
    }

    package var hasKeptChanges: Bool { !kept.changes.isEmpty }

    /// What is to be stored of the keys that are kept since this was last asked, by key; `nil`: it is kept no
    /// more.
    package mutating func takeKeptChanges() -> [[UInt8]: KeptKey?] { kept.takeChanges() }

    /// What the operator is to hear, if there is anything new: once a minute at most.
    package mutating func takeKeptNews(at now: Instant) -> KeptNews? { kept.takeNews(at: now) }

    /// Goes on with what a process before us kept. What has ended meanwhile cannot be read any more, and is
    /// not taken up; nor is what exceeds the bound.
    package mutating func restoreKept(_ keys: [KeptKey], at now: Now) {
        for key in keys {
            let location = sha1(key.key)
            guard key.expiry > now.unixMilliseconds else {
                kept.noteEnded(key, at: location, now)
                continue
            }
            kept.restore(key, at: location, now)
            revisions[location] = max(revisions[location] ?? key.revision, key.revision)
        }
    }

    /// A user's operation on a key is over. `record`: what was written, if anything was.
    mutating func resumeKeeping(at location: NodeID, _ record: Record?, isKept: Bool, _ now: Now) {
        if isKept { kept.release(location) }
        kept.endUse(location, now)
        guard let record else { return }
        guard isKept, !record.isTombstone else { return kept.drop(location) }
        keep(record, at: now)
    }

    private mutating func keep(_ record: Record, at now: Now) {
        let key = KeptKey(key: Array(record.key), lifetime: record.lifetime, revision: record.revision)
        let isAhead = record.revision.isFarAhead(of: now.unixMilliseconds)
        kept.keep(key, at: record.location, now, isAhead: isAhead)
    }

    /// Renews what is due.
    mutating func renewKept(at now: Now, into actions: inout [EngineAction]) {
        guard let look = kept.nextLook, look <= now.instant else { return }
        for location in kept.begin(at: now) {
            nextRenewal += 1
            var wishes: [KademliaAction] = []
            // Everybody's: what somebody else wrote since is not to be passed over.
            read(location, by: nil, as: .renewal(nextRenewal), at: now, into: &wishes)
            perform(wishes, at: now, into: &actions)
        }
    }

    private mutating func read(
        _ location: NodeID,
        by author: Identity?,
        as name: OperationID,
        at now: Now,
        into wishes: inout [KademliaAction]
    ) {
        operations[name] = .renewal(location, isOurs: author != nil)
        let get = KademliaOperation.get(
            location: location,
            author: author,
            replicas: Kademlia.parallelism,
            isExhaustive: false
        )
        core.submit(get, as: name, at: now, into: &wishes)
    }

    /// The value that is to be renewed was read, or not. `isOurs`: only records of ours were asked for.
    mutating func renew(
        _ location: NodeID,
        isOurs: Bool,
        _ outcome: GetOutcome,
        as name: OperationID,
        at now: Now,
        into wishes: inout [KademliaAction],
        _ actions: inout [EngineAction]
    ) {
        guard let entry = kept[location] else { return }
        // Somebody writes there just now: later.
        guard entry.users == 0 else { return kept.giveWay(location, now) }
        let records = outcome.found.map(\.record).filter { $0.key.elementsEqual(entry.kept.key) }
        var ours = records.first { $0.author == identity }
        // Written when the clock was ahead: nobody else sees it.
        if let last = outcome.last, last.author == identity { ours = last }
        let newest = records.first { !$0.isTombstone }
        if let newest, newest.author != identity,
            newest.revision > max(entry.kept.revision, ours?.revision ?? entry.kept.revision)
        {
            return kept.stop(location, .superseded(by: newest.author), now)
        }
        guard let ours else {
            if newest != nil || entry.kept.revision.isFarAhead(of: now.unixMilliseconds), !isOurs {
                // It was not shown, as an older one was enough, or as only its author is shown it.
                return read(location, by: identity, as: name, at: now, into: &wishes)
            }
            let isOver = entry.kept.expiry <= now.unixMilliseconds
            return isOver ? kept.stop(location, .ended, now) : kept.noteFailure(at: location, now)
        }
        // Deleted by another process with our key.
        guard !ours.isTombstone else { return kept.drop(location) }
        // Those who answered have not what was written last.
        guard ours.revision >= entry.kept.revision else { return kept.noteFailure(at: location, now) }
        // Where nobody answers, others may have written since: our copy is renewed when it must be.
        let left = ours.expiry -| now.unixMilliseconds
        if outcome.contacts.isEmpty, core.table.count > 0, left > UInt64(ours.lifetime) *| 250 {
            return kept.noteFailure(at: location, now)
        }
        var put = Operation.Put(
            key: entry.kept.key,
            value: Array(ours.value),
            lifetime: entry.kept.lifetime,
            isKept: true
        )
        put.kind = ours.kind
        write(put, above: ours.revision, as: name, at: now, into: &wishes, &actions)
    }

    /// A renewed value was put.
    mutating func renewed(_ record: Record, _ outcome: PutOutcome, at now: Now) {
        let location = record.location
        // A user may have deleted it meanwhile, or written another one.
        guard let entry = kept[location],
            record.revision > entry.kept.revision
                || entry.kept.revision.isFarAhead(of: now.unixMilliseconds)
        else { return }
        // A copy that only we have is none, if there is anybody else.
        let others = outcome.replicas.count { $0.verdict == .stored && $0.identity != identity }
        guard others > 0 || outcome.stored > 0 && core.table.count == 0 else {
            return kept.noteFailure(at: location, now)
        }
        keep(record, at: now)
    }
}

extension OperationID {
    /// Names of the engine's own operations. Drivers count from the lower end, the core has the upper half.
    static func renewal(_ number: UInt64) -> OperationID { OperationID(rawValue: number | 1 << 62) }
    var isRenewal: Bool { rawValue >> 62 == 1 }
}
