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
            Occupancy("hints", membership.hints.count, of: Membership.waitingLimit),
            Occupancy("verifications", membership.verifying.count, of: Membership.followedLimit),
            Occupancy("followed hints", membership.followed.count, of: Membership.followedLimit),
            Occupancy("rescues", membership.rescues, of: Membership.rescueLimit),
            Occupancy("rescued peers", membership.rescued.count, of: Membership.followedLimit),
            Occupancy("vain prefixes", vain.count, of: Self.vainCapacity),
            Occupancy("records", catalog.count, of: settings.quota.records),
            Occupancy("record bytes", catalog.byteCount, of: settings.quota.bytes),
        ]
    }
}
