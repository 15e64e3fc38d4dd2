import DHTCore
import DHTCrypto
import DHTEnvelope

/// A node's machine: every datagram is sealed and opened by libsodium.
package typealias Engine = GatedEngine<Gate>

/// One node as a machine: datagrams, operations and time in; datagrams, storage work and outcomes out.
///
/// Performs no IO and reads no clock. After each call the driver performs the actions in order, then re-arms
/// its one timer to ``nextDeadline``. Every datagram goes through the gate before ``KademliaNode`` sees what
/// was in it. Which gate is a type: a node can hold no other than its own, see ``Gatekeeper``.
package struct GatedEngine<Keeper: Gatekeeper & ~Copyable>: ~Copyable {
    package var gate: Keeper
    package var core: KademliaNode
    var calls = CallBook()
    var views = PeerViews()
    /// Requests that wait for the store. A store that stands still must not fill the memory.
    static var inboundCapacity: Int { 16_384 }
    var inboundRequests: [RequestID: Gate.InboundRequest] = [:]
    var desk = OperationDesk()
    var transfers = ContentTransfers()
    var roster: RosterDesk
    package internal(set) var counters = Counters()
    package internal(set) var figures = CallFigures()
    private var nextRequest: UInt64 = 0

    package init(gate: consuming Keeper, core: KademliaNode) {
        self.gate = gate
        self.core = core
        let admission = self.gate.admission
        roster = RosterDesk(network: self.gate.networkID, local: admission)
        self.core.mute { !admission.mayWrite($0) }
    }

    package var identity: Identity { gate.identity }
}

// MARK: Events

extension GatedEngine where Keeper: ~Copyable {
    /// A datagram arrived from `endpoint`.
    @discardableResult
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func receive(
        _ datagram: [UInt8],
        from endpoint: Endpoint,
        in turn: inout EngineTurn
    ) -> Disposition {
        take(gate.receive(datagram, from: endpoint, at: turn.now.instant), from: endpoint, in: &turn)
    }

    /// A datagram that no key of this node opened was not for it: an invitation's opened it.
    package mutating func disregardDrop(from source: Endpoint) { counters.withdraw(.header, from: source) }

    mutating func take(
        _ verdict: Gate.Verdict,
        from endpoint: Endpoint,
        in turn: inout EngineTurn
    ) -> Disposition {
        counters.received += 1
        switch verdict {
        case .dropped(let reason):
            counters.count(reason, from: endpoint, at: turn.now.instant)
            return .dropped(reason)
        case .request(let inbound):
            guard inboundRequests.count < Self.inboundCapacity else {
                counters.count(.capacity, from: endpoint, at: turn.now.instant)
                return .dropped(.capacity)
            }
            counters.inboundRequests += 1
            figures.accept(inbound.request.operation)
            // As it is before the request: what that proves of its sender comes after.
            let view = inbound.request.operation == .ping ? view(told: inbound.sender, at: turn.now) : nil
            onSender(of: inbound, in: &turn)
            dispatch(inbound, telling: view, in: &turn)
            onRosterMark(of: inbound, in: &turn)
        case .answer(let answer):
            counters.answers += 1
            counters.struckOut += UInt64(answer.struckOut)
            if answer.recordsStruckOut > 0 {
                core.record(.struckOut, of: answer.sender, at: turn.now.instant)
            }
            if answer.namesTwin { core.record(.twoProcesses, of: identity, at: turn.now.instant) }
            if answer.unusable > 0 { core.record(.unusableContacts, of: answer.sender, at: turn.now.instant) }
            if answer.showsNewKey { onRestart(of: answer.sender, at: answer.endpoint, in: &turn) }
            accept(answer, in: &turn)
        }
        return .accepted
    }

    /// The store is done with a ticket.
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func complete(
        _ ticket: Ticket,
        with outcome: StorageOutcome,
        in turn: inout EngineTurn
    ) {
        if ticket.isContent {
            return transfer(in: &turn) { $0.complete(ticket, with: outcome, &$1) }
        }
        var inner = KademliaTurn(at: turn.now)
        switch outcome {
        case .part, .surveyed: preconditionFailure("content came for a ticket that asked for none")
        case .loaded(let records):
            // Those who may write no more may have records here from when they might; and a file can be
            // written to by others than us.
            let kept = records.filter { gate.accepts($0) }
            let withheld = records.filter { !gate.admission.mayWrite($0.author) }.map(\.digest)
            core.loaded(ticket, kept, withheld: withheld, in: &inner)
        case .applied: core.applied(ticket, .done, in: &inner)
        case .full: core.applied(ticket, .failed(.quota), in: &inner)
        case .unavailable: core.storeFailed(ticket, in: &inner)
        }
        perform(inner.actions, in: &turn)
    }

    /// Peers whose addresses the operator named; `resolve` asks for each when it is needed.
    package mutating func setSeeds(_ identities: [Identity], in turn: inout EngineTurn) {
        let seeds = identities.map { ($0, gate.admission.nodeID(of: $0)) }
        tellCore(in: &turn) { $0.setSeeds(seeds, in: &$1) }
    }

    /// The network of this machine is not what it was; `hasMoved`: nor are its addresses.
    package mutating func networkChanged(hasMoved: Bool, in turn: inout EngineTurn) {
        tellCore(in: &turn) { $0.networkChanged(hasMoved: hasMoved, in: &$1) }
    }

    /// The addresses a seed has now; none if its name does not resolve.
    package mutating func resolved(seed: Int, _ endpoints: [Endpoint], in turn: inout EngineTurn) {
        tellCore(in: &turn) { $0.resolved(seed: seed, endpoints, in: &$1) }
    }

    /// A record that the store holds at start. Records of authors who may not write, or with bad signatures,
    /// are not taken; `false` says so.
    package mutating func restore(_ record: Record) -> Bool {
        guard gate.accepts(record) else { return false }
        core.restore(record)
        return true
    }

    /// Enters the metadata that the store keeps of a record, at start. The record's signature was checked
    /// before it was stored.
    package mutating func restore(_ entry: Catalog.Entry, at location: NodeID) {
        core.restore(entry, at: location, mayWrite: gate.admission.mayWrite(entry.author))
    }

    /// Contacts of the process before this one; those that are not admitted are not asked. Before the seeds.
    package mutating func remember(_ contacts: [(Identity, Endpoint)]) {
        let admitted = contacts.filter { gate.admission.admits($0.0) && $0.0 != identity && $0.1.isUnicast }
        core.remember(
            admitted.map { Contact(identity: $0.0, id: gate.admission.nodeID(of: $0.0), endpoint: $0.1) }
        )
    }

    /// Does the work that has fallen due.
    @_specialize(exported:true,where Keeper == Gate)
    package mutating func advance(in turn: inout EngineTurn) {
        gate.advance(to: turn.now.instant)
        while let due = calls.popDue(at: turn.now.instant) { timedOut(due, in: &turn) }
        tellCore(in: &turn) { core, turn in
            if core.nextDeadline <= turn.now.instant { core.advance(in: &turn) }
        }
        renewValues(in: &turn)
        if let deadline = transfers.deadline, deadline <= turn.now.instant {
            transfer(in: &turn) { $0.advance(&$1) }
        }
        if let deadline = roster.deadline, deadline <= turn.now.instant {
            consult(in: &turn) { $0.advance(&$1) }
        }
    }

    // MARK: Queries

    /// When ``advance(in:)`` is to be called next.
    package var nextDeadline: Instant? {
        @_specialize(exported:true,where Keeper == Gate)
        mutating get {
            var own = min(gate.nextDeadline, core.nextDeadline)
            if let look = desk.deadline { own = min(own, look) }
            if let deadline = transfers.deadline { own = min(own, deadline) }
            if let deadline = roster.deadline { own = min(own, deadline) }
            return calls.nextDeadline.map { min($0, own) } ?? own
        }
    }

    /// The smoothed round-trip time to a peer.
    package func roundTrip(to identity: Identity) -> Interval? { calls.roundTrips.smoothed(to: identity) }

    /// A contact's last word on its clock and on what it makes of us; `nil`: none, or it is no contact.
    package func view(of identity: Identity) -> PeerView? {
        let id = gate.admission.nodeID(of: identity)
        return core.table.entry(for: identity, id: id) == nil ? nil : views[identity]
    }

    /// Our clock, and our view of a peer, for that peer.
    private func view(told peer: Identity, at now: Now) -> Response.View {
        let entry = core.table.entry(for: peer, id: gate.admission.nodeID(of: peer))
        return Response.View(
            clock: now.unixMilliseconds,
            state: entry?.reachability.grade,
            lastAnswered: entry.map { now.instant.since($0.lastAnswered) },
            roundTrip: roundTrip(to: peer)
        )
    }

    package var callsInFlight: Int { calls.count }

    /// All collections that others can make grow: the gate's, the core's and our own.
    package var bounds: [Bound] {
        gate.bounds + core.bounds + calls.bounds + desk.bounds(importing: transfers.imports.count)
            + transfers.bounds(calls: calls.count) + roster.bounds
            + [
                Bound("inbound requests", inboundRequests.count, of: Self.inboundCapacity),
                Bound("views of peers", views.count, of: PeerViews.capacity),
            ]
    }
}

extension Gatekeeper where Self: ~Copyable {
    /// Another process with the sender's key, if there is one of which it may be told.
    fileprivate func twin(of inbound: Gate.InboundRequest) -> Contact? {
        guard inbound.isLive, let twin = inbound.twin, !twin.isLoopback || inbound.endpoint.isLoopback else {
            return nil
        }
        return Contact(identity: inbound.sender, id: admission.nodeID(of: inbound.sender), endpoint: twin)
    }
}

extension Response {
    /// The response with this contact before all others, if there is one. A response that may be as long as a
    /// datagram stays as it is.
    fileprivate func naming(_ contact: Contact?) -> Response {
        guard let contact else { return self }
        let others = Kademlia.namedLimit - 1
        switch self {
        case .nodes(let contacts): return .nodes([contact] + contacts.prefix(others))
        case .values(let records, let total, let closer) where records.isEmpty:
            return .values(records, total: total, closer: [contact] + closer.prefix(others))
        default: return self
        }
    }
}

// MARK: Actions of the core

extension GatedEngine where Keeper: ~Copyable {
    /// Tells the core of an event, and performs the actions it wants done.
    mutating func tellCore(
        in turn: inout EngineTurn,
        _ event: (inout KademliaNode, inout KademliaTurn) -> Void
    ) {
        var inner = KademliaTurn(at: turn.now)
        event(&core, &inner)
        perform(inner.actions, in: &turn)
    }

    mutating func perform(_ actions: [KademliaAction], in turn: inout EngineTurn) {
        gatherCounters()
        // The end of an operation may begin a new one, whose changes must not get in front of these.
        for action in actions where !action.isEnd { perform(action, in: &turn) }
        for action in actions where action.isEnd { perform(action, in: &turn) }
    }

    private mutating func perform(_ action: KademliaAction, in turn: inout EngineTurn) {
        switch action {
        case .call(let id, let contact, let request, let isConfigured):
            start(id, contact, request, isConfigured: isConfigured, in: &turn)
        case .reply(let id, let response):
            reply(id, response, in: &turn)
        case .load(let ticket, let location, let authors):
            turn.actions.append(.load(ticket, location: location, authors: authors))
        case .apply(let ticket, let changes):
            transfer(in: &turn) { $0.apply(ticket, changes, &$1) }
        case .resolve(let seed): turn.actions.append(.resolve(seed: seed))
        case .retry(let endpoint): turn.actions.append(.retry(endpoint))
        case .finished(let id, let outcome): finish(id, outcome, in: &turn)
        }
    }

    /// Answers an inbound request.
    mutating func reply(_ id: RequestID, _ response: Response, in turn: inout EngineTurn) {
        guard let inbound = inboundRequests.removeValue(forKey: id) else { return }
        let response = telling(response.naming(gate.twin(of: inbound)), to: inbound.request)
        if let datagram = gate.draft(response, to: inbound, now: turn.now.instant) {
            transmit(datagram, to: inbound.endpoint, in: &turn)
        }
    }

    /// Takes in what a request says of its sender besides what it asks.
    private mutating func onSender(of inbound: Gate.InboundRequest, in turn: inout EngineTurn) {
        if inbound.twin != nil { core.record(.twoProcesses, of: inbound.sender, at: turn.now.instant) }
        if inbound.showsNewKey {
            onRestart(of: inbound.sender, at: inbound.endpoint, in: &turn)
        }
        guard inbound.provesAddress, !inbound.request.isGoodbye else { return }
        counters.proofs += 1
        calls.heard(from: inbound.endpoint)
        let id = gate.admission.nodeID(of: inbound.sender)
        let contact = Contact(identity: inbound.sender, id: id, endpoint: inbound.endpoint)
        tellCore(in: &turn) { $0.proved(contact, in: &$1) }
    }

    private mutating func onRestart(of peer: Identity, at endpoint: Endpoint, in turn: inout EngineTurn) {
        let contact = Contact(identity: peer, id: gate.admission.nodeID(of: peer), endpoint: endpoint)
        tellCore(in: &turn) { $0.restarted(contact, in: &$1) }
    }

    mutating func transmit(_ datagram: Outgoing, to endpoint: Endpoint, in turn: inout EngineTurn) {
        counters.transmitted += 1
        turn.actions.append(.transmit(datagram, to: endpoint))
    }

    private mutating func dispatch(
        _ inbound: Gate.InboundRequest,
        telling view: Response.View?,
        in turn: inout EngineTurn
    ) {
        nextRequest += 1
        let id = RequestID(rawValue: nextRequest)
        inboundRequests[id] = inbound
        let sender = Contact(
            identity: inbound.sender,
            id: gate.admission.nodeID(of: inbound.sender),
            endpoint: inbound.endpoint
        )
        if let record = inbound.request.record, inbound.isLive,
            !gate.admission.mayWrite(record.author)
        {
            reply(id, .refused(.denied), in: &turn)
        } else if !handleRoster(id, inbound, in: &turn),
            !handleContent(id, inbound, from: sender, in: &turn)
        {
            tellCore(in: &turn) { core, turn in
                core.handleRequest(
                    id,
                    by: sender,
                    inbound.request,
                    isLive: inbound.isLive,
                    telling: view,
                    in: &turn
                )
            }
        }
    }
}

extension KademliaAction {
    /// An operation is over.
    fileprivate var isEnd: Bool { if case .finished = self { true } else { false } }
}
