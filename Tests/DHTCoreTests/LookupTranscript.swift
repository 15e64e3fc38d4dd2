@testable import DHTCore

/// Events of a lookup of 0 in an 8-bit key space, told by the numbers of contacts.
extension Lookup {
    /// Of 0, so that a contact's number is its distance. We ourselves are number 99.
    static func ofZero(
        _ goal: Lookup.Goal = .nodes,
        seeds: UInt8...,
        parallelism: Int = 3,
        width: Int = 3
    ) -> Lookup {
        Lookup(
            target: NodeID(firstByte: 0),
            own: .numbered(99),
            goal: goal,
            seeds: seeds.map { Contact.at($0) },
            parallelism: parallelism,
            width: width
        )
    }

    /// Lets each query fail as it is asked; whom it asked.
    mutating func failAll() -> [UInt8] {
        var asked: [UInt8] = []
        while let place = nextQueries().places.first {
            asked.append(place)
            fail(place)
        }
        return asked
    }
}

extension DisjointLookup {
    /// Of 0, so that a contact's number is its distance. We ourselves are number 99.
    static func ofZero(
        _ goal: Lookup.Goal = .nodes,
        seeds: [UInt8],
        paths: Int,
        parallelism: Int = 3,
        width: Int = 3
    ) -> DisjointLookup {
        DisjointLookup(
            target: NodeID(firstByte: 0),
            own: .numbered(99),
            goal: goal,
            seeds: seeds.map { Contact.at($0) },
            paths: paths,
            parallelism: parallelism,
            width: width
        )
    }
}

/// A lookup that is told what becomes of its queries.
protocol LookupTranscript {
    mutating func answered(
        _ identity: Identity,
        contacts: [Contact],
        bearing isBearing: Bool,
        known: Set<Identity>
    )
    mutating func slow(_ identity: Identity)
    mutating func failed(_ identity: Identity)
}

extension Lookup: LookupTranscript {}
extension DisjointLookup: LookupTranscript {}

extension LookupTranscript {
    mutating func answer(_ place: UInt8, bearing: Bool = false, naming: UInt8..., known: Set<UInt8> = []) {
        answered(
            Contact.at(place).identity,
            contacts: naming.map { Contact.at($0) },
            bearing: bearing,
            known: Set(known.map { Contact.at($0).identity })
        )
    }

    mutating func fail(_ place: UInt8) { failed(Contact.at(place).identity) }

    mutating func slow(_ place: UInt8) { slow(Contact.at(place).identity) }
}

extension Lookup {
    /// Those among the `width` closest that answered and bore nothing, nearest first.
    var answeredWithout: [Contact] { nearest.filter(\.state.isEmptyHanded).map(\.contact) }
}
