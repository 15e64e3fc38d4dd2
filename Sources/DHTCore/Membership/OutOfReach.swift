/// Members of whom others told and that have no address of a family of ours: we neither ask them nor wait for
/// them, but they read what we write, by way of those who have addresses of both families.
struct OutOfReach: Sendable {
    static let capacity = 256
    /// A member that was not named for so long is forgotten, as is a peer that named none.
    static let memory = Interval.minutes(60)

    private struct Word: Sendable {
        let id: NodeID
        var at: Instant
    }

    private var members: [Identity: Word] = [:]
    /// Peers that named any of these members, and so reach them; and when each last did.
    private var namers: [Identity: Instant] = [:]

    var count: Int { max(members.count, namers.count) }

    mutating func record(_ contact: Contact, namedBy namer: Identity?, at now: Instant) {
        forget(before: now)
        if members[contact.identity] != nil || members.count < Self.capacity {
            members[contact.identity] = Word(id: contact.id, at: now)
        }
        guard let namer, namers[namer] != nil || namers.count < Self.capacity else { return }
        namers[namer] = now
    }

    mutating func removeAll(where isGone: (Identity) -> Bool) {
        members = members.filter { !isGone($0.key) }
        namers = namers.filter { !isGone($0.key) }
    }

    /// How many such members were named within ``memory``.
    func number(at now: Instant) -> Int { members.values.count { now.since($0.at) < Self.memory } }

    func holds(prefix: UInt32, at now: Instant) -> Bool {
        members.values.contains { $0.id.prefix == prefix && now.since($0.at) < Self.memory }
    }

    func isNamer(_ identity: Identity, at now: Instant) -> Bool {
        namers[identity].map { now.since($0) < Self.memory } ?? false
    }

    private mutating func forget(before now: Instant) {
        guard count >= Self.capacity else { return }
        members = members.filter { now.since($0.value.at) < Self.memory }
        namers = namers.filter { now.since($0.value) < Self.memory }
    }
}
