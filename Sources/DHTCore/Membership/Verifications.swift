/// Contacts that are asked whether they are there: those that others named, and peers that wrote to us.
///
/// ``nextHint(at:)`` hands out contacts that others named, for as long as not too many are asked;
/// ``begin(_:_:at:)`` says whether a contact is to be asked, and ``end(_:)`` that it was answered or not.
struct Verifications: Sendable {
    /// How we came to know of a contact.
    enum Source: Hashable, Sendable {
        /// Others named the contact.
        case named
        /// A live request of the contact came.
        case inbound
    }

    /// Questions at once.
    static let limit = 16
    /// Between two requests to the same peer of whom others told us.
    static let hintInterval = Interval.seconds(30)
    /// A peer that we answered without knowing it makes itself known within this time, and knows us.
    static let arrivalPatience = Interval.seconds(2)
    /// Between two requests to a contact that is not good and of which live requests come.
    static let returnInterval = Interval.seconds(2)
    /// Questions under way that live requests can bring about.
    static let capacity = 4096

    private(set) var hints: Hints
    /// Contacts being asked, each with its endpoint: a wrong hint of an address must not keep the right one
    /// waiting.
    private var asked: Set<Contact> = []
    /// Contacts whose hints were followed up.
    private var followed = RecentPlaces(interval: Verifications.hintInterval)
    /// Peers that left, and answer for a moment more.
    private var departed = RecentPlaces(interval: Verifications.hintInterval)
    /// Contacts that were asked because live requests of theirs came.
    private var returning = RecentPlaces(interval: Verifications.returnInterval)
    /// Peers that we answered without knowing them.
    private var arriving = RecentPlaces(interval: Verifications.arrivalPatience)

    init(own: NodeID) { hints = Hints(own: own) }

    var count: Int { asked.count }

    // MARK: Hints

    mutating func hint(_ contact: Contact, at now: Instant) { hints.insert(contact, at: now) }

    /// The next contact that others named, if there is room to ask one more.
    mutating func nextHint(at now: Instant) -> Contact? {
        asked.count < Self.limit ? hints.popFirst(at: now) : nil
    }

    // MARK: Questions

    /// Whether the contact is to be asked now; if so, it counts as being asked. `isAlone`: none is good.
    mutating func begin(
        _ contact: Contact,
        _ source: Source,
        isAlone: @autoclosure () -> Bool = false,
        at now: Instant
    ) -> Bool {
        guard !asked.contains(contact), !departed.holds(contact, at: now) else { return false }
        // The sender of a live request receives there: that is no stranger's word, and bounds itself.
        if source == .named {
            // One that knew the process before ours may believe that it made itself known to us.
            guard !arriving.holds(contact, at: now) || isAlone(), !followed.holds(contact, at: now),
                followed.record(contact, at: now)
            else { return false }
        }
        asked.insert(contact)
        return true
    }

    mutating func end(_ contact: Contact) { asked.remove(contact) }

    // MARK: Events of peers

    /// A known contact that is not good sent a live request: whether it is asked now. If not it was just
    /// asked, and may be again after ``returnInterval``.
    mutating func returned(_ contact: Contact, at now: Instant) -> Bool {
        guard !returning.holds(contact, at: now) else { return false }
        returning.record(contact, at: now)
        return true
    }

    /// A request was answered to a peer that has not proved yet that it receives there.
    mutating func arrives(_ contact: Contact, at now: Instant) { arriving.record(contact, at: now) }

    /// Whether the peer is about to make itself known.
    func isArriving(_ contact: Contact, at now: Instant) -> Bool { arriving.holds(contact, at: now) }

    /// A peer leaves. It still answers for a moment: a hint of it must not lead us back.
    mutating func left(_ contact: Contact, at now: Instant) {
        hints.removeAll { $0 == contact.identity }
        departed.record(contact, at: now)
        followed.record(contact, at: now)
    }

    /// Peers that are no longer admitted are forgotten.
    mutating func forget(where isGone: (Identity) -> Bool) { hints.removeAll(where: isGone) }

    /// The network changed: a contact that was not there a moment ago may be there now.
    mutating func hurry() { followed = RecentPlaces(interval: Self.hintInterval) }

    var bounds: [Bound] {
        [
            Bound("hints", hints.count, of: 2 * Hints.limit),
            Bound("verifications", asked.count, of: Self.capacity),
            Bound("followed hints", followed.count, of: RecentPlaces.limit),
            Bound("departures", departed.count, of: RecentPlaces.limit),
            Bound("arrivals", arriving.count, of: RecentPlaces.limit),
        ]
    }
}
