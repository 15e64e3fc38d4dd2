// IPv4 and IPv6 in one overlay: whom we can reach, and at which of its addresses.

extension RoutingTable {
    /// The contacts to name to a peer at `requester` that asks for those nearest to `target`: the `count`
    /// nearest, and, where some of these have no address of the requester's family, the `count` nearest that
    /// have one.
    package func named(
        to requester: Endpoint,
        near target: NodeID,
        count: Int,
        excluding: Identity
    ) -> [Contact] {
        let family = requester.family
        let nearest = closest(to: target, count: count, excluding: excluding, tellingTo: requester)
        guard nearest.contains(where: { !$0.families.contains(family) }) else { return nearest }
        let fit = closest(
            to: target,
            count: count,
            excluding: excluding,
            having: family,
            tellingTo: requester
        )
        let more = fit.filter { contact in !nearest.contains { $0.identity == contact.identity } }
        return (nearest + more).sorted { $0.id.distance(to: target) < $1.id.distance(to: target) }
    }
}

/// How many members, of those known, have no address of a family.
package struct FamilySplit: Hashable, Sendable {
    package let own: Endpoint.Families
    package let members: Int
    package let withoutIPv4: Int
    package let withoutIPv6: Int

    package init(own: Endpoint.Families, members: Int, withoutIPv4: Int, withoutIPv6: Int) {
        (self.own, self.members) = (own, members)
        (self.withoutIPv4, self.withoutIPv6) = (withoutIPv4, withoutIPv6)
    }
}

extension KademliaNode {
    /// The address families of which there is a socket now. A contact without an address of any of them is
    /// not asked, and not waited for.
    package var families: Endpoint.Families { table.families }

    package mutating func setFamilies(_ families: Endpoint.Families) {
        guard families != table.families else { return }
        table.families = families
        membership.outOfReach = OutOfReach()
        updateIsMixed()
    }

    /// How the members fall apart by their families, if it concerns us: some are out of our reach, or nobody
    /// but us reaches all.
    package func familySplit(at now: Instant) -> FamilySplit? {
        let others = table.contacts.filter { $0.reachability.grade != .bad }.map(\.contact.families)
        if families == .all {
            guard isMixed, !others.contains(.all) else { return nil }
            return FamilySplit(
                own: .all,
                members: others.count,
                withoutIPv4: others.count { $0 == .ipv6 },
                withoutIPv6: others.count { $0 == .ipv4 }
            )
        }
        let missing = membership.outOfReach.number(at: now)
        guard missing > 0 else { return nil }
        return FamilySplit(
            own: families,
            members: others.count + missing,
            withoutIPv4: families == .ipv4 ? missing : 0,
            withoutIPv6: families == .ipv6 ? missing : 0
        )
    }

    var isMixed: Bool { membership.isMixed }

    /// The readers for whom a write of ours is to count: each kind, where we know contacts with IPv4 only and
    /// contacts with IPv6 only.
    var audiences: [PutAudience] { isMixed ? PutAudience.every : PutAudience.one }

    /// The families in which records have replicas of their own; `nil`: all nodes are of one kind to us.
    var divisions: [Endpoint.Family?] { isMixed ? [.ipv4, .ipv6] : [nil] }

    /// The contacts that `contacts` gives for any of the divisions, no identity twice.
    func union(of divisions: [Endpoint.Family?], _ contacts: (Endpoint.Family?) -> [Contact]) -> [Contact] {
        guard divisions.count > 1 else { return divisions.first.map(contacts) ?? [] }
        var seen: Set<Identity> = []
        return divisions.flatMap(contacts).filter { seen.insert($0.identity).inserted }
    }

    /// A contact came, moved, went or came back: do we know contacts with IPv4 only, and contacts with IPv6
    /// only?
    mutating func updateIsMixed() {
        guard families == .all, table.knownFamilies == .all else { return membership.isMixed = false }
        let kinds = Set(
            table.contacts.lazy.filter { $0.reachability.grade != .bad }.map(\.contact.families.rawValue)
        )
        membership.isMixed =
            kinds.contains(Endpoint.Families.ipv4.rawValue) && kinds.contains(Endpoint.Families.ipv6.rawValue)
    }

    /// The contacts nearest to a place, enough of each kind: some may be dead without anybody knowing.
    func nearest(to location: NodeID, for audiences: [PutAudience]) -> [Contact] {
        let count = settings.replicas * 4
        guard audiences.count > 1 || audiences.first?.family != nil else {
            return table.closest(to: location, count: count)
        }
        var nearest: [Contact] = []
        var seen: Set<Identity> = []
        for audience in audiences {
            for contact in table.closest(to: location, count: count, having: audience.family)
            where seen.insert(contact.identity).inserted {
                nearest.append(contact)
            }
        }
        return nearest.sorted { $0.id.distance(to: location) < $1.id.distance(to: location) }
    }

    /// Of contacts that a peer named, those we can reach, each by the addresses that will do. The others are
    /// recorded as out of reach.
    mutating func reachable(
        _ contacts: [Contact],
        namedBy namer: Identity?,
        at now: Instant
    ) -> [Contact] {
        if families == .all { return contacts }
        return contacts.compactMap { contact in
            if let contact = contact.reached(by: families) { return contact }
            membership.outOfReach.record(contact, namedBy: namer, at: now)
            return nil
        }
    }

    /// A peer answered PING: it tells where it saw us, and where else it is itself.
    mutating func onWhereabouts(
        of peer: Contact,
        observed seen: Endpoint,
        _ places: [Endpoint],
        in turn: inout KademliaTurn
    ) {
        if seen.isUsable(namedBy: peer.endpoint) { addresses.observe(seen) }
        guard let known = table.entry(for: peer.identity, id: peer.id)?.contact else { return }
        for place in places where place.family != peer.endpoint.family && families.contains(place.family) {
            // The peer's own word, so an address that differs from the one we know is news.
            guard place.isUsable(namedBy: peer.endpoint), known.endpoint(of: place.family) != place else {
                continue
            }
            let contact = Contact(identity: peer.identity, id: peer.id, endpoint: place)
            membership.verifications.hint(contact, at: turn.now.instant)
            return followHints(in: &turn)
        }
    }
}
