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
            Bound("members out of reach", membership.outOfReach.count, of: OutOfReach.capacity),
            Bound("records to pass on", puts.relayCount, of: Relay.limit),
            Bound("relocation lookups", membership.relocationLookups.underWay, of: RelocationLookups.limit),
            Bound(
                "rescued peers",
                membership.relocationLookups.begun.count,
                of: RelocationLookups.capacity
            ),
            Bound("unfindable prefixes", membership.unfindable.count, of: UnfindablePrefixes.capacity),
            Bound("incomplete puts", replication.incomplete.count, of: IncompletePuts.capacity),
            Bound("members that lost everything", replication.losses.everything.count, of: Losses.capacity),
            Bound("lost copies", replication.losses.copies.count, of: Losses.capacity),
            Bound("offences", conduct.count, of: Conduct.capacity),
            Bound("muted authors", catalog.muted.count, of: settings.quota.records),
            Bound("muted records", catalog.muted.places.count, of: settings.quota.records),
            Bound("records", catalog.count, of: settings.quota.records),
            Bound("record bytes", catalog.byteCount, of: settings.quota.bytes),
        ] + membership.verifications.bounds + replication.changes.bounds + replication.sampling.bounds
            + replication.queue.bounds(copies: copyLimit)
    }

    /// STOREs that may be under way for copies: one offer may go beyond the limit by all its targets.
    private var copyLimit: Int {
        max(settings.repairParallelism, Departure.parallelism) + settings.replicas * 2
    }
}
