import DHTCore
import DHTStorage

/// The peers that the overlay consists of, as far as this node knows: the contacts to write down for the
/// process after it, and the news for the operator.
///
/// The driver tells which contacts answer, and when; and writes or says what is returned.
struct StateKeeper: Sendable {
    /// Where others are to be looked for.
    var seeds = SeedList()
    private var contacts: ContactSnapshot
    private var lately: LatelyHeard
    private var health = HealthWatch()
    private var splits = FamilyWatch()

    /// A node without a past.
    init() { (contacts, lately) = (ContactSnapshot(), LatelyHeard()) }

    /// `inherited`: what the process before wrote.
    init(_ inherited: [RememberedContact], unixMilliseconds now: UInt64) {
        contacts = ContactSnapshot(inherited)
        lately = LatelyHeard(inherited, unixMilliseconds: now)
    }

    /// The contacts to write down at this age of the process; `nil`: none. `good`: those that answer now.
    /// `isLast`: the process ends.
    mutating func contactsToWrite(
        _ good: [RememberedContact],
        age: Interval,
        isLast: Bool,
        unixMilliseconds now: UInt64
    ) -> [RememberedContact]? {
        lately.record(good, unixMilliseconds: now)
        return contacts.revise(good, lately: lately.contactsByAge, age: age, isLast: isLast)
    }

    /// How many nodes there are besides us, and how many of them answer. `good`: those that answer now.
    /// `named`: how many are expected where none was ever heard. `members`: how many are on the list; `nil`
    /// in open mode.
    mutating func company(
        _ good: [RememberedContact],
        named: Int,
        members: Int?,
        unixMilliseconds now: UInt64,
        isAdmitted: (Identity) -> Bool
    ) -> Company {
        lately.record(good, unixMilliseconds: now)
        let heard = lately.count(where: isAdmitted)
        return Company(expected: heard > 0 ? heard : named, members: members, up: good.count)
    }

    /// Those heard from within a day, with the time they last answered; those first that did last.
    var heard: [RememberedContact] { lately.contactsByAge }

    /// Whether nobody answers any more, or somebody does again: what the operator is to be told.
    mutating func healthNews(_ company: Company, at now: Instant) -> HealthWatch.News? {
        health.record(company, at: now)
    }

    /// Whether the operator is to be told that members fall apart by their address families.
    mutating func isNews(_ split: FamilySplit?) -> Bool { splits.isNews(split) }

    /// Those who are admitted no more count for nothing.
    mutating func forget(where isGone: (Identity) -> Bool) { lately.forget(where: isGone) }
}
