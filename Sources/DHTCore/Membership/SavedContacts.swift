/// Contacts that the previous process saved: they are asked again and again for as long as nobody answers.
struct SavedContacts: Sendable {
    static let limit = 256
    /// Before the second round; each further pause is twice as long.
    static let firstPause = Interval.seconds(30)
    static let longestPause = Interval.minutes(8)

    private var contacts: [Contact]
    private var nextRound: Instant?
    private var rounds: UInt64 = 0

    init(_ contacts: [Contact] = []) { self.contacts = Array(contacts.prefix(Self.limit)) }

    var isEmpty: Bool { contacts.isEmpty }

    /// The contacts to ask now, and when to ask again.
    mutating func take(at now: Instant) -> (contacts: [Contact], next: Instant) {
        if let due = nextRound, due > now { return ([], due) }
        let next = now + min(Self.firstPause * (1 << min(rounds, 8)), Self.longestPause)
        rounds += 1
        nextRound = next
        return (contacts, next)
    }

    /// The network changed: the next round is due at once.
    mutating func hurry() { nextRound = nil }
}
