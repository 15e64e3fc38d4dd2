/// How a node finds the others, and keeps them found.
struct Membership: Sendable {
    /// An address the operator named, for a peer of a known identity.
    struct Seed: Sendable {
        let identity: Identity
        let id: NodeID
        var nextAttempt: Instant
        var attempts: UInt64 = 0
        var isInFlight = false
    }

    /// Between two requests to the same peer of whom others told us.
    static let hintInterval = Interval.seconds(30)
    /// One that we answered without knowing it makes itself known within this time, and knows us.
    static let arrivalPatience = Interval.seconds(2)
    /// Between two requests to the same contact that are to make us known to it.
    static let greetingInterval = Interval.seconds(5)
    /// Between two requests to a contact that is not good and of which live requests come.
    static let returnInterval = Interval.seconds(2)
    /// Between two requests by which one that counts on nobody asks whether anybody is there.
    static let isolationInterval = Interval.seconds(2)
    /// Questions whether somebody is there, at once.
    static let verificationLimit = 16
    /// Places of which one is chosen to ask about.
    static let obscurePlaces = 8
    /// Who knows fewer than that a second after joining asks about so many places more.
    static let smallCrowd = 64
    static let placesLookedAt = 8
    static let followedLimit = 4096
    static let rememberedLimit = 256
    static let longestSeedBackoff = Interval.seconds(15)
    /// Between two rounds through the contacts that the previous process saved, while nobody answers.
    static let longestReminder = Interval.minutes(8)
    /// After joining, our own place is looked up again this much later, for those who joined at the same
    /// time; the last time when those who asked in vain whether we are there may ask again.
    static let rejoinDelays = [Interval.seconds(1), .seconds(4), .seconds(15), .seconds(60)]
    /// After joining, parts of the key space that are still hardly known are looked up this much later: most
    /// become known by then as contacts are asked who else there is.
    static let refreshDelay = Interval.seconds(20)

    var seeds: [Seed] = []
    /// Those before were asked since the operator named them.
    var seedsAsked = 0
    /// When any of them is to be asked.
    var nextSeed = Instant(nanoseconds: 0)
    /// What asking those that are absent may cost.
    var absence = Absence()
    /// There is a seed that is not ourselves, or a contact that the previous process saved.
    var hasSeeds = false
    /// Contacts saved by the previous process, asked again and again for as long as nobody answers.
    var remembered: [Contact] = []
    var nextReminder: Instant?
    var reminders: UInt64 = 0
    var hints: Hints
    var outOfReach = OutOfReach()
    /// Who is asked, and where: a wrong word about an address must not keep the right one waiting.
    var verifying: Set<Contact> = []
    /// About whom a hint was followed up.
    var followed = RecentPlaces(interval: Membership.hintInterval)
    /// Who took leave, and answers for a moment more.
    var departed = RecentPlaces(interval: Membership.hintInterval)
    /// Contacts that were asked because live requests of theirs came.
    var returning = RecentPlaces(interval: Membership.returnInterval)
    /// When, while nobody is good, the next contact is asked; and how many were.
    var nextProbe: Instant?
    var probes = 0
    /// Those we answered without knowing them.
    var arriving = RecentPlaces(interval: Membership.arrivalPatience)
    var relocationLookups = RelocationLookups()
    /// When those we had given up were last asked because one of them came back.
    var lastRevival: Instant?
    /// The first lookup of our own place: not begun, under way, done.
    var join = Join.none
    var rejoins = 0
    var nextRejoin: Instant?
    /// Whether anybody was met since our own place was last looked up.
    var hasMet = false
    /// When the parts of the key space are first looked through; `nil` once that was done.
    var firstRefresh: Instant?
    var nextUpkeep = Instant(nanoseconds: 0)
    /// Since when operations wait; `nil` before the node was told of its seeds.
    var startedAt: Instant?

    enum Join: Sendable {
        case none
        case underWay
        case done
    }

    init(own: NodeID) { hints = Hints(own: own) }

    /// Of the seeds that were asked before and are not being asked the one whose turn comes first.
    var longestWaiting: Int? {
        var best: Int?
        for index in 0..<min(seedsAsked, seeds.count) where !seeds[index].isInFlight {
            if best.map({ seeds[index].nextAttempt < seeds[$0].nextAttempt }) ?? true { best = index }
        }
        return best
    }

    /// Whether operations need not wait: the neighbours are known, or there is nobody to wait for.
    func isSettled(at now: Instant, patience: Interval) -> Bool {
        if !hasSeeds || join == .done { return true }
        guard let startedAt else { return true }
        return now.since(startedAt) >= patience
    }
}

extension KademliaNode {
    /// Peers whose addresses the operator named. They are asked until they answer, with growing pauses, and
    /// again whenever they are lost.
    package mutating func setSeeds(
        _ identities: [(Identity, NodeID)],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        membership.seeds = identities.map { .init(identity: $0.0, id: $0.1, nextAttempt: now.instant) }
        membership.hasSeeds =
            identities.contains { $0.0 != identity } || !membership.remembered.isEmpty
        if membership.startedAt == nil { membership.startedAt = now.instant }
        membership.seedsAsked = 0
        membership.nextSeed = now.instant
        membership.nextUpkeep = now.instant
        upkeep(at: now, into: &actions)
    }

    /// The addresses a seed's name has now; none if it does not resolve.
    package mutating func resolved(
        seed index: Int,
        _ endpoints: [Endpoint],
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard membership.seeds.indices.contains(index), membership.seeds[index].isInFlight else { return }
        let usable = endpoints.filter { $0.isUnicast && families.contains($0.family) }
        guard !usable.isEmpty else {
            seedFailed(index, at: now)
            return
        }
        let seed = membership.seeds[index]
        let endpoint = usable[Int(seed.attempts % UInt64(usable.count))]
        let contact = Contact(identity: seed.identity, id: seed.id, endpoint: endpoint)
        call(contact, .ping(isLeaving: false), .seed(index), isConfigured: true, into: &actions)
    }

    private mutating func seedFailed(_ index: Int, at now: Now) {
        guard membership.seeds.indices.contains(index) else { return }
        membership.seeds[index].isInFlight = false
        membership.seeds[index].attempts += 1
        let doubled = Interval.milliseconds(500) * (1 << min(membership.seeds[index].attempts, 5))
        let pause = min(doubled, Membership.longestSeedBackoff)
        let jitter = Interval(nanoseconds: UInt64.random(in: 0...pause.nanoseconds / 4, using: &generator))
        membership.seeds[index].nextAttempt = now.instant + pause + jitter
        membership.nextSeed = min(membership.nextSeed, now.instant + pause + jitter)
        wake(at: membership.nextSeed)
    }

    /// Members that are no longer admitted are forgotten.
    package mutating func forget(where isGone: (Identity) -> Bool) {
        let contacts = table.contacts
        // The latest that is known of the time.
        let now = contacts.map(\.lastAnswered).max()
        let promoted = table.removeAll(where: isGone)
        for entry in contacts where isGone(entry.contact.identity) && entry.reachability.grade != .bad {
            noteWent(entry.contact, lastHeard: entry.lastAnswered, at: now ?? entry.lastAnswered)
        }
        for contact in promoted { notePromoted(contact, at: now ?? Instant(nanoseconds: 0)) }
        noteKinds()
        membership.hints.removeAll(where: isGone)
        membership.outOfReach.removeAll(where: isGone)
        conduct.forget(where: isGone)
    }

    /// A peer leaves. It still answers for a moment, to which nobody who names it shall lead us back.
    mutating func noteLeaving(_ contact: Contact, at now: Now) {
        let wasCountedOn = table.entry(for: contact.identity, id: contact.id)?.reachability.grade != .bad
        let promoted = table.remove(contact.identity, id: contact.id)
        // Coming back it is given all there is, as one that lost what it had.
        replication.losses.everything.expect(contact.identity, at: now.instant)
        if wasCountedOn { noteWent(contact, lastHeard: now.instant, at: now.instant) }
        if let promoted { notePromoted(promoted, at: now.instant) }
        noteKinds()
        membership.hints.removeAll { $0 == contact.identity }
        membership.departed.note(contact, at: now.instant)
        membership.followed.note(contact, at: now.instant)
    }

    // MARK: What calls tell

    mutating func noteAnswer(
        of call: Call,
        wasLive: Bool,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let contact = call.contact
        membership.verifying.remove(contact)
        if case .seed(let index) = call.purpose, membership.seeds.indices.contains(index) {
            membership.seeds[index].isInFlight = false
            membership.seeds[index].attempts = 0
            membership.seeds[index].nextAttempt = now.instant + Membership.longestSeedBackoff
            membership.nextSeed = min(membership.nextSeed, membership.seeds[index].nextAttempt)
        }
        noteLife(of: contact, isKnownThere: wasLive, at: now, into: &actions)
    }

    /// A request from the peer answered a challenge of ours: it receives there as surely as if it had
    /// answered a request, and it knows us.
    package mutating func proved(_ contact: Contact, at now: Now, into actions: inout [KademliaAction]) {
        noteLife(of: contact, isKnownThere: true, at: now, into: &actions)
    }

    /// The contact is where it is said to be. `isKnownThere`: it knows our process, and where that is.
    private mutating func noteLife(
        of contact: Contact,
        isKnownThere: Bool,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        let known = table.entry(for: contact.identity, id: contact.id)
        let wasGivenUp = known?.reachability.grade == .bad
        let wasSilent = known.map { $0.reachability.grade != .good } ?? false
        let admission = table.answered(contact, at: now.instant)
        if admission != .refreshed || wasSilent { noteKinds() }
        switch admission {
        case .inserted, .replaced:
            membership.hasMet = true
            if isKnownThere, let join {
                searches[join]?.lookup.pass(contact)
                pursue(join, at: now, into: &actions)
            }
            // The first is asked for our own place, which tells it of us.
            let isKnownThere = isKnownThere || membership.join == .none
            introduce(contact, isKnownThere: isKnownThere, isNew: true, at: now, into: &actions)
            noteCame(contact, at: now)
            beginJoin(at: now, into: &actions)
        case .refreshed, .moved:
            introduce(contact, isKnownThere: isKnownThere, isNew: false, at: now, into: &actions)
        case .cached, .refused: break
        }
        if wasGivenUp, let known { noteReturned(contact, lastHeard: known.lastAnswered, at: now) }
        if wasSilent { reviveOthers(at: now, into: &actions) }
        followHints(at: now, into: &actions)
    }

    /// Sees to it that a contact knows us, as we are now: it answered as to somebody whose process or address
    /// it does not know, so the next request, which carries its challenge, makes us known.
    private mutating func introduce(
        _ contact: Contact,
        isKnownThere: Bool,
        isNew: Bool,
        at now: Now,
        into actions: inout [KademliaAction]
    ) {
        guard let entry = table.entry(for: contact.identity, id: contact.id) else { return }
        if !isKnownThere, !membership.arriving.holds(contact, at: now.instant) {
            guard isNew || now.instant.since(entry.lastTold) >= Membership.greetingInterval else { return }
            greet(contact, into: &actions)
        }
        table.told(contact.identity, id: contact.id, at: now.instant)
    }

    /// The lookup of our own place.
    private var join: SearchID? { searches.keys.filter { searches[$0]?.client == .join }.min() }

    /// Asks who else there is, which is as dear as a PING and tells of others: what the lookup of our own
    /// place would ask soon, or about a place of which we know little.
    private mutating func greet(_ contact: Contact, into actions: inout [KademliaAction]) {
        if let join, searches[join]?.lookup.claim(contact) == true {
            return call(contact, .findNode(target: id), .search(join), into: &actions)
        }
        call(contact, .findNode(target: obscurePlace()), .greeting, into: &actions)
    }

    /// One that had fallen silent answers: perhaps it was us who were cut off. So the others that were given
    /// up are asked at once, and not when their back-offs of minutes are over.
    private mutating func reviveOthers(at now: Now, into actions: inout [KademliaAction]) {
        let others = table.contacts.filter { $0.reachability.grade == .bad }.map(\.contact)
        guard !others.isEmpty else { return }
        if let last = membership.lastRevival, now.instant.since(last) < Membership.hintInterval { return }
        // The last time is to be paid for before the next.
        guard membership.absence.isFree(at: now.instant) || membership.lastRevival == nil else { return }
        membership.absence.charge(others.count, at: now.instant)
        membership.lastRevival = now.instant
        for contact in others { probe(contact, at: now, into: &actions) }
        beginSearch(.join, target: id, at: now, into: &actions)
    }

    mutating func noteSilence(of call: Call, at now: Now, into actions: inout [KademliaAction]) {
        let contact = call.contact
        membership.verifying.remove(contact)
        if case .seed(let index) = call.purpose { seedFailed(index, at: now) }
        // Another address of the peer that did not answer says nothing about the one we know.
        let entry = table.entry(for: contact.identity, id: contact.id)
        let known = entry.flatMap { $0.contact.reached(by: families) ?? $0.contact }
        if known == nil || known?.endpoint == contact.endpoint,
            let failure = table.failed(contact.identity, id: contact.id, at: now.instant)
        {
            judgements.note(failure, of: entry?.reachability.grade)
            if failure != .questionable { noteKinds() }
            if failure != .questionable, let entry, entry.reachability.grade != .bad {
                noteWent(entry.contact, lastHeard: entry.lastAnswered, at: now.instant)
            }
            if case .replaced(let newest) = failure { notePromoted(newest, at: now.instant) }
            wake(at: now.instant + Reachability.firstBackoff)
            // Of one that was given up others would have told since, in answers to whatever we asked.
            if entry?.reachability.grade != .bad,
                membership.relocationLookups.begin(for: contact.identity, at: now.instant)
            {
                beginSearch(.rescue(contact.identity), target: contact.id, at: now, into: &actions)
            }
        }
        followHints(at: now, into: &actions)
    }

    /// A live request came from the peer: it receives there. It enters the table once it answers us.
    mutating func noteInbound(_ contact: Contact, at now: Now, into actions: inout [KademliaAction]) {
        let entry = table.entry(for: contact.identity, id: contact.id)
        if let entry, entry.contact.isAt(contact.endpoint), entry.reachability.grade == .good {
            table.heard(contact, at: now.instant)
            return
        }
        guard entry != nil || table.hasRoom(for: contact.id) else { return }
        if let entry, entry.contact.isAt(contact.endpoint) {
            // It is where we know it to be, and was only silent.
            guard !membership.returning.holds(contact, at: now.instant) else {
                // The last probe may have come too early, and this may be the last request for long.
                let due = now.instant + Membership.returnInterval
                table.hastened(contact.identity, id: contact.id, to: due)
                return wake(at: due)
            }
            membership.returning.note(contact, at: now.instant)
            return probe(contact, at: now, into: &actions)
        }
        verify(contact, isInbound: true, at: now, into: &actions)
    }

    /// A request came from one that has not proved yet that it receives there, and is answered. The answer
    /// makes us known to it, and its next request makes it known to us.
    mutating func noteArriving(_ contact: Contact, at now: Instant) {
        membership.arriving.note(contact, at: now)
    }
}
