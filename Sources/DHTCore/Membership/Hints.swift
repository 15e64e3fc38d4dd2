/// Contacts that others named and that are still to be asked whether they are there, nearest to us first.
///
/// Two nodes that hear of each other at once, as those do that start together, would both ask, where one
/// would do. So the one with the greater id waits a little to be asked.
struct Hints: Sendable {
    /// Contacts remembered, of those that wait for their turn and of those that are waited for.
    static let limit = 256
    /// How long the one with the lesser id has to ask.
    static let deference = Interval.milliseconds(300)

    private let own: NodeID
    private(set) var waiting: [Contact] = []
    private var deferred: [(contact: Contact, until: Instant)] = []

    init(own: NodeID) { self.own = own }

    var count: Int { waiting.count + deferred.count }

    /// When the first that is waited for is to be asked after all.
    var nextDue: Instant? { deferred.first?.until }

    /// Takes in a contact, unless it is here already or there are too many.
    mutating func insert(_ contact: Contact, at now: Instant) {
        let isHere =
            waiting.contains { $0.identity == contact.identity }
            || deferred.contains { $0.contact.identity == contact.identity }
        guard !isHere else { return }
        if own < contact.id {
            enqueue(contact)
        } else if deferred.count < Self.limit {
            deferred.append((contact, now + Self.deference))
        }
    }

    /// The next to be asked.
    mutating func popFirst(at now: Instant) -> Contact? {
        while let first = deferred.first, first.until <= now {
            deferred.removeFirst()
            enqueue(first.contact)
        }
        return waiting.isEmpty ? nil : waiting.removeFirst()
    }

    mutating func removeAll(where isGone: (Identity) -> Bool) {
        waiting.removeAll { isGone($0.identity) }
        deferred.removeAll { isGone($0.contact.identity) }
    }

    private mutating func enqueue(_ contact: Contact) {
        guard waiting.count < Self.limit else { return }
        let distance = contact.id.distance(to: own)
        let place = waiting.firstIndex { $0.id.distance(to: own) > distance }
        waiting.insert(contact, at: place ?? waiting.endIndex)
    }
}
