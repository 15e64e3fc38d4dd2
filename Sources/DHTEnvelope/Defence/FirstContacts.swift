import DHTCore
import DHTCrypto

/// Requests of no known session that were authenticated, by identity and box key: each is answered once, and
/// those of one box key now and then. `docs/protocol.md`, section 5.
///
/// A sender of captured requests can so have each answered once more after our restart, and no more: replays
/// of one process of a peer use up nothing that another needs.
package struct FirstContacts: Sendable {
    /// Box keys remembered; the oldest is forgotten first. At the rate of the lane that takes 40 seconds.
    package static let capacity = 8192
    /// Of one box key are answered so many at once, and one more each ``interval``.
    package static let burst: UInt64 = 8
    package static let interval = Interval.seconds(30)

    private struct Process: Hashable {
        let identity: Identity
        let boxKey: BoxPublicKey
    }

    private struct Entry {
        var window = ReplayWindow()
        var allowance: TokenBucket
    }

    private var entries: [Process: Entry] = [:]
    /// The processes in the order in which they came; those that went since are skipped.
    private var order: [Process] = []
    private var first = 0

    package init() {}

    package var count: Int { entries.count }

    /// How a request stands that is of no session; `nil` if it was seen.
    func familiarity(
        of identity: Identity,
        _ boxKey: BoxPublicKey,
        sending counter: UInt64
    ) -> SessionTable.Familiarity? {
        guard let entry = entries[Process(identity: identity, boxKey: boxKey)] else { return .unknown }
        return entry.window.isNew(counter) ? .remembered : nil
    }

    /// Which requests of that process were seen; `nil` if it is not remembered.
    func window(of identity: Identity, _ boxKey: BoxPublicKey) -> ReplayWindow? {
        entries[Process(identity: identity, boxKey: boxKey)]?.window
    }

    /// Whether one more of that box key may be answered now; that is charged to it if it is remembered.
    package mutating func charge(
        _ identity: Identity,
        _ boxKey: BoxPublicKey,
        at now: Instant
    ) -> Bool {
        entries[Process(identity: identity, boxKey: boxKey)]?.allowance.take(at: now) ?? true
    }

    /// Whether one more of that box key may be answered now.
    func canCharge(_ identity: Identity, _ boxKey: BoxPublicKey, at now: Instant) -> Bool {
        entries[Process(identity: identity, boxKey: boxKey)]?.allowance.holdsOne(at: now) ?? true
    }

    /// Remembers a request that was authenticated.
    package mutating func record(
        _ counter: UInt64,
        of identity: Identity,
        _ boxKey: BoxPublicKey,
        at now: Instant
    ) {
        let process = Process(identity: identity, boxKey: boxKey)
        if entries[process] == nil {
            if entries.count >= Self.capacity { forgetOldest() }
            var allowance = TokenBucket(oneEach: Self.interval, burst: Self.burst, at: now)
            _ = allowance.take(at: now)
            entries[process] = Entry(allowance: allowance)
            order.append(process)
        }
        entries[process]?.window.mark(counter)
    }

    /// The process had a session, which is over: what it sent before is not answered again.
    mutating func retire(_ session: Session, of identity: Identity, at now: Instant) {
        forget(identity, session.boxKey)
        record(0, of: identity, session.boxKey, at: now)
        let process = Process(identity: identity, boxKey: session.boxKey)
        while entries[process]?.allowance.take(at: now) == true {}
        entries[process]?.window = session.window
    }

    /// The process has a session now.
    package mutating func forget(_ identity: Identity, _ boxKey: BoxPublicKey) {
        entries[Process(identity: identity, boxKey: boxKey)] = nil
        if order.count - first > 2 * Self.capacity { compact() }
    }

    private mutating func forgetOldest() {
        while first < order.count {
            let oldest = order[first]
            first += 1
            if entries.removeValue(forKey: oldest) != nil { break }
        }
        if first > Self.capacity { compact() }
    }

    private mutating func compact() {
        order = order[first...].filter { entries[$0] != nil }
        first = 0
    }
}
