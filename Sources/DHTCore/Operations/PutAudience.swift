/// The replicas of one record as each kind of reader has them: those who have both families see the closest
/// of all nodes, those who have one see the closest that have an address of it. A write counts for a kind of
/// readers when enough of the replicas they ask took it.
struct PutAudience: Hashable, Sendable {
    /// `nil`: readers who reach everybody.
    let family: Endpoint.Family?

    func reaches(_ contact: Contact) -> Bool { family.map(contact.families.contains) ?? true }
    func reaches(_ families: Endpoint.Families) -> Bool { family.map(families.contains) ?? true }

    /// Where all nodes have a family in common, or are known by one only.
    static let one = [PutAudience(family: nil)]
    /// Where some have IPv4 only and some IPv6 only.
    static let every = [nil, Endpoint.Family.ipv4, .ipv6].map { PutAudience(family: $0) }
}

extension PutAudience {
    /// The `width` nearest of those it reaches, and whether we ourselves are one of them.
    ///
    /// `contacts`: nearest first.
    func replicas(
        among contacts: [Contact],
        at location: NodeID,
        width: Int,
        own: NodeID,
        ownFamilies: Endpoint.Families
    ) -> (contacts: [Contact], isOwn: Bool) {
        let fit = contacts.lazy.filter { reaches($0) }.prefix(width)
        let ownDistance = own.distance(to: location)
        let nearer = fit.count { $0.id.distance(to: location) < ownDistance }
        let isOwn = nearer < width && reaches(ownFamilies)
        return (Array(fit.prefix(isOwn ? width - 1 : width)), isOwn)
    }
}
