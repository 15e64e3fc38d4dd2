import DHTCore

/// The parameters of a world. The same plan gives the same world, and the same run of it.
package struct WorldPlan: Sendable {
    /// Whether datagrams are really signed and encrypted.
    package enum Sealing: String, Sendable, CaseIterable {
        case real
        /// By a gate that seals nothing: hundreds of times cheaper.
        case standIn = "stand-in"
    }

    package enum Beginning: Hashable, Sendable {
        /// One node after the other starts, so far apart, and finds the others through earlier ones.
        case joining(Interval)
        /// Everybody has known some of the others for long: routing tables are as a quiet year makes them.
        case settled
    }

    /// Nodes are sealed for real below this number unless somebody says otherwise.
    package static let largestSealed = 1000

    package var nodes: Int
    package var seed: UInt64
    package var sealing: Sealing
    package var beginning = Beginning.joining(.milliseconds(50))
    package var conditions = NetworkConditions()
    package var settings = KademliaNode.Settings()
    /// Hostile members, by index.
    var traitors: [Int: Adversary] = [:]
    /// Members that never run, by index.
    var absent: Set<Int> = []
    /// Members that a node leaves out of its list, by index.
    var omissions: [Int: Set<Int>] = [:]
    /// The address families of each node, by index; a node not named has IPv4 only. Empty: all have it, and
    /// nobody knows of any other.
    var families: [Int: Endpoint.Families] = [:]
    /// Whether administrators say by rosters who is a member; and how many members they admit later, the last
    /// ones.
    var rostered: Int?
    /// Identities are ground until they lie next to this place: by index of a node, a location.
    var ground: [Int: NodeID] = [:]
    /// Whether every datagram and every table is checked; costs memory and time in large worlds.
    var isWatched: Bool

    package init(nodes: Int, seed: UInt64, sealing: Sealing? = nil) {
        self.nodes = nodes
        self.seed = seed
        self.sealing = sealing ?? (nodes < Self.largestSealed ? .real : .standIn)
        isWatched = nodes <= 2000
    }
}

extension SimulationOptions {
    /// How many nodes have which address families, in proportion.
    package struct Families: Hashable, Sendable {
        /// IPv4 only, IPv6 only, both. There is at least one of the last, which holds the world together.
        package let ipv4: Int
        package let ipv6: Int
        package let both: Int

        package init?(ipv4: Int, ipv6: Int, both: Int) {
            let limit = 0...1_000_000
            guard limit.contains(ipv4), limit.contains(ipv6), limit.contains(both), both > 0 else {
                return nil
            }
            (self.ipv4, self.ipv6, self.both) = (ipv4, ipv6, both)
        }

        /// By index. The first node, whom others begin with, has both.
        func dealt(to nodes: Int, _ chance: inout SeededRandom) -> [Int: Endpoint.Families] {
            let all = ipv4 + ipv6 + both
            let kinds =
                [Endpoint.Families](repeating: .ipv4, count: nodes * ipv4 / all)
                + [Endpoint.Families](repeating: .ipv6, count: nodes * ipv6 / all)
            let order = (1..<max(nodes, 1)).shuffled(using: &chance)
            var families = [Int: Endpoint.Families](uniqueKeysWithValues: (0..<nodes).map { ($0, .all) })
            for (index, kind) in zip(order, kinds) { families[index] = kind }
            return families
        }
    }
}
