extension RoutingTable {
    /// Whether a node, perhaps ourselves, is among the `count` closest to a location, as far as we know: of
    /// those that have a family, if one is named. (Kademlia, section 2.3: the K closest nodes keep a value.)
    func isAmongClosest(
        _ node: NodeID,
        to location: NodeID,
        count: Int,
        having family: Endpoint.Family? = nil
    ) -> Bool {
        let distance = node.distance(to: location)
        let isOwnNearer = node != own && own.distance(to: location) < distance
        let nearer = closest(to: location, count: count, having: family)
            .count { $0.id != node && $0.id.distance(to: location) < distance }
        return nearer + (isOwnNearer ? 1 : 0) < count
    }
}
