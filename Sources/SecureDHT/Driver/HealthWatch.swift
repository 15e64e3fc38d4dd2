import DHTCore

/// Notices that nobody answers, and that somebody does again.
struct HealthWatch: Sendable {
    enum News: Hashable, Sendable {
        /// There are others, and for a while none of them answered.
        case isolated
        /// Somebody answers again.
        case whole
    }

    /// So long it takes to be told: at a start and after a moment's outage others are found by then.
    static let patience = Interval.seconds(5)

    private var aloneSince: Instant?
    private var isTold = false

    mutating func record(_ company: Company, at now: Instant) -> News? {
        guard company.isIsolated else {
            defer { (aloneSince, isTold) = (nil, false) }
            return isTold ? .whole : nil
        }
        let since = aloneSince ?? now
        aloneSince = since
        guard !isTold, now.since(since) >= Self.patience else { return nil }
        isTold = true
        return .isolated
    }
}

/// Notices that members fall apart by their address families: once each time, not whenever one comes or goes.
struct FamilyWatch: Sendable {
    private var isTold = false

    /// Whether the operator is to be told.
    mutating func isNews(_ split: FamilySplit?) -> Bool {
        defer { isTold = split != nil }
        return split != nil && !isTold
    }
}

extension FamilySplit {
    /// `7 of 14 members have no IPv4 address`, and what follows from it.
    var text: String {
        if own == .all {
            return "\(withoutIPv4) of \(members) members have no IPv4 address and \(withoutIPv6) no IPv6 "
                + "address, and none but this node has both: while it is away they are two overlays"
        }
        let (count, family) = own == .ipv4 ? (withoutIPv4, "IPv4") : (withoutIPv6, "IPv6")
        return
            "\(count) of \(members) members have no \(family) address: this node reads and writes what they "
            + "do only by way of members that have both"
    }
}
