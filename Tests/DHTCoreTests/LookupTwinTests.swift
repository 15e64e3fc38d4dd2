import DHTCore
import Testing

/// A lookup beside one that keeps sets, and sorts everything whenever it is asked anything.
@Suite struct LookupTwinTests {
    private struct NaiveLookup {
        let target: NodeID
        let own: Identity
        let replicas: Int?
        /// Nodes are looked for, slow ones will do.
        let isHasty: Bool
        let (parallelism, width): (Int, Int)
        var known: [Identity: Contact] = [:]
        var inFlight: Set<Identity> = []
        var slow: Set<Identity> = []
        var failed: Set<Identity> = []
        /// Who told of whom; ourselves, if we know them.
        var namers: [Identity: Set<Identity>] = [:]
        /// Who answered, and whether that brought a record.
        var answers: [Identity: Bool] = [:]

        var bearing: Int { answers.values.count { $0 } }
        var living: [Contact] { known.values.filter { !failed.contains($0.identity) }.sorted(around: target) }
        /// Without those that are late by the word of one stranger.
        var present: [Contact] {
            living.filter { contact in
                let namers = namers[contact.identity] ?? []
                return !slow.contains(contact.identity) || namers.contains(own) || namers.count > 1
            }
        }
        var closest: [Contact] { Array(living.filter { answers[$0.identity] != nil }.prefix(width)) }
        var answeredWithout: [Contact] { present.prefix(width).filter { answers[$0.identity] == false } }

        var prompt: ArraySlice<Contact> { living.filter { !slow.contains($0.identity) }.prefix(width) }
        var replicasBearing: Int { prompt.count { answers[$0.identity] == true } }

        var isFinished: Bool {
            if let replicas, replicasBearing >= replicas { return true }
            if present.prefix(width).allSatisfy({ answers[$0.identity] != nil }) { return true }
            guard isHasty || replicas.map({ bearing > 0 && $0 < width }) == true else { return false }
            return prompt.count == width && prompt.allSatisfy { answers[$0.identity] != nil }
        }

        mutating func hear(_ contacts: [Contact], from namer: Identity, known: Set<Identity> = []) {
            for contact in contacts where contact.identity != own {
                namers[contact.identity, default: []].insert(namer)
                if known.contains(contact.identity) { namers[contact.identity]?.insert(own) }
                if self.known[contact.identity] == nil { self.known[contact.identity] = contact }
            }
        }

        mutating func nextQueries() -> [Contact] {
            if isFinished { return [] }
            var most = parallelism
            if let replicas, slow.isEmpty, failed.isEmpty, bearing == answers.count {
                most = min(most, replicas - (bearing < replicas ? bearing : replicasBearing))
            }
            let window = living.filter { !slow.contains($0.identity) }.prefix(width)
            let waiting = window.filter { !inFlight.contains($0.identity) && answers[$0.identity] == nil }
            let queries = Array(waiting.prefix(max(0, most - inFlight.count)))
            inFlight.formUnion(queries.map(\.identity))
            return queries
        }

        mutating func answered(
            _ identity: Identity,
            contacts: [Contact],
            bearing: Bool,
            known: Set<Identity>
        ) {
            inFlight.remove(identity)
            slow.remove(identity)
            answers[identity] = bearing
            hear(contacts, from: identity, known: known)
        }

        mutating func fail(_ identity: Identity) {
            inFlight.remove(identity)
            slow.remove(identity)
            failed.insert(identity)
        }
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `a lookup does what the slow one does`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        // Few enough for nobody to fall off the shortlist: what falls off is tested by itself.
        let everybody = (1...60).map { Contact.random($0, using: &generator) }
        let target = NodeID.random(using: &generator)
        let goal: Lookup.Goal =
            generator.oneIn(2)
            ? (generator.oneIn(2) ? .nodes : .reachable)
            : .values(replicas: .random(in: 1...8, using: &generator))
        let width = 8
        let parallelism = Int.random(in: 1...5, using: &generator)
        let own = everybody[0].identity
        let seeds = Array(
            everybody.shuffled(using: &generator).prefix(.random(in: 0...12, using: &generator))
        )
        var lookup = Lookup(
            target: target,
            own: own,
            goal: goal,
            seeds: seeds,
            parallelism: parallelism,
            width: width
        )
        var replicas: Int?
        if case .values(let count) = goal { replicas = count }
        var twin = NaiveLookup(
            target: target,
            own: own,
            replicas: replicas,
            isHasty: goal == .reachable,
            parallelism: parallelism,
            width: width
        )
        twin.hear(seeds, from: own)
        var steps = 0
        while steps < 500 {
            let queries = lookup.nextQueries()
            #expect(queries == twin.nextQueries())
            #expect(lookup.isFinished == twin.isFinished)
            #expect(lookup.closest == twin.closest)
            #expect(lookup.answeredWithout == twin.answeredWithout)
            #expect(lookup.bearing == twin.bearing)
            #expect(lookup.answered == twin.answers.count)
            // By identity, so that the choice does not depend on the order of a set.
            let pending = (twin.inFlight.union(twin.slow)).sorted()
            guard !twin.isFinished, let peer = pending.randomElement(using: &generator) else { break }
            steps += 1
            switch Int.random(in: 0..<10, using: &generator) {
            case 0, 1:
                lookup.failed(peer)
                twin.fail(peer)
            case 2, 3:
                lookup.slow(peer)
                twin.inFlight.remove(peer)
                twin.slow.insert(peer)
            default:
                let named = Array(everybody.shuffled(using: &generator).prefix(4))
                let bearing = replicas != nil && generator.oneIn(3)
                let known = Set(named.filter { _ in generator.oneIn(3) }.map(\.identity))
                lookup.answered(peer, contacts: named, bearing: bearing, known: known)
                twin.answered(peer, contacts: named, bearing: bearing, known: known)
            }
        }
        #expect(lookup.isFinished)
    }
}
