import DHTCore

/// What a world is made of. The same plan gives the same world, and the same run of it.
package struct WorldPlan: Sendable {
    /// Whether datagrams are really signed and encrypted.
    package enum Sealing: String, Sendable, CaseIterable {
        case real
        /// By a gate that seals nothing: hundreds of times cheaper.
        case standIn = "stand-in"
    }

    package enum Beginning: Hashable, Sendable {
        /// One node after the other starts, so far apart, and finds the others through earlier ones.
        case joining(Span)
        /// Everybody has known some of the others for long: routing tables are as a quiet year makes them.
        case acquainted
    }

    /// Nodes are sealed for real below this number unless somebody says otherwise.
    package static let largestSealed = 1000

    package var nodes: Int
    package var seed: UInt64
    package var sealing: Sealing
    package var beginning = Beginning.joining(.milliseconds(50))
    package var weather = Weather()
    package var settings = KademliaNode.Settings()
    /// Hostile members, by index.
    var traitors: [Int: Treachery] = [:]
    /// Members that never run, by index.
    var absent: Set<Int> = []
    /// Who leaves whom out of its list, by index.
    var omissions: [Int: Set<Int>] = [:]
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
