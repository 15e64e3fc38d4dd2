/// How full a collection is that the network can make grow. Everything of that kind has a bound.
package struct Occupancy: Hashable, Sendable {
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
    package var occupancies: [Occupancy] {
        [
            Occupancy("contacts beyond a bucket's room", table.excess, of: 0),
            Occupancy("hints", membership.hints.count, of: 2 * Hints.limit),
            Occupancy("verifications", membership.verifying.count, of: Membership.followedLimit),
            Occupancy("followed hints", membership.followed.count, of: RecentPlaces.limit),
            Occupancy("arrivals", membership.arriving.count, of: RecentPlaces.limit),
            Occupancy("rescues", membership.rescues.underWay, of: Rescues.limit),
            Occupancy("rescued peers", membership.rescues.begun.count, of: Membership.followedLimit),
            Occupancy("vain prefixes", vain.count, of: Self.vainCapacity),
            Occupancy("fresh changes", replication.fresh.count, of: Replication.changeLimit),
            Occupancy("aging changes", replication.aging.count, of: Replication.changeLimit),
            Occupancy("recent changes", replication.recent.count, of: Replication.changeLimit),
            Occupancy("contacts owed", replication.owed.count, of: Replication.changeLimit),
            Occupancy("offers", replication.offers.count, of: Replication.offerLimit),
            Occupancy("copies under way", replication.inFlight, of: copyLimit),
            Occupancy("peers given copies", replication.giving.count, of: copyLimit),
            Occupancy("incomplete puts", replication.incomplete.count, of: IncompletePut.capacity),
            Occupancy("peers spared", replication.ailing.count, of: Ailing.capacity),
            Occupancy("losses", replication.losses.everything.count, of: Losses.capacity),
            Occupancy("lost copies", replication.losses.copies.count, of: Losses.capacity),
            Occupancy("doubts", replication.doubts.count, of: Replication.changeLimit),
            Occupancy("samples", replication.samples.count, of: Membership.verificationLimit),
            Occupancy("offences", conduct.count, of: Conduct.capacity),
            Occupancy("muted authors", catalog.muted.count, of: settings.quota.records),
            Occupancy("muted records", catalog.muted.places.count, of: settings.quota.records),
            Occupancy("records", catalog.count, of: settings.quota.records),
            Occupancy("record bytes", catalog.byteCount, of: settings.quota.bytes),
        ]
    }

    /// STOREs that may be under way for copies: one offer may go beyond the limit by all its targets.
    private var copyLimit: Int {
        max(settings.repairParallelism, Handover.parallelism) + settings.replicas * 2
    }
}
