/// How a node finds the others, and keeps them found: each part of that is a machine of its own.
struct Membership: Sendable {
    /// Between two requests to the same contact that are to make us known to it.
    static let greetingInterval = Interval.seconds(5)
    /// Places of which one is chosen to ask about.
    static let obscurePlaces = 8
    /// A node that knows fewer contacts than this a second after joining asks about ``placesLookedAt`` places
    /// more.
    static let smallCrowd = 64
    static let placesLookedAt = 8

    /// The kinds of work that upkeep is due for. All of them are looked at, whichever is due.
    enum Timer: Int, CaseIterable, Sendable {
        /// Something happened, or nothing did for long.
        case look
        case rejoin, waitingOperations, savedContacts, seeds, hints, contacts, isolation, refresh, neighbours
    }

    var joining: Joining
    var seeds = Seeds()
    var saved = SavedContacts()
    /// The limit on requests to absent members.
    var absence = Absence()
    var verifications: Verifications
    var isolation = Isolation()
    var watch = NeighbourWatch()
    var relocationLookups = RelocationLookups()
    var unfindable = UnfindablePrefixes()
    var outOfReach = OutOfReach()
    /// Some contacts have IPv4 only, some IPv6 only, and we have both: two kinds of readers, each of which
    /// sees the closest nodes of its own kind, and of ours.
    var isMixed = false
    var timers = TimerTable<Timer>()

    /// `hasJoined`: the neighbours are known from before.
    init(own: NodeID, hasJoined: Bool) {
        joining = Joining(isDone: hasJoined)
        verifications = Verifications(own: own)
        timers[.look] = Instant(nanoseconds: 0)
    }

    /// Whether operations need not wait: the neighbours are known, or there is nobody to wait for.
    func isSettled(at now: Instant, patience: Interval) -> Bool {
        !seeds.knowsOthers || joining.isSettled(at: now, patience: patience)
    }
}

extension KademliaNode {
    /// Peers whose addresses the operator named. They are asked until they answer, with growing pauses, and
    /// again whenever they are lost.
    package mutating func setSeeds(_ identities: [(Identity, NodeID)], in turn: inout KademliaTurn) {
        membership.seeds.replace(
            with: identities,
            own: identity,
            knowsOthers: !membership.saved.isEmpty,
            at: turn.now.instant
        )
        membership.joining.start(at: turn.now.instant)
        membership.timers[.look] = turn.now.instant
        upkeep(in: &turn)
    }

    /// The addresses a seed's name has now; none if it does not resolve.
    package mutating func resolved(seed index: Int, _ endpoints: [Endpoint], in turn: inout KademliaTurn) {
        guard let seed = membership.seeds.underWay(index) else { return }
        let usable = endpoints.filter { $0.isUnicast && families.contains($0.family) }
        guard !usable.isEmpty else {
            seedFailed(index, at: turn.now)
            return
        }
        let endpoint = usable[Int(seed.attempts % UInt64(usable.count))]
        let contact = Contact(identity: seed.identity, id: seed.id, endpoint: endpoint)
        call(contact, .ping(isLeaving: false), .seed(index), isConfigured: true, in: &turn)
    }

    private mutating func seedFailed(_ index: Int, at now: Now) {
        let next = membership.seeds.failed(index, at: now.instant, using: &generator)
        membership.timers.set(.seeds, noLaterThan: next)
    }

    /// Members that are no longer admitted are forgotten.
    package mutating func forget(where isGone: (Identity) -> Bool) {
        let contacts = table.contacts
        // The latest that is known of the time.
        let now = contacts.map(\.lastAnswered).max()
        let promoted = table.removeAll(where: isGone)
        for entry in contacts where isGone(entry.contact.identity) && entry.reachability.grade != .bad {
            onContactLost(entry.contact, lastHeard: entry.lastAnswered, at: now ?? entry.lastAnswered)
        }
        for contact in promoted { onContactPromoted(contact, at: now ?? Instant(nanoseconds: 0)) }
        updateIsMixed()
        membership.verifications.forget(where: isGone)
        membership.outOfReach.removeAll(where: isGone)
        conduct.forget(where: isGone)
    }

    /// A peer leaves. It still answers for a moment: a hint of it must not lead us back.
    mutating func onLeaving(_ contact: Contact, at now: Now) {
        let wasCountedOn = table.entry(for: contact.identity, id: contact.id)?.reachability.grade != .bad
        let promoted = table.remove(contact.identity, id: contact.id)
        // Coming back it is given all there is, as one that lost what it had.
        replication.losses.everything.expect(contact.identity, at: now.instant)
        if wasCountedOn { onContactLost(contact, lastHeard: now.instant, at: now.instant) }
        if let promoted { onContactPromoted(promoted, at: now.instant) }
        updateIsMixed()
        membership.verifications.left(contact, at: now.instant)
    }

    // MARK: The ends of calls

    mutating func onAnswer(of call: OutstandingCalls.Call, wasLive: Bool, in turn: inout KademliaTurn) {
        let contact = call.contact
        membership.verifications.end(contact)
        if case .seed(let index) = call.purpose { membership.seeds.answered(index, at: turn.now.instant) }
        onLife(of: contact, isKnownThere: wasLive, in: &turn)
    }

    /// A request from the peer answered a challenge of ours: it receives there as surely as if it had
    /// answered a request, and it knows us.
    package mutating func proved(_ contact: Contact, in turn: inout KademliaTurn) {
        onLife(of: contact, isKnownThere: true, in: &turn)
    }

    /// The contact is where it is said to be. `isKnownThere`: it knows our process, and where that is.
    private mutating func onLife(of contact: Contact, isKnownThere: Bool, in turn: inout KademliaTurn) {
        let known = table.entry(for: contact.identity, id: contact.id)
        let wasGivenUp = known?.reachability.grade == .bad
        let wasSilent = known.map { $0.reachability.grade != .good } ?? false
        let admission = table.answered(contact, at: turn.now.instant)
        if admission != .refreshed || wasSilent { updateIsMixed() }
        switch admission {
        case .inserted, .replaced:
            membership.joining.meet()
            if isKnownThere, let join {
                searches[join]?.lookup.pass(contact)
                pursue(join, in: &turn)
            }
            // The first is asked for our own place, which tells it of us.
            let isKnownThere = isKnownThere || membership.joining.state == .none
            introduce(contact, isKnownThere: isKnownThere, isNew: true, in: &turn)
            onContactCame(contact, at: turn.now)
            beginJoin(in: &turn)
        case .refreshed, .moved:
            introduce(contact, isKnownThere: isKnownThere, isNew: false, in: &turn)
        case .cached, .refused: break
        }
        if wasGivenUp, let known { onContactReturned(contact, lastHeard: known.lastAnswered, at: turn.now) }
        if wasSilent { reviveOthers(in: &turn) }
        followHints(in: &turn)
    }

    /// Sees to it that a contact knows us, as we are now: it answered as to somebody whose process or address
    /// it does not know, so the next request, which carries its challenge, makes us known.
    private mutating func introduce(
        _ contact: Contact,
        isKnownThere: Bool,
        isNew: Bool,
        in turn: inout KademliaTurn
    ) {
        guard let entry = table.entry(for: contact.identity, id: contact.id) else { return }
        if !isKnownThere, !membership.verifications.isArriving(contact, at: turn.now.instant) {
            guard isNew || turn.now.instant.since(entry.lastTold) >= Membership.greetingInterval else {
                return
            }
            greet(contact, in: &turn)
        }
        table.told(contact.identity, id: contact.id, at: turn.now.instant)
    }

    /// The lookup of our own place.
    private var join: SearchID? { searches.names { $0 == .join }.first }

    /// Asks the contact for others by FIND_NODE, which is as dear as a PING: what the lookup of our own place
    /// would ask soon, or about a place of which we know little.
    private mutating func greet(_ contact: Contact, in turn: inout KademliaTurn) {
        if let join, searches[join]?.lookup.claim(contact) == true {
            return call(contact, .findNode(target: id), .search(join), in: &turn)
        }
        call(contact, .findNode(target: obscurePlace()), .greeting, in: &turn)
    }

    /// A contact that had fallen silent answers: perhaps it was us who were cut off. So the others that were
    /// given up are asked at once, and not when their back-offs of minutes are over.
    private mutating func reviveOthers(in turn: inout KademliaTurn) {
        let others = table.contacts.filter { $0.reachability.grade == .bad }.map(\.contact)
        guard !others.isEmpty else { return }
        let isDue = membership.isolation.revive(
            others.count,
            paying: &membership.absence,
            at: turn.now.instant
        )
        guard isDue else { return }
        for contact in others { probe(contact, in: &turn) }
        beginSearch(.join, target: id, in: &turn)
    }

    mutating func onSilence(of call: OutstandingCalls.Call, in turn: inout KademliaTurn) {
        let contact = call.contact
        membership.verifications.end(contact)
        if case .seed(let index) = call.purpose { seedFailed(index, at: turn.now) }
        // Another address of the peer that did not answer says nothing about the one we know.
        let entry = table.entry(for: contact.identity, id: contact.id)
        let known = entry.flatMap { $0.contact.reached(by: families) ?? $0.contact }
        if known == nil || known?.endpoint == contact.endpoint,
            let failure = table.failed(contact.identity, id: contact.id, at: turn.now.instant)
        {
            calls.count(failure, of: entry?.reachability.grade)
            if failure != .questionable { updateIsMixed() }
            if failure != .questionable, let entry, entry.reachability.grade != .bad {
                onContactLost(entry.contact, lastHeard: entry.lastAnswered, at: turn.now.instant)
            }
            if case .replaced(let newest) = failure { onContactPromoted(newest, at: turn.now.instant) }
            let next = turn.now.instant + Reachability.firstBackoff
            membership.timers.set(.contacts, noLaterThan: next)
            // Of one that was given up others would have told since, in answers to whatever we asked.
            if entry?.reachability.grade != .bad,
                membership.relocationLookups.begin(for: contact.identity, at: turn.now.instant)
            {
                beginSearch(
                    .rescue(contact.identity),
                    target: contact.id,
                    width: reach(of: contact),
                    in: &turn
                )
            }
        }
        followHints(in: &turn)
    }

    /// A live request came from the peer: it receives there. It enters the table once it answers us.
    mutating func onInbound(_ contact: Contact, in turn: inout KademliaTurn) {
        let entry = table.entry(for: contact.identity, id: contact.id)
        if let entry, entry.contact.isAt(contact.endpoint), entry.reachability.grade == .good {
            table.heard(contact, at: turn.now.instant)
            return
        }
        guard entry != nil || table.hasRoom(for: contact.id) else { return }
        if let entry, entry.contact.isAt(contact.endpoint) {
            // The contact is where we know it to be, and was only silent.
            guard membership.verifications.returned(contact, at: turn.now.instant) else {
                // The last probe may have come too early, and this may be the last request for long.
                let due = turn.now.instant + Verifications.returnInterval
                table.hastened(contact.identity, id: contact.id, to: due)
                return membership.timers.set(.contacts, noLaterThan: due)
            }
            return probe(contact, in: &turn)
        }
        verify(contact, .inbound, in: &turn)
    }

    /// A request came from a peer that has not proved yet that it receives there, and is answered. The answer
    /// makes us known to it, and its next request makes it known to us.
    mutating func onArriving(_ contact: Contact, at now: Instant) {
        membership.verifications.arrives(contact, at: now)
    }
}
