/// Kademlia as a value: the contacts known, the records kept, the lookups under way.
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
        /// Somebody named the peer, or it wrote to us: does it answer?
        case verification
        /// The peer should learn that we are there.
        case greeting
        case seed(Int)
        case upkeep
        /// Is a neighbour still there, and who else is, by its word?
        case watch
        case search(SearchID)
        case put(PutAttempt)
        /// The peer gives the record to members out of our reach.
        case passing(PutAttempt)
        /// The peer spoke of these nodes, which a put does not know: where are they?
        case chase(PutAttempt, news: [UInt32])
        /// A replica spoke of the peer: is it there, to take the record?
        case newcomer(PutAttempt)
        /// The peer answered a read, and lacks this record.
        case repair(RecordID, Digest)
        /// The peer ought to have a copy.
        case copy(RecordID, Digest)
        /// The peer started anew: does it still have its records?
        case sample(lastHeard: Instant)
        case ping(OperationID, sent: Instant)
        case goodbye
    }

    package let identity: Identity
    package let id: NodeID
    package let settings: Settings
    package internal(set) var table: RoutingTable
    package internal(set) var catalog: Catalog
    package var addresses = OwnAddresses()

    var calls = OutstandingCalls()
    var storeRequests = StoreRequests()
    var searches = SearchTable()
    var puts = PutTable()
    var membership: Membership
    /// Offences of members.
    package internal(set) var conduct = Conduct()
    package internal(set) var replication = Replication()
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
        membership = Membership(own: id, hasJoined: table != nil)
    }

    // MARK: Events of calls

    /// The peer answered. Contacts in the answer are admitted, records verified; `struckOut` records were
    /// not, and are gone from it. `wasLive`: the request could change something at the peer, which knows us.
    package mutating func answered(
        _ callID: CallID,
        _ response: Response,
        struckOut: Int = 0,
        wasLive: Bool = true,
        in turn: inout KademliaTurn
    ) {
        guard let call = calls.end(callID) else { return }
        onAnswer(of: call, wasLive: wasLive, in: &turn)
        sampleAgain(call.contact, in: &turn)
        switch response {
        case .nodes(let contacts), .values(_, _, let contacts):
            onHints(contacts, namedBy: call.contact.identity, in: &turn)
        case .pong(let observed, let places, _, _):
            onWhereabouts(of: call.contact, observed: observed, places, in: &turn)
        case .stored, .conflict, .refused, .wanted, .chunk, .roster, .welcome, .absent, .retry: break
        }
        switch call.purpose {
        case .search(let search):
            searchAnswered(search, call.contact, response, struckOut: struckOut, in: &turn)
        case .put(let put): putAnswered(put, call.contact, response, in: &turn)
        case .passing(let put):
            passingAnswered(put, by: call.contact, response, in: &turn)
        case .chase(let put, let news): chaseAnswered(put, news, response, in: &turn)
        case .newcomer(let put):
            newcomerAnswered(put, call.contact, isThere: true, in: &turn)
        case .ping(let operation, let sent):
            turn.actions.append(.finished(operation, .pinged(turn.now.instant.since(sent))))
        case .copy(let place, let digest):
            copyAnswered(place, digest, by: call.contact, response, in: &turn)
            given(1, to: [call.contact], in: &turn)
        case .repair(let place, let digest):
            copyAnswered(place, digest, by: call.contact, response, in: &turn)
            if case .stored = response {
                onRepaired(digest, at: call.contact.identity, now: turn.now.instant)
            }
        case .sample(let lastHeard): sampled(call.contact, lastHeard: lastHeard, response, at: turn.now)
        case .goodbye: saidGoodbye(in: &turn)
        case .watch:
            if case .nodes(let named) = response { compare(named, by: call.contact, in: &turn) }
        case .verification, .greeting, .seed, .upkeep: break
        }
    }

    /// The peer has not answered in its usual time; it may still.
    package mutating func overdue(_ callID: CallID, in turn: inout KademliaTurn) {
        guard let call = calls.delay(callID) else { return }
        switch call.purpose {
        case .search(let search):
            searches[search]?.lookup.slow(call.contact.identity)
            pursue(search, in: &turn)
        case .put(let put):
            guard puts.isUnderWay(put) else { break }
            let more = puts[put.operation]?.overdue(call.contact.identity) ?? []
            offer(put.operation, to: more, in: &turn)
            finishIfDone(put.operation, in: &turn)
        default: break
        }
    }

    /// The peer will not answer.
    package mutating func failed(_ callID: CallID, in turn: inout KademliaTurn) {
        guard let call = calls.end(callID) else { return }
        onSilence(of: call, in: &turn)
        endedUnanswered(call, in: &turn)
    }

    /// There will be no answer, which those who wait for it learn.
    mutating func endedUnanswered(_ call: OutstandingCalls.Call, in turn: inout KademliaTurn) {
        switch call.purpose {
        case .search(let search):
            searches[search]?.trace?.ended(call.contact.identity, .silent, at: turn.now.instant)
            searches[search]?.lookup.failed(call.contact.identity)
            pursue(search, in: &turn)
        case .put(let put):
            guard puts.isUnderWay(put) else { break }
            let more = puts[put.operation]?.answered(call.contact.identity, .timeout) ?? []
            offer(put.operation, to: more, in: &turn)
            finishIfDone(put.operation, in: &turn)
        case .passing(let put): passingAnswered(put, by: call.contact, nil, in: &turn)
        case .chase(let put, let news): chaseAnswered(put, news, nil, in: &turn)
        case .newcomer(let put):
            newcomerAnswered(put, call.contact, isThere: false, in: &turn)
        case .ping(let operation, _): turn.actions.append(.finished(operation, .pinged(nil)))
        case .copy(let place, let digest):
            copyAnswered(place, digest, by: call.contact, nil, in: &turn)
            given(1, to: [call.contact], in: &turn)
        case .repair(let place, let digest):
            copyAnswered(place, digest, by: call.contact, nil, in: &turn)
        case .sample(let lastHeard): sampled(call.contact, lastHeard: lastHeard, nil, at: turn.now)
        case .goodbye: saidGoodbye(in: &turn)
        case .verification, .greeting, .seed, .upkeep, .watch: break
        }
    }

    /// Whether somebody else is asked at once beside this contact: it owes an answer, or left its last
    /// request unanswered. So a dead member costs one wait, and not one for each lookup.
    func isSuspect(_ contact: Contact) -> Bool {
        if calls.isLate(contact.identity) { return true }
        guard let entry = table.entry(for: contact.identity, id: contact.id) else { return false }
        return entry.reachability.grade != .good
    }

    // MARK: Events of users

    /// A user asks for something; `finished` will tell how it ended.
    package mutating func submit(
        _ operation: KademliaOperation,
        as name: OperationID,
        in turn: inout KademliaTurn
    ) {
        guard
            membership.isSettled(at: turn.now.instant, patience: settings.joinPatience) || operation == .leave
        else {
            membership.joining.wait(operation, as: name)
            if let end = membership.joining.patienceEnd(settings.joinPatience) {
                membership.timers.set(.waitingOperations, noLaterThan: end)
            }
            return
        }
        begin(operation, as: name, in: &turn)
    }

    private mutating func begin(
        _ operation: KademliaOperation,
        as name: OperationID,
        in turn: inout KademliaTurn
    ) {
        switch operation {
        case .put(let record, let condition, let copies):
            beginPut(record, condition, copies: copies, to: audiences, as: name, in: &turn)
        case .get(let location, let author, let replicas, let isExhaustive, let paths):
            let get = GetOperation(
                location: location,
                author: author,
                replicas: replicas,
                isExhaustive: isExhaustive
            )
            beginGet(get, paths: paths, as: name, in: &turn)
        case .trace(let location):
            let get = GetOperation(
                location: location,
                author: nil,
                replicas: settings.replicas,
                isExhaustive: true,
                isTraced: true
            )
            beginGet(get, paths: nil, as: name, in: &turn)
        case .ping(let identity, let id): beginPing(identity, id, as: name, in: &turn)
        case .leave: beginLeaving(as: name, in: &turn)
        }
    }

    /// Begins the operations that waited for the neighbours, once these are known.
    mutating func beginWaiting(in turn: inout KademliaTurn) {
        guard membership.joining.hasWaiting,
            membership.isSettled(at: turn.now.instant, patience: settings.joinPatience)
        else { return }
        for (name, operation) in membership.joining.takeWaiting() {
            begin(operation, as: name, in: &turn)
        }
    }

    private mutating func beginPing(
        _ peer: Identity,
        _ id: NodeID,
        as name: OperationID,
        in turn: inout KademliaTurn
    ) {
        if let contact = table.entry(for: peer, id: id)?.contact {
            call(contact, .ping(isLeaving: false), .ping(name, sent: turn.now.instant), in: &turn)
        } else {
            beginSearch(.peer(name, peer), target: id, in: &turn)
        }
    }

    // MARK: Time

    /// Does the work that has fallen due.
    package mutating func advance(in turn: inout KademliaTurn) {
        if !replication.departure.isUnderWay { upkeep(in: &turn) }
        beginWaiting(in: &turn)
        endPuts(in: &turn)
        replicate(in: &turn)
    }

    /// When ``advance(in:)`` is to be called next.
    package var nextDeadline: Instant {
        // Asked for after every event: nothing is allocated for it.
        let upkeep = replication.departure.isUnderWay ? nil : membership.timers.next
        let own = earlier(upkeep, replication.timers.next)
        return own.map { min($0, puts.nextEnd) } ?? puts.nextEnd
    }

    /// Counters of how requests ended, and of contacts that did not answer.
    package var judgements: FailureDetectorCounters { calls.counters }

    /// Whether nobody waits for anything: no call, no operation, no search, no work of the store's is under
    /// way.
    package var isIdle: Bool {
        calls.isEmpty && storeRequests.isEmpty && searches.isEmpty && puts.isEmpty
            && !membership.joining.hasWaiting
    }

    // MARK: Names

    mutating func call(
        _ contact: Contact,
        _ request: Request,
        _ purpose: Purpose,
        isConfigured: Bool = false,
        in turn: inout KademliaTurn
    ) {
        let name = CallID.core(freshName())
        let contact = (contact.reached(by: families) ?? contact).alone
        calls.begin(name, contact, purpose)
        turn.actions.append(.call(name, contact, request, isConfigured: isConfigured))
    }

    mutating func freshTicket() -> Ticket { .core(freshName()) }

    mutating func freshName() -> UInt64 {
        nextName += 1
        return nextName
    }
}
