/// A node that may be reached: who it is, where in the key space, where on the network.
///
/// Contacts named by others are hints. Only one that answered a request of ours enters the routing table.
package struct Contact: Hashable, Sendable {
    package let identity: Identity
    /// SHA-1 of the identity, computed by whoever makes the contact: the core has no hash function.
    package let id: NodeID
    /// Where the node is asked.
    package var endpoint: Endpoint
    /// Where the node is besides: an address of the other family, if one is known.
    package private(set) var other: Endpoint?

    package init(identity: Identity, id: NodeID, endpoint: Endpoint, other: Endpoint? = nil) {
        precondition(other?.family != endpoint.family, "a contact has one address of a family")
        (self.identity, self.id, self.endpoint, self.other) = (identity, id, endpoint, other)
    }

    /// Few contacts differ in nothing but their addresses.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(identity)
        hasher.combine(endpoint.port)
    }
}

// MARK: Address families

extension Contact {
    /// One or two, the one in use first.
    package var endpoints: [Endpoint] { other.map { [endpoint, $0] } ?? [endpoint] }

    /// Of which it has an address, as far as is known.
    package var families: Endpoint.Families {
        Endpoint.Families(endpoint.family).union(other.map { Endpoint.Families($0.family) } ?? [])
    }

    func isAt(_ place: Endpoint) -> Bool { endpoint == place || other == place }

    /// Its address of a family, if one is known.
    func endpoint(of family: Endpoint.Family) -> Endpoint? {
        endpoint.family == family ? endpoint : other.flatMap { $0.family == family ? $0 : nil }
    }

    /// The contact with such of its addresses as will do; `nil` if none does.
    package func keeping(where isFit: (Endpoint) -> Bool) -> Contact? {
        let spare = other.flatMap { isFit($0) ? $0 : nil }
        guard !isFit(endpoint) else {
            return Contact(identity: identity, id: id, endpoint: endpoint, other: spare)
        }
        return spare.map { Contact(identity: identity, id: id, endpoint: $0) }
    }

    /// The contact as one with sockets of these families reaches it; `nil`: not at all.
    package func reached(by families: Endpoint.Families) -> Contact? {
        if families == .all { return self }
        return keeping { families.contains($0.family) }
    }

    /// The contact as it is asked by one family, if there is only one by which it is to be asked.
    func asked(by family: Endpoint.Family?) -> Contact? {
        guard let family else { return self }
        return keeping { $0.family == family }
    }

    /// The contact where it is asked, and nowhere else.
    package var alone: Contact {
        other == nil ? self : Contact(identity: identity, id: id, endpoint: endpoint)
    }

    /// The node answered from `place`. `isInUse`: the address it was asked at does as well, and stays the one
    /// in use.
    mutating func answered(from place: Endpoint, isInUse: Bool) {
        if place.family == endpoint.family {
            endpoint = place
        } else if isInUse {
            other = place
        } else {
            (endpoint, other) = (place, endpoint)
        }
    }

    /// The node did not answer where it was asked: the other address comes next, if there is one.
    mutating func turn() {
        guard let other else { return }
        (endpoint, self.other) = (other, endpoint)
    }
}
