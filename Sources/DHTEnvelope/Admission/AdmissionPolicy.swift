import DHTCore
import DHTCrypto

/// The rule of who may speak, and who may write.
package enum AdmissionPolicy: Sendable {
    /// The members of the list. An empty list admits nobody.
    case members(Allowlist)
    /// Everybody who holds the network key.
    case open

    /// Whether datagrams from and to `identity` are let through.
    package func admits(_ identity: Identity) -> Bool {
        switch self {
        case .members(let list): list.holds(identity)
        case .open: true
        }
    }

    /// Whether records signed by `identity` are kept and read.
    package func mayWrite(_ identity: Identity) -> Bool {
        switch self {
        case .members(let list): list.mayWrite(identity)
        case .open: true
        }
    }

    /// The member's place in the key space, from the list if it is there.
    package func nodeID(of identity: Identity) -> NodeID {
        if case .members(let list) = self, let id = list.nodeID(of: identity) { return id }
        return identity.nodeID
    }

    /// Those who may sign the first roster, as the operator's lists say.
    package var administrators: [Identity] {
        switch self {
        case .members(let list): list.administrators.map(\.identity)
        case .open: []
        }
    }

    /// Those whom the operator's lists revoke.
    package var revoked: Set<Identity> {
        switch self {
        case .members(let list): Set(list.revoked.map(\.identity))
        case .open: []
        }
    }

    /// How many peers there can be; `nil` if nobody knows.
    package var memberCount: Int? {
        switch self {
        case .members(let list): list.members.count
        case .open: nil
        }
    }
}
