import DHTCore
import DHTCrypto
import DHTEnvelope

/// A key whose value its author's node keeps alive: what a driver stores so that the next process does too.
package struct KeptKey: Hashable, Sendable {
    package var key: [UInt8]
    /// Seconds, of each revision.
    package var lifetime: UInt32
    /// The last one written.
    package var revision: Revision

    package init(key: [UInt8], lifetime: UInt32, revision: Revision) {
        (self.key, self.lifetime, self.revision) = (key, lifetime, revision)
    }

    /// Unix milliseconds.
    var expiry: UInt64 { revision.unixMilliseconds +| UInt64(lifetime) *| 1000 }
}

/// Values of our own that are signed anew when half of their lifetime is over.
///
/// The expiry of a record is absolute, so that nobody can extend it but its author, with a new revision. Of
/// the values nothing is held here: they are read again when they are due.
struct KeptValues: Sendable {
    /// Further keys are not kept.
    static let capacity = 16_384
    /// Renewed at once.
    static let parallelism = 4
    /// Between two looks at what is due.
    static let interval = Span.seconds(10)
    static let firstPause = Span.seconds(30)
    static let longestPause = Span.minutes(10)

    struct Entry: Hashable, Sendable {
        var kept: KeptKey
        /// Unix milliseconds.
        var due: UInt64
        /// Nothing is tried before.
        var rest: Instant
        /// After a failure.
        var pause = KeptValues.firstPause
        /// Being read or put.
        var isUnderWay = false
        /// Operations of users on this key: none of ours may come between.
        var users = 0
    }

    private(set) var entries: [NodeID: Entry] = [:] { didSet { changes &+= 1 } }
    /// Grows whenever anything here may have changed.
    private(set) var changes: UInt64 = 0
    /// When to look for what is due.
    var nextLook: Instant?
    /// Keys that were not kept for want of room.
    private(set) var refused: UInt64 = 0

    var underWay: Int { entries.values.count(where: \.isUnderWay) }

    subscript(location: NodeID) -> Entry? {
        get { entries[location] }
        _modify { yield &entries[location] }
    }

    /// `now`: when it was written; `nil`: by a process before us.
    mutating func keep(_ kept: KeptKey, at location: NodeID, writtenAt now: Now? = nil) {
        guard entries[location] != nil || entries.count < Self.capacity else {
            refused += 1
            return
        }
        let users = entries[location]?.users ?? 0
        let due = kept.revision.unixMilliseconds +| UInt64(kept.lifetime) *| 500
        // What was ahead of our clock when it was written, and was taken, shows that our clock is behind.
        var rest = now?.instant ?? Instant(nanoseconds: 0)
        if let now, kept.revision.isFarAhead(of: now.unixMilliseconds) {
            rest = rest + .milliseconds(UInt64(kept.lifetime) *| 500)
        }
        entries[location] = Entry(kept: kept, due: due, rest: rest, users: users)
    }

    /// What is due, in the order of the key space; as many as there is room for.
    ///
    /// What is far ahead of the clock is due as well: it was written when the clock was, and others would not
    /// take it.
    func due(at now: Now) -> [NodeID] {
        let free = max(Self.parallelism - underWay, 0)
        let clock = now.unixMilliseconds
        let due = entries.filter { _, entry in
            (entry.due <= clock || entry.kept.revision.isFarAhead(of: clock)) && entry.rest <= now.instant
                && !entry.isUnderWay && entry.users == 0
        }
        return Array(due.keys.sorted().prefix(free))
    }

    mutating func noteFailure(at location: NodeID, now: Instant) {
        guard var entry = entries[location] else { return }
        entry.isUnderWay = false
        entry.rest = now + entry.pause
        entry.pause = min(entry.pause * 2, Self.longestPause)
        entries[location] = entry
    }
}

extension GatedEngine where Keeper: ~Copyable {
    /// Keys whose values are kept alive, by location.
    package var keptKeys: [KeptKey] {
        kept.entries.sorted { $0.key < $1.key }.map(\.value.kept)
    }

    /// Grows whenever ``keptKeys`` may have changed.
    package var keptChanges: UInt64 { kept.changes }

    /// Goes on with what a process before us kept. What has ended meanwhile cannot be read any more, and is
    /// not taken up; nor is what exceeds the bound.
    package mutating func restoreKept(_ keys: [KeptKey], at now: Now) {
        for key in keys where key.expiry > now.unixMilliseconds {
            let location = sha1(key.key)
            kept.keep(key, at: location)
            revisions[location] = max(revisions[location] ?? key.revision, key.revision)
        }
        kept.nextLook = now.instant
    }

    /// A user's operation on a key begins.
    mutating func suspendKeeping(at location: NodeID) {
        kept[location]?.users += 1
    }

    /// A user's operation on a key is over. `record`: what was written, if anything was.
    mutating func resumeKeeping(at location: NodeID, _ record: Record?, isKept: Bool, _ now: Now) {
        if let users = kept[location]?.users { kept[location]?.users = max(users - 1, 0) }
        guard let record else { return }
        guard isKept, !record.isTombstone else {
            kept[location] = nil
            return
        }
        let key = KeptKey(key: Array(record.key), lifetime: record.lifetime, revision: record.revision)
        kept.keep(key, at: location, writtenAt: now)
        if kept.nextLook == nil { kept.nextLook = now.instant + KeptValues.interval }
    }

    /// Renews what is due.
    mutating func renewKept(at now: Now, into actions: inout [EngineAction]) {
        guard let look = kept.nextLook, look <= now.instant else { return }
        kept.nextLook = kept.entries.isEmpty ? nil : now.instant + KeptValues.interval
        for location in kept.due(at: now) {
            kept[location]?.isUnderWay = true
            nextRenewal += 1
            let name = OperationID.renewal(nextRenewal)
            operations[name] = .renewal(location)
            let get = KademliaOperation.get(
                location: location,
                author: identity,
                replicas: Kademlia.parallelism,
                isExhaustive: false
            )
            var wishes: [KademliaAction] = []
            core.submit(get, as: name, at: now, into: &wishes)
            perform(wishes, at: now, into: &actions)
        }
    }

    /// The value that is to be renewed was read, or not.
    mutating func renew(
        _ location: NodeID,
        _ outcome: GetOutcome,
        as name: OperationID,
        at now: Now,
        into wishes: inout [KademliaAction],
        _ actions: inout [EngineAction]
    ) {
        guard let entry = kept[location] else { return }
        let newest = outcome.found.first?.record
        guard entry.users == 0, let newest, newest.key.elementsEqual(entry.kept.key) else {
            // Somebody writes there just now, or nobody has it: later.
            if entry.kept.expiry <= now.unixMilliseconds, entry.users == 0 {
                kept[location] = nil
            } else {
                kept.noteFailure(at: location, now: now.instant)
            }
            return
        }
        if newest.isTombstone {
            // Deleted by another process with our key.
            kept[location] = nil
            return
        }
        var put = Operation.Put(
            key: entry.kept.key,
            value: Array(newest.value),
            lifetime: entry.kept.lifetime,
            isKept: true
        )
        put.kind = newest.kind
        write(put, above: newest.revision, as: name, at: now, into: &wishes, &actions)
    }

    /// A renewed value was put.
    mutating func renewed(_ record: Record, _ outcome: PutOutcome, at now: Now) {
        let location = record.location
        // A user may have deleted it meanwhile.
        guard kept[location] != nil else { return }
        guard outcome.stored > 0 else {
            kept.noteFailure(at: location, now: now.instant)
            return
        }
        let key = KeptKey(key: Array(record.key), lifetime: record.lifetime, revision: record.revision)
        kept.keep(key, at: location, writtenAt: now)
    }
}

extension OperationID {
    /// Names of the engine's own operations. Drivers count from the lower end, the core has the upper half.
    static func renewal(_ number: UInt64) -> OperationID { OperationID(rawValue: number | 1 << 62) }
    var isRenewal: Bool { rawValue >> 62 == 1 }
}
