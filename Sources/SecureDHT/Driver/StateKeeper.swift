import DHTCore
import DHTStorage

/// Whom the overlay consists of, as far as this node knows, and what of that is written down for the process
/// after it or told to the operator.
///
/// The driver tells who answers, and when; and writes or says what is returned.
struct StateKeeper: Sendable {
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

    /// These answer now. What is to be written down at this age of the process, if anything is; `isLast`:
    /// there is no later.
    mutating func contactsToWrite(
        _ good: [RememberedContact],
        age: Interval,
        isLast: Bool,
        unixMilliseconds now: UInt64
    ) -> [RememberedContact]? {
        lately.record(good, unixMilliseconds: now)
        return contacts.revise(good, lately: lately.contactsByAge, age: age, isLast: isLast)
    }

    /// Who there is besides us, and how many of them answer: these do. `named`: as many are expected where
    /// nobody was ever heard. `members`: as many are on the list, if there is one.
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

    /// Whether nobody answers any more, or somebody does again: what the operator is to be told.
    mutating func healthNews(_ company: Company, at now: Instant) -> HealthWatch.News? {
        health.record(company, at: now)
    }

    /// Whether the operator is to be told that members fall apart by their address families.
    mutating func isNews(_ split: FamilySplit?) -> Bool { splits.isNews(split) }

    /// Those who are admitted no more count for nothing.
    mutating func forget(where isGone: (Identity) -> Bool) { lately.forget(where: isGone) }
}
