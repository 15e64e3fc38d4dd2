/// Where we can be reached, as told to others in answers to PING.
package struct OwnAddresses: Sendable {
    /// The addresses of our sockets.
    package var bound: [Endpoint] = []
    /// Addresses we may have besides, of families of which neither sockets nor peers tell.
    package var supposed: [Endpoint] = []
    /// Where peers saw us, the last of each family.
    private var observed: [Endpoint.Family: Endpoint] = [:]

    package init() {}

    /// A peer tells where it saw us.
    mutating func observe(_ endpoint: Endpoint) { observed[endpoint.family] = endpoint }

    /// As told to one at `place`: the addresses our sockets are bound to; of another of our families the one
    /// that others saw us at, or else one of this machine's.
    func told(to place: Endpoint, in families: Endpoint.Families) -> [Endpoint] {
        var told = bound
        for family in [Endpoint.Family.ipv4, .ipv6]
        where families.contains(family) && !told.contains(where: { $0.family == family }) {
            let other = observed[family] ?? supposed.first { $0.family == family }
            told += other.map { [$0] } ?? []
        }
        return told.filter { !$0.isLoopback || place.isLoopback }
    }
}
