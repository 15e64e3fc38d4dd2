/// A node that may be reached: who it is, where in the key space, where on the network.
///
/// Contacts named by others are hints. Only one that answered a request of ours enters the routing table.
package struct Contact: Hashable, Sendable {
    package let identity: Identity
    /// SHA-1 of the identity, computed by whoever makes the contact: the core has no hash function.
    package let id: NodeID
    package var endpoint: Endpoint

    package init(identity: Identity, id: NodeID, endpoint: Endpoint) {
        (self.identity, self.id, self.endpoint) = (identity, id, endpoint)
    }
}
