import DHTCore
import DHTStorage

/// Which contacts a node writes down for the process after it, and when.
///
/// The first are written soon after the start, as the process may end at any time; and with them contacts of
/// the process before it, as a node that comes back has not met all of them again. A node that is killed over
/// and over would else know fewer each time, and in the end none.
struct ContactSnapshot: Sendable {
    /// Until this age of the process, contacts of the process before are not forgotten.
    static let youth = Interval.minutes(15)
    /// The pause between two writes of the contacts: in the first minute, and later.
    static let firstPause = Interval.seconds(5)
    static let pause = Interval.seconds(60)
    /// The longest pause, though no contact came, went or moved: the times they answered are written, too.
    static let longestPause = Interval.minutes(60)
    /// Contacts kept of the process before: those that answered last.
    static let inheritedLimit = 256

    /// A contact that the disk remembers, and its endpoint.
    private struct Place: Hashable {
        let identity: Identity
        let endpoint: Endpoint

        init(_ contact: RememberedContact) {
            (identity, endpoint) = (contact.identity, contact.endpoint)
        }
    }

    private let inherited: [RememberedContact]
    private var written: Set<Place>
    /// The age of the process at which contacts were written last; `nil`: never.
    private var writtenAt: Interval?

    /// `inherited`: what the process before wrote, those first that answered last.
    init(_ inherited: [RememberedContact] = []) {
        self.inherited = Array(inherited.prefix(Self.inheritedLimit))
        written = Set(inherited.map { Place($0) })
    }

    /// The contacts to write at this age of the process; `nil`: none. `good`: those that answer now.
    /// `lately`: those that answered within a day. `isLast`: the process ends, so there is no pause.
    mutating func revise(
        _ good: [RememberedContact],
        lately: [RememberedContact] = [],
        age: Interval,
        isLast: Bool = false
    ) -> [RememberedContact]? {
        let pause = age < Self.pause ? Self.firstPause : Self.pause
        if let writtenAt, !isLast, age < writtenAt + pause { return nil }
        // A node that lost everybody had better remember whom it knew.
        guard !good.isEmpty else { return nil }
        var contacts = good
        for others in [age < Self.youth ? inherited : [], lately] {
            let met = Set(contacts.map(\.identity))
            contacts += others.filter { !met.contains($0.identity) }
        }
        let places = Set(contacts.map { Place($0) })
        let isOld = age >= (writtenAt ?? Interval(nanoseconds: 0)) + Self.longestPause
        guard places != written || isOld else { return nil }
        (written, writtenAt) = (places, age)
        return contacts
    }
}
