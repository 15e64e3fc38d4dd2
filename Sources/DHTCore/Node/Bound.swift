/// How full a collection is that the network can make grow. Everything of that kind has a bound.
package struct Bound: Hashable, Sendable {
    package let name: String
    package let count: Int
    package let bound: Int

    package init(_ name: String, _ count: Int, of bound: Int) {
        (self.name, self.count, self.bound) = (name, count, bound)
    }

    package var isWithinBound: Bool { count <= bound }
}

extension KademliaNode {
    /// All of the core's collections that others can make grow.
    package var bounds: [Bound] {
        [
            Bound("contacts beyond a bucket's room", table.excess, of: 0),
            Bound("hints", membership.hints.count, of: 2 * Hints.limit),
            Bound("members out of reach", membership.outOfReach.count, of: OutOfReach.capacity),
            Bound("verifications", membership.verifying.count, of: Membership.followedLimit),
            Bound("followed hints", membership.followed.count, of: RecentPlaces.limit),
            Bound("records to pass on", relays.count, of: Relay.limit),
            Bound("departures", membership.departed.count, of: RecentPlaces.limit),
            Bound("arrivals", membership.arriving.count, of: RecentPlaces.limit),
            Bound("relocation lookups", membership.relocationLookups.underWay, of: RelocationLookups.limit),
            Bound(
                "rescued peers",
                membership.relocationLookups.begun.count,
                of: Membership.followedLimit
            ),
            Bound("unfindable prefixes", unfindable.count, of: Self.unfindableCapacity),
            Bound("unhandled changes", replication.unhandled.count, of: Replication.changeLimit),
            Bound("changes that wait", replication.awaitingSecondTurn.count, of: Replication.changeLimit),
            Bound("recent changes", replication.recent.count, of: Replication.changeLimit),
            Bound("contacts that miss records", replication.missingSince.count, of: Replication.changeLimit),
            Bound("offers", replication.offers.count, of: Replication.offerLimit),
            Bound("copies under way", replication.inFlight, of: copyLimit),
            Bound("peers given copies", replication.giving.count, of: copyLimit),
            Bound("incomplete puts", replication.incomplete.count, of: IncompletePut.capacity),
            Bound("peers spared", replication.repairBackoff.count, of: RepairBackoff.capacity),
            Bound("losses", replication.losses.everything.count, of: Losses.capacity),
            Bound("lost copies", replication.losses.copies.count, of: Losses.capacity),
            Bound("doubts", replication.unverified.count, of: Replication.changeLimit),
            Bound("samples", replication.sampling.count, of: Membership.verificationLimit),
            Bound("offences", conduct.count, of: Conduct.capacity),
            Bound("muted authors", catalog.muted.count, of: settings.quota.records),
            Bound("muted records", catalog.muted.places.count, of: settings.quota.records),
            Bound("records", catalog.count, of: settings.quota.records),
            Bound("record bytes", catalog.byteCount, of: settings.quota.bytes),
        ]
    }

    /// STOREs that may be under way for copies: one offer may go beyond the limit by all its targets.
    private var copyLimit: Int {
        max(settings.repairParallelism, Handover.parallelism) + settings.replicas * 2
    }
}
