/// One record on its way. A record that is signed anew, above what a replica holds, is put under the same
/// name: a late answer about the one before does not concern it.
struct PutAttempt: Hashable, Sendable {
    let operation: OperationID
    let record: Digest
}

/// The life of one record's way to its replicas.
///
/// The record goes to the closest nodes known; their answers tell which closer ones they know; if any of
/// these is news, the replica is asked where it is, and the record goes there too once it answers. A node
/// that is overdue is not waited for alone: the next closest is asked as well. Once there are copies enough
/// the rest has a moment more, and no longer: else one replica that is never done could hold it up.
struct PutOperation: Sendable {
    private enum State: Hashable, Sendable {
        case asked
        case overdue
        case ended(PutOutcome.Verdict)
    }

    private struct Target: Sendable {
        let contact: Contact
        var state: State
    }

    /// Ourselves.
    private struct Owner: Sendable {
        let id: NodeID
        let identity: Identity
        let families: Endpoint.Families
    }

    /// Our own store, if it is one of the replicas.
    private struct OwnStore: Sendable {
        var verdict: PutOutcome.Verdict?
        var isPending = false
        var isBegun = false
    }

    /// Lookups that are to bring contacts, and have not ended; and what the others brought.
    private struct Lookups: Sendable {
        var left: Int
        var found: [Contact] = []
    }

    /// How long the rest is waited for, once there are copies enough: this, or a quarter of the time it took
    /// to make those.
    static let patience = Interval.seconds(1)
    /// How long after its beginning those that said nothing are asked again, and how often, while there are
    /// too few copies: a line that loses much is no reason to speak of failure.
    static let persistence = (time: Interval.seconds(2), rounds: 2)

    let record: Record
    let condition: Request.Condition?
    private let owner: Owner
    private let width: Int
    /// The readers for whom the put is to count.
    private let audiences: [PutAudience]
    /// Copies its user wants at least.
    private let copies: Int
    private var begun: Instant?
    /// When the put is over, whichever replicas are still to answer; `nil` while there are too few copies.
    private(set) var deadline: Instant?
    private var targets: [Target] = []
    private var ownStore = OwnStore()
    /// The author that hides the record, as each replica that took the record told.
    private var hiders: [Identity: Response.Receipt.Hider] = [:]
    /// Contacts to ask next, nearest first.
    private var spares: [Contact] = []
    /// How many replicas may still be asked where the nodes are of which they spoke.
    private var chasesLeft: Int
    /// Questions that are to bring closer nodes, and are not answered.
    private var chasing = 0
    private var roundsLeft = PutOperation.persistence.rounds
    /// How the record goes to members out of our reach.
    var passing = PassingOn()
    private var lookups: Lookups
    /// Closer nodes that replicas spoke of.
    private(set) var news: Set<UInt32> = []

    /// `lookups`: so many are to bring the contacts it will be given. After one, none closer is to be chased.
    init(
        record: Record,
        condition: Request.Condition?,
        own: NodeID,
        identity: Identity,
        lookups: Int = 0,
        width: Int = Kademlia.replicas,
        copies: Int = 0,
        audiences: [PutAudience] = PutAudience.one,
        ownFamilies: Endpoint.Families = .all
    ) {
        self.record = record
        self.condition = condition
        owner = Owner(id: own, identity: identity, families: ownFamilies)
        self.width = width
        self.copies = copies
        self.audiences = audiences
        self.lookups = Lookups(left: lookups)
        chasesLeft = lookups > 0 ? 0 : Kademlia.parallelism
    }

    /// One of the lookups has ended. When all have: the contacts they brought, nearest first.
    mutating func lookedUp(_ contacts: [Contact]) -> [Contact]? {
        let found = lookups.found
        lookups.found += contacts.filter { contact in !found.contains { $0.identity == contact.identity } }
        lookups.left -= 1
        guard lookups.left <= 0 else { return nil }
        let location = record.location
        return lookups.found.sorted { $0.id.distance(to: location) < $1.id.distance(to: location) }
    }

    /// Begins with the contacts found, and returns those to ask first.
    ///
    /// `contacts`: the closest known, nearest first, more than are needed.
    mutating func begin(_ contacts: [Contact]) -> [Contact] {
        var wanted: Set<Identity> = []
        for audience in audiences {
            let replicas = audience.replicas(
                among: contacts,
                at: record.location,
                width: width,
                own: owner.id,
                ownFamilies: owner.families
            )
            wanted.formUnion(replicas.contacts.map(\.identity))
            ownStore.isPending = ownStore.isPending || replicas.isOwn
        }
        spares = contacts.filter { !wanted.contains($0.identity) }
        return ask(contacts.filter { wanted.contains($0.identity) })
    }

    /// Whether our own store is to take the record now; once.
    ///
    /// Our store takes a short record at once. A put of content takes long and may be broken off, and the
    /// record is then to be nowhere if it can: our store waits until the first of the others took it, or all
    /// of them have answered or are overdue.
    mutating func takesOwnTurn() -> Bool {
        guard ownStore.isPending, !ownStore.isBegun else { return false }
        let waits = record.reference != nil && targets.contains { $0.state == .asked }
        ownStore.isBegun = !waits || targets.contains { $0.state == .ended(.stored) }
        return ownStore.isBegun
    }

    /// A replica stored the record, and told who hides it.
    mutating func recordHider(_ hider: Response.Receipt.Hider?, by replica: Identity) {
        hiders[replica] = hider
    }

    mutating func ownStoreEnded(_ verdict: PutOutcome.Verdict) {
        ownStore.isPending = false
        ownStore.verdict = verdict
    }

    /// A replica gave its verdict. Returns contacts to ask in its stead, if it did not take the record for
    /// reasons of its own.
    mutating func answered(_ identity: Identity, _ verdict: PutOutcome.Verdict) -> [Contact] {
        guard let index = targets.firstIndex(where: { $0.contact.identity == identity }) else { return [] }
        let wasOverdue = targets[index].state == .overdue
        targets[index].state = .ended(verdict)
        switch verdict {
        case .stored, .conflict, .refused(.clock), .refused(.expired), .refused(.denied): return []
        case .timeout where wasOverdue: return []  // somebody was asked in its stead already
        case .timeout, .refused(.quota), .refused(.unavailable):
            return askSpares(for: targets[index].contact)
        }
    }

    mutating func overdue(_ identity: Identity) -> [Contact] {
        guard let index = targets.firstIndex(where: { $0.contact.identity == identity }),
            targets[index].state == .asked
        else { return [] }
        targets[index].state = .overdue
        return askSpares(for: targets[index].contact)
    }

    /// The nodes of those a replica spoke of, by the prefixes of their ids, that are not known here and
    /// closer than one of ours. If there are any, the replica is to be asked where they are.
    mutating func chase(_ prefixes: [UInt32]) -> [UInt32] {
        guard chasesLeft > 0 else { return [] }
        let location = record.location.prefix
        let limit = audiences.map { edge(for: $0) }.max() ?? .max
        let closer = prefixes.filter { prefix in
            prefix ^ location < limit && prefix != owner.id.prefix && !news.contains(prefix)
                && !targets.contains { $0.contact.id.prefix == prefix }
        }
        guard !closer.isEmpty else { return [] }
        news.formUnion(closer)
        chasesLeft -= 1
        chasing += 1
        return closer
    }

    /// A question that was to bring closer nodes led to so many more.
    mutating func chased(furtherQuestions: Int = 0) { chasing += furtherQuestions - 1 }

    /// A closer node answered: returns it if it is to be asked besides.
    mutating func found(_ contact: Contact) -> [Contact] {
        guard !targets.contains(where: { $0.contact.identity == contact.identity }) else { return [] }
        return ask([contact])
    }

    /// Takes in the time, after every event.
    mutating func notice(_ now: Instant) {
        let begun = self.begun ?? now
        self.begun = begun
        guard deadline == nil, hasEnough, !passing.isUnderWay else { return }
        deadline = now + max(Self.patience, now.since(begun) / 4)
    }

    /// Contacts to ask again, since nothing else can bring the copies that are lacking.
    mutating func insist(at now: Instant) -> [Contact] {
        guard isFinished, deadline == nil, roundsLeft > 0, let begun, now.since(begun) < Self.persistence.time
        else { return [] }
        roundsLeft -= 1
        return targets.indices.compactMap { index in
            guard targets[index].state == .ended(.timeout) else { return nil }
            targets[index].state = .asked
            return targets[index].contact
        }
    }

    /// Whether there are as many copies as the user wants, and enough for all kinds of readers.
    private var hasEnough: Bool {
        stored(for: .init(family: nil)) >= copies
            && audiences.allSatisfy { stored(for: $0) >= enough(for: $0) }
    }

    /// Two fewer than there ought to be, so that every read of three sees one. A copy that we alone have is
    /// none, where anybody else was asked.
    private func enough(for audience: PutAudience) -> Int {
        let isOwn = ownStore.isPending || ownStore.verdict != nil
        let asked =
            targets.count { audience.reaches($0.contact) }
            + (isOwn && audience.reaches(owner.families) ? 1 : 0)
        return max(min(asked, width) - (Kademlia.parallelism - 1), min(asked, 2))
    }

    private func stored(for audience: PutAudience) -> Int {
        targets.count { $0.state == .ended(.stored) && audience.reaches($0.contact) }
            + (ownStore.verdict == .stored && audience.reaches(owner.families) ? 1 : 0)
    }

    /// How far the last of an audience's replicas is, by the beginnings of their ids.
    private func edge(for audience: PutAudience) -> UInt32 {
        let location = record.location.prefix
        let distances =
            targets.filter { audience.reaches($0.contact) }.map { $0.contact.id.prefix ^ location }
            + [owner.id.prefix ^ location]
        return distances.count < width ? .max : distances.sorted()[width - 1]
    }

    /// Whether all that can still be learnt is how late the late ones are.
    var isFinished: Bool {
        guard !ownStore.isPending, chasing == 0, lookups.left == 0, !passing.isUnderWay,
            !targets.contains(where: { $0.state == .asked })
        else { return false }
        return isFull || !targets.contains { $0.state == .overdue }
    }

    /// Whether all who ought to have the record took it, or as many others.
    var isFull: Bool { audiences.allSatisfy { stored(for: $0) >= width } }

    /// Families by which alone some read, who may not see the record: too few of those they ask took it.
    var unreached: Endpoint.Families {
        audiences.reduce(passing.unreached) { unreached, audience in
            guard let family = audience.family, stored(for: audience) < enough(for: audience) else {
                return unreached
            }
            return unreached.union(.init(family))
        }
    }

    /// Contacts that took the record, in the order of asking.
    var takers: [Contact] { targets.filter { $0.state == .ended(.stored) }.map(\.contact) }

    func isTarget(_ identity: Identity) -> Bool { targets.contains { $0.contact.identity == identity } }

    /// The outcome for the user; replicas that have not answered count as timed out.
    var outcome: PutOutcome {
        var replicas: [PutOutcome.Replica] = []
        if ownStore.isPending || ownStore.verdict != nil {
            let hider = hiders[owner.identity]
            replicas.append(
                .init(identity: owner.identity, verdict: ownStore.verdict ?? .timeout, hiddenBy: hider)
            )
        }
        for target in targets {
            let verdict: PutOutcome.Verdict
            if case .ended(let known) = target.state { verdict = known } else { verdict = .timeout }
            let identity = target.contact.identity
            replicas.append(.init(identity: identity, verdict: verdict, hiddenBy: hiders[identity]))
        }
        if let (identity, verdict) = passing.objection {
            replicas.append(.init(identity: identity, verdict: verdict))
        }
        return PutOutcome(replicas: replicas, unreached: unreached)
    }

    /// Replicas that refused because they hold nothing, while others hold what the condition names: they lack
    /// a copy and are to get this one.
    var bare: [Contact] {
        guard outcome.stored > 0 else { return [] }
        return targets.filter { $0.state == .ended(.conflict(nil)) }.map(\.contact)
    }

    private mutating func ask(_ contacts: some Sequence<Contact>) -> [Contact] {
        let asked = Array(contacts)
        targets.append(contentsOf: asked.map { Target(contact: $0, state: .asked) })
        return asked
    }

    /// Asks, for each kind of readers that would ask the missing contact, another that they ask.
    private mutating func askSpares(for missing: Contact) -> [Contact] {
        var asked: [Contact] = []
        for audience in audiences
        where audience.reaches(missing) && !asked.contains(where: { audience.reaches($0) }) {
            spares = spares.filter { !isTarget($0.identity) }
            guard let index = spares.firstIndex(where: { audience.reaches($0) }) else { continue }
            let spare = spares.remove(at: index)
            asked += ask([spare])
        }
        return asked
    }
}
