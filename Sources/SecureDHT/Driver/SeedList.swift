import DHTCore

/// Peers whose addresses the operator named, by number, and whose names do not resolve.
struct SeedList: Sendable {
    enum News: Hashable, Sendable {
        /// The name does not resolve. `isFirst`: it is the first time.
        case unresolved(isFirst: Bool)
        /// It does again.
        case resolved
    }

    private(set) var peers: [PeerAddress] = []
    /// Names of which it was said that they do not resolve.
    private var unresolved: Set<HostPort> = []

    subscript(seed: Int) -> PeerAddress? { peers.indices.contains(seed) ? peers[seed] : nil }

    mutating func replace(_ peers: [PeerAddress]) { (self.peers, unresolved) = (peers, []) }

    /// Whether the name of a peer has addresses; returns what is new of that.
    mutating func resolved(_ peer: PeerAddress, isFound: Bool) -> News? {
        guard isFound else { return .unresolved(isFirst: unresolved.insert(peer.address).inserted) }
        return unresolved.remove(peer.address) == nil ? nil : .resolved
    }
}
