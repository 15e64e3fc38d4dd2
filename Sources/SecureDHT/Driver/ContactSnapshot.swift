import DHTCore
import DHTStorage

/// Which contacts a node writes down for the process after it, and when.
///
/// Soon after the start, for who knows how long it will run; and with those of the process before it, for who
/// comes back has not met everybody again. A node that is killed over and over would else know fewer each
/// time, and in the end nobody.
struct ContactSnapshot: Sendable {
    /// For so long those of the process before are not forgotten.
    static let youth = Interval.minutes(15)
    /// Between two times they are written: in the first minute, and later.
    static let firstPause = Interval.seconds(5)
    static let pause = Interval.seconds(60)
    /// As often they are written though nobody came, went or moved: when they answered is written too.
    static let longestPause = Interval.minutes(60)
    /// Of the process before, those that answered last.
    static let inheritedLimit = 256

    /// Whom the disk remembers, and where.
    private struct Place: Hashable {
        let identity: Identity
        let endpoint: Endpoint

        init(_ contact: RememberedContact) {
            (identity, endpoint) = (contact.identity, contact.endpoint)
        }
    }

    private let inherited: [RememberedContact]
    private var written: Set<Place>
    /// The age at which they were written last.
    private var writtenAt: Interval?

    /// `inherited`: what the process before wrote, those first that answered last.
    init(_ inherited: [RememberedContact] = []) {
        self.inherited = Array(inherited.prefix(Self.inheritedLimit))
        written = Set(inherited.map { Place($0) })
    }

    /// What is to be written at this age of the process; `nil`: nothing. `lately`: those who answered within
    /// a day, if they do not now. `isLast`: there is no later.
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
