/// One record on its way. A record that is signed anew, above what a replica holds, is put under the same
/// name: what is said late of the one before is not about it.
struct PutAttempt: Hashable, Sendable {
    let operation: OperationID
    let record: Digest
}

/// The life of one record's way to its replicas.
///
/// The record goes to the closest nodes known; their answers tell which closer ones they know; if any is
/// news, who told is asked where it is, and the record goes there too once it answers. A node that is overdue
/// is not waited for alone: the next closest is asked as well. Once there are copies enough the rest has a
/// moment more, and no longer: else one replica that is never done could hold it up.
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

    /// How long the rest is waited for, once there are copies enough: this, or a quarter of the time it took
    /// to make those.
    static let patience = Span.seconds(1)
    /// How long after its beginning those that said nothing are asked again, and how often, while there are
    /// too few copies: a line that loses much is no reason to speak of failure.
    static let persistence = (time: Span.seconds(2), rounds: 2)

    let record: Record
    let condition: Request.Condition?
    private let own: NodeID
    private let ownIdentity: Identity
    private let width: Int
    /// Copies its user wants at least.
    private let copies: Int
    private var begun: Instant?
    /// When it is over, whoever is still to answer; `nil` while there are too few copies.
    private(set) var deadline: Instant?
    private var targets: [Target] = []
    private var ownVerdict: PutOutcome.Verdict?
    private var isOwnPending = false
    /// What those who took the record said of it.
    private var hiders: [Identity: Response.Receipt.Hider] = [:]
    /// Contacts to ask next, nearest first.
    private var spares: [Contact] = []
    /// Replicas that may be asked where those are of whom they spoke.
    private var chasesLeft: Int
    /// Questions that are to bring closer nodes, and are not answered.
    private var chasing = 0
    private var roundsLeft = PutOperation.persistence.rounds
    /// Closer nodes that replicas spoke of.
    private(set) var news: Set<UInt32> = []

    /// `hasLookedUp`: the contacts it will be given come from a finished lookup, so none closer is to be
    /// chased.
    init(
        record: Record,
        condition: Request.Condition?,
        own: NodeID,
        identity: Identity,
        hasLookedUp: Bool,
        width: Int = Kademlia.replicas,
        copies: Int = 0
    ) {
        self.record = record
        self.condition = condition
        self.own = own
        ownIdentity = identity
        self.width = width
        self.copies = copies
        chasesLeft = hasLookedUp ? 0 : Kademlia.parallelism
    }

    /// What to do first: whom to ask, and whether we ourselves are among the closest.
    ///
    /// `contacts`: the closest known, nearest first, more than are needed.
    mutating func begin(_ contacts: [Contact]) -> (ask: [Contact], keepsOwn: Bool) {
        let ownDistance = own.distance(to: record.location)
        let nearer = contacts.prefix(width).count { $0.id.distance(to: record.location) < ownDistance }
        isOwnPending = nearer < width
        let count = isOwnPending ? width - 1 : width
        spares = Array(contacts.dropFirst(count))
        return (ask(contacts.prefix(count)), isOwnPending)
    }

    /// A replica stored the record, and told who hides it.
    mutating func noteHider(_ hider: Response.Receipt.Hider?, by replica: Identity) {
        hiders[replica] = hider
    }

    mutating func ownStoreEnded(_ verdict: PutOutcome.Verdict) {
        isOwnPending = false
        ownVerdict = verdict
    }

    /// A replica gave its verdict. Returns whom to ask in its stead, if it did not take the record for
    /// reasons of its own.
    mutating func answered(_ identity: Identity, _ verdict: PutOutcome.Verdict) -> [Contact] {
        guard let index = targets.firstIndex(where: { $0.contact.identity == identity }) else { return [] }
        let wasOverdue = targets[index].state == .overdue
        targets[index].state = .ended(verdict)
        switch verdict {
        case .stored, .conflict, .refused(.clock), .refused(.expired), .refused(.denied): return []
        case .timeout where wasOverdue: return []  // somebody was asked in its stead already
        case .timeout, .refused(.quota), .refused(.unavailable): return askSpare()
        }
    }

    mutating func overdue(_ identity: Identity) -> [Contact] {
        guard let index = targets.firstIndex(where: { $0.contact.identity == identity }),
            targets[index].state == .asked
        else { return [] }
        targets[index].state = .overdue
        return askSpare()
    }

    /// Those of the nodes a replica spoke of, by the prefixes of their ids, that are not known here and
    /// closer than one of ours. If there are any, the replica is to be asked where they are.
    mutating func chase(_ prefixes: [UInt32]) -> [UInt32] {
        guard chasesLeft > 0 else { return [] }
        let location = record.location.prefix
        var distances = targets.map { $0.contact.id.prefix ^ location } + [own.prefix ^ location]
        distances.sort()
        let limit = distances.count < width ? UInt32.max : distances[width - 1]
        let closer = prefixes.filter { prefix in
            prefix ^ location < limit && prefix != own.prefix && !news.contains(prefix)
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

    /// A closer node answered: whom to ask besides.
    mutating func found(_ contact: Contact) -> [Contact] {
        guard !targets.contains(where: { $0.contact.identity == contact.identity }) else { return [] }
        return ask([contact])
    }

    /// Takes in the time, after every event.
    mutating func notice(_ now: Instant) {
        let begun = self.begun ?? now
        self.begun = begun
        guard deadline == nil, stored >= enough else { return }
        deadline = now + max(Self.patience, now.since(begun) / 4)
    }

    /// Those to ask again, since nothing else can bring the copies that are lacking.
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

    /// Two fewer than there ought to be, so that every read of three sees one; as many as its user wants, if
    /// that is more. A copy that we alone have is none, where anybody else was asked.
    private var enough: Int {
        let asked = targets.count + (isOwnPending || ownVerdict != nil ? 1 : 0)
        return max(min(asked, width) - (Kademlia.parallelism - 1), copies, min(asked, 2))
    }

    private var stored: Int {
        targets.count { $0.state == .ended(.stored) } + (ownVerdict == .stored ? 1 : 0)
    }

    /// Whether all that can still be learnt is how late the late ones are.
    var isFinished: Bool {
        guard !isOwnPending, chasing == 0, !targets.contains(where: { $0.state == .asked }) else {
            return false
        }
        return stored >= width || !targets.contains { $0.state == .overdue }
    }

    /// What to tell the user; those that have not answered count as timed out.
    var outcome: PutOutcome {
        var replicas: [PutOutcome.Replica] = []
        if isOwnPending || ownVerdict != nil {
            let hider = hiders[ownIdentity]
            replicas.append(.init(identity: ownIdentity, verdict: ownVerdict ?? .timeout, hiddenBy: hider))
        }
        for target in targets {
            let verdict: PutOutcome.Verdict
            if case .ended(let known) = target.state { verdict = known } else { verdict = .timeout }
            let identity = target.contact.identity
            replicas.append(.init(identity: identity, verdict: verdict, hiddenBy: hiders[identity]))
        }
        return PutOutcome(replicas: replicas)
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

    private mutating func askSpare() -> [Contact] {
        while !spares.isEmpty {
            let spare = spares.removeFirst()
            guard !targets.contains(where: { $0.contact.identity == spare.identity }) else { continue }
            return ask([spare])
        }
        return []
    }
}
