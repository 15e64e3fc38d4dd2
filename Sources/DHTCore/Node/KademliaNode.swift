/// Kademlia as a value: who is known, what is kept, what is being looked for.
///
/// Performs no IO, reads no clock, knows no key. The driver tells it of events and performs the actions it
/// returns; every identity it is told of was authenticated, every record verified.
package struct KademliaNode: Sendable {
    package struct Settings: Sendable {
        package var replicas = Kademlia.replicas
        package var parallelism = Kademlia.parallelism
        /// d: paths of each lookup for a user that share nobody, 1…8. Nodes that lie mislead only the paths
        /// they are on; every path costs about as many queries as the first, but for gets that find what they
        /// want straight away.
        package var paths = 1
        /// Between lookups through each part of the key space.
        package var refreshInterval = Interval.minutes(15)
        /// How long an operation waits, at most, for a node that has just started to find its neighbours.
        package var joinPatience = Interval.seconds(2)
        package var quota = Catalog.Quota()
        /// STOREs a second, on average, by which copies are kept where they belong.
        package var repairRate: UInt64 = 100
        /// Such STOREs under way at once, and as many at once after a pause.
        package var repairParallelism = 16
        /// Between two times a record is republished, at most; half of its lifetime if that is less.
        package var republishInterval = Interval.minutes(720)
        /// Contacts a bucket holds, from the root on; those deeper hold ``Kademlia/replicas``.
        package var bucketCapacities = RoutingTable.standardCapacities

        package init() {}
    }

    /// Why a peer was asked; decides what its answer means.
    enum Purpose: Hashable, Sendable {
        /// Somebody named it, or it wrote to us: does it answer?
        case verification(isInbound: Bool)
        /// It should learn that we are there.
        case greeting
        case seed(Int)
        case upkeep
        case search(SearchID)
        case put(PutAttempt)
        /// It gives the record to those out of our reach.
        case passing(PutAttempt)
        /// It spoke of these, which a put does not know: where are they?
        case chase(PutAttempt, news: [UInt32])
        /// A replica spoke of it: is it there, to take the record?
        case newcomer(PutAttempt)
        /// It answered a read, and lacks this.
        case repair(Catalog.Place, Digest)
        /// It ought to have a copy.
        case copy(Catalog.Place, Digest)
        /// It started anew: does it have what it had?
        case sample(lastHeard: Instant)
        case ping(OperationID, sent: Instant)
        case goodbye
    }

    struct Call: Sendable {
        let contact: Contact
        let purpose: Purpose
    }

    /// What a ticket's outcome is for.
    enum StoreRequest: Hashable, Sendable {
        case answerInbound(RequestID, location: NodeID, author: Identity?, Page, requester: Contact)
        case answerConflict(RequestID)
        case keep(Record, displaced: Catalog.Entry?, evicted: [Catalog.Located])
        case readOwn(SearchID)
        case tellConflict(OperationID)
        case replicate(Replication.Offer)
        case sweep
    }

    package let identity: Identity
    package let id: NodeID
    package let settings: Settings
    package internal(set) var table: RoutingTable
    package internal(set) var catalog: Catalog
    /// Where we believe we can be reached; told in answers to PING.
    package var endpoints: [Endpoint] = []
    /// Where else that may be, of families of which neither these nor peers tell.
    package var supposed: [Endpoint] = []
    /// Where peers saw us, the last of each family.
    var observed: [Endpoint.Family: Endpoint] = [:]

    var calls: [CallID: Call] = [:]
    var storeRequests: [Ticket: StoreRequest] = [:]
    /// What the store ought to bring for each ticket that asks it to read.
    var expected: [Ticket: [Catalog.Located]] = [:]
    /// Records the catalog has and the store does not yet, and who waits for each.
    var pendingWrites: [Digest: [WriteWaiter]] = [:]
    var searches: [SearchID: Search] = [:]
    var puts: [OperationID: PutOperation] = [:]
    /// Those of the puts that somebody else asked for, who has one family only.
    var relays: [OperationID: Relay] = [:]
    /// When the first of the puts that have copies enough is over.
    var nextPutEnd = Instant(nanoseconds: .max)
    var membership: Membership
    /// Some contacts have IPv4 only, some IPv6 only, and we have both: two kinds of readers, each of which
    /// sees the closest nodes of its own kind, and of ours.
    var isMixed = false
    /// Peers whose answer to some call is overdue. The calls bound it.
    var overdue: Set<Identity> = []
    package internal(set) var judgements = FailureDetectorCounters()
    /// What members did that no honest one does.
    package internal(set) var conduct = Conduct()
    package internal(set) var replication = Replication()
    var handover = Handover()
    /// Id prefixes of nodes that were looked for in vain, and when.
    var unfindable: [UInt32: Instant] = [:]
    /// Operations that wait until the neighbours are known.
    var waiting: [(OperationID, KademliaOperation)] = []
    var generator: any RandomNumberGenerator & Sendable
    private var nextName: UInt64 = 0

    /// `table`: contacts known from before, if any; with them the node need not join.
    package init(
        identity: Identity,
        id: NodeID,
        settings: Settings = Settings(),
        table: RoutingTable? = nil,
        generator: some RandomNumberGenerator & Sendable
    ) {
        self.identity = identity
        self.id = id
        self.settings = settings
        self.generator = generator
        self.table = table ?? RoutingTable(own: id, capacities: settings.bucketCapacities)
        catalog = Catalog(quota: settings.quota)
        membership = Membership(own: id)
        if table != nil { membership.join = .done }
    }

    // MARK: Events of calls

    /// The peer answered. Contacts in the answer are admitted, records verified; `struckOut` records were
    /// not, and are gone from it. `wasLive`: the request could change something at the peer, which knows us.
    package mutating func answered(
        _ callID: CallID,
        _ response: Response,
        struckOut: Int = 0,
        wasLive: Bool = true,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard let call = calls.removeValue(forKey: callID) else { return }
        overdue.remove(call.contact.identity)
        noteAnswer(of: call, wasLive: wasLive, at: now, into: &actions)
        settleDoubt(about: call.contact, at: now, into: &actions)
        switch response {
        case .nodes(let contacts), .values(_, _, let contacts):
            noteHints(contacts, namedBy: call.contact.identity, at: now, into: &actions)
        case .pong(let observed, let places):
            noteWhereabouts(of: call.contact, observed: observed, places, at: now, into: &actions)
        case .stored, .conflict, .refused, .wanted, .chunk, .absent, .retry: break
        }
        switch call.purpose {
        case .search(let search):
            searchAnswered(search, call.contact, response, struckOut: struckOut, at: now, into: &actions)
        case .put(let put): putAnswered(put, call.contact, response, at: now, into: &actions)
        case .passing(let put):
            passingAnswered(put, by: call.contact, response, at: now, into: &actions)
        case .chase(let put, let news): chaseAnswered(put, news, response, at: now, into: &actions)
        case .newcomer(let put):
            newcomerAnswered(put, call.contact, isThere: true, at: now, into: &actions)
        case .ping(let operation, let sent):
            actions.append(.finished(operation, .pinged(now.instant.since(sent))))
        case .copy(let place, let digest):
            copyAnswered(place, digest, by: call.contact, response, at: now, into: &actions)
            given(1, to: [call.contact], at: now, into: &actions)
        case .repair(let place, let digest):
            copyAnswered(place, digest, by: call.contact, response, at: now, into: &actions)
            if case .stored = response { noteRepaired(digest, at: call.contact.identity, now: now.instant) }
        case .sample(let lastHeard): sampled(call.contact, lastHeard: lastHeard, response, at: now)
        case .goodbye: saidGoodbye(at: now, into: &actions)
        case .verification, .greeting, .seed, .upkeep: break
        }
    }

    /// The peer has not answered in its usual time; it may still.
    package mutating func overdue(_ callID: CallID, at now: Now, into actions: inout [KademliaAction]) {
        guard let call = calls[callID] else { return }
        overdue.insert(call.contact.identity)
        judgements.overdue += 1
        switch call.purpose {
        case .search(let search):
            searches[search]?.lookup.slow(call.contact.identity)
            pursue(search, at: now, into: &actions)
        case .put(let put):
            guard isUnderWay(put) else { break }
            let more = puts[put.operation]?.overdue(call.contact.identity) ?? []
            offer(put.operation, to: more, into: &actions)
            finishIfDone(put.operation, at: now, into: &actions)
        default: break
        }
    }

    /// The peer will not answer.
    package mutating func failed(_ callID: CallID, at now: Now, into actions: inout [KademliaAction]) {
        guard let call = calls.removeValue(forKey: callID) else { return }
        overdue.remove(call.contact.identity)
        noteSilence(of: call, at: now, into: &actions)
        switch call.purpose {
        case .search(let search):
            searches[search]?.lookup.failed(call.contact.identity)
            pursue(search, at: now, into: &actions)
        case .put(let put):
            guard isUnderWay(put) else { break }
            let more = puts[put.operation]?.answered(call.contact.identity, .timeout) ?? []
            offer(put.operation, to: more, into: &actions)
            finishIfDone(put.operation, at: now, into: &actions)
        case .passing(let put): passingAnswered(put, by: call.contact, nil, at: now, into: &actions)
        case .chase(let put, let news): chaseAnswered(put, news, nil, at: now, into: &actions)
        case .newcomer(let put):
            newcomerAnswered(put, call.contact, isThere: false, at: now, into: &actions)
        case .ping(let operation, _): actions.append(.finished(operation, .pinged(nil)))
        case .copy(let place, let digest):
            copyAnswered(place, digest, by: call.contact, nil, at: now, into: &actions)
            given(1, to: [call.contact], at: now, into: &actions)
        case .repair(let place, let digest):
            copyAnswered(place, digest, by: call.contact, nil, at: now, into: &actions)
        case .sample(let lastHeard): sampled(call.contact, lastHeard: lastHeard, nil, at: now)
        case .goodbye: saidGoodbye(at: now, into: &actions)
        case .verification, .greeting, .seed, .upkeep: break
        }
    }

    /// Whether somebody else is asked at once beside this contact: it owes an answer, or left its last
    /// request unanswered. So a dead member costs one wait, and not one for each lookup.
    func isSuspect(_ contact: Contact) -> Bool {
        if overdue.contains(contact.identity) { return true }
        guard let entry = table.entry(for: contact.identity, id: contact.id) else { return false }
        return entry.reachability.grade != .good
    }

    // MARK: Events of users

    /// A user asks for something; `finished` will tell how it ended.
    package mutating func submit(
        _ operation: KademliaOperation,
        as name: OperationID,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard membership.isSettled(at: now.instant, patience: settings.joinPatience) || operation == .leave
        else {
            waiting.append((name, operation))
            if let startedAt = membership.startedAt { wake(at: startedAt + settings.joinPatience) }
            return
        }
        begin(operation, as: name, at: now, into: &actions)
    }

    private mutating func begin(
        _ operation: KademliaOperation,
        as name: OperationID,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        switch operation {
        case .put(let record, let condition, let copies):
            beginPut(
                record,
                condition,
                copies: copies,
                to: audiences,
                as: name,
                at: now,
                into: &actions
            )
        case .get(let location, let author, let replicas, let isExhaustive, let paths):
            let get = GetOperation(
                location: location,
                author: author,
                replicas: replicas,
                isExhaustive: isExhaustive
            )
            beginGet(get, paths: paths, as: name, at: now, into: &actions)
        case .ping(let identity, let id): beginPing(identity, id, as: name, at: now, into: &actions)
        case .leave: beginLeaving(as: name, at: now, into: &actions)
        }
    }

    /// Begins what waited for the neighbours, once they are known.
    mutating func beginWaiting(at now: Now, into actions: inout [KademliaAction]) {
        guard !waiting.isEmpty, membership.isSettled(at: now.instant, patience: settings.joinPatience) else {
            return
        }
        let begun = waiting
        waiting = []
        for (name, operation) in begun { begin(operation, as: name, at: now, into: &actions) }
    }

    private mutating func beginPing(
        _ peer: Identity,
        _ id: NodeID,
        as name: OperationID,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        if let contact = table.entry(for: peer, id: id)?.contact {
            call(contact, .ping(isLeaving: false), .ping(name, sent: now.instant), into: &actions)
        } else {
            beginSearch(.peer(name, peer), target: id, at: now, into: &actions)
        }
    }

    // MARK: Time

    /// Does what has fallen due.
    package mutating func advance(to now: Now, into actions: inout [KademliaAction]) {
        upkeep(at: now, into: &actions)
        beginWaiting(at: now, into: &actions)
        endPuts(at: now, into: &actions)
        replicate(at: now, into: &actions)
    }

    /// When ``advance(to:into:)`` is to be called next.
    package var nextDeadline: Instant { min(membership.nextUpkeep, replication.wakeAt, nextPutEnd) }

    /// Whether nobody waits for anything: no call, no operation, no search, no work of the store's is under
    /// way.
    package var isIdle: Bool {
        calls.isEmpty && storeRequests.isEmpty && searches.isEmpty && puts.isEmpty && waiting.isEmpty
    }

    // MARK: Names

    mutating func call(
        _ contact: Contact,
        _ request: Request,
        _ purpose: Purpose,
        isConfigured: Bool = false,
        into actions: inout [KademliaAction]
    ) {
        let name = CallID(rawValue: freshName())
        let contact = (contact.reached(by: families) ?? contact).alone
        calls[name] = Call(contact: contact, purpose: purpose)
        judgements.requests += 1
        actions.append(.call(name, contact, request, isConfigured: isConfigured))
    }

    mutating func ticket(for storeRequest: StoreRequest) -> Ticket {
        let ticket = Ticket(rawValue: freshName())
        storeRequests[ticket] = storeRequest
        return ticket
    }

    mutating func freshName() -> UInt64 {
        nextName += 1
        return nextName
    }
}
