import DHTCore
import Testing

/// Lookups through networks of nodes that do not change meanwhile, each of which knows only some of the
/// others.
@Suite struct LookupNetworkTests {
    private struct Network {
        var generator: SplitMix64
        var members: [Contact]
        var tables: [Identity: RoutingTable] = [:]
        var dead: Set<Identity> = []
        var liars: Set<Identity> = []
        var inventions = 0
        /// Queries of the last lookup that it did not wait for.
        var abandoned = 0

        /// Each of `count` nodes meets the others in an order of its own; its buckets hold `capacity`.
        init(count: Int, capacity: Int, seed: UInt64) {
            var generator = SplitMix64(seed: seed)
            members = (1...count).map { Contact.random($0, using: &generator) }
            for member in members {
                var table = RoutingTable(
                    own: member.id,
                    capacities: [Int](repeating: capacity, count: NodeID.bitCount)
                )
                for other in members.shuffled(using: &generator) { _ = table.answered(other, at: at(0)) }
                tables[member.identity] = table
            }
            self.generator = generator
        }

        func choose(oneIn share: Int, from generator: inout SplitMix64) -> Set<Identity> {
            Set(members.dropFirst().filter { _ in generator.oneIn(share) }.map(\.identity))
        }

        /// What a node says; a liar names contacts that are nowhere, nearer to the target than anybody.
        mutating func answer(of peer: Contact, target: NodeID) -> [Contact] {
            guard liars.contains(peer.identity) else {
                return tables[peer.identity]?.closest(to: target, count: 8, excluding: members[0].identity)
                    ?? []
            }
            return (0..<8).map { _ in
                inventions += 1
                return Contact(
                    identity: .numbered(1_000_000 + UInt64(inventions)),
                    id: target.flipping(.random(in: 24..<160, using: &generator)),
                    endpoint: .port(1)
                )
            }
        }

        func isAlive(_ contact: Contact) -> Bool {
            tables[contact.identity] != nil && !dead.contains(contact.identity)
        }

        /// The closest there are, but for the one that looks.
        func closest(to target: NodeID, count: Int) -> [Contact] {
            Array(members.dropFirst().filter { isAlive($0) }.sorted(around: target).prefix(count))
        }

        /// Runs a lookup by the first member, with answers in random order, some of them slow.
        mutating func find(
            _ target: NodeID,
            goal: Lookup.Goal = .nodes,
            seeds: Int = 8,
            holders: Set<Identity> = []
        ) -> Lookup {
            let own = members[0]
            let seeds = tables[own.identity]?.closest(to: target, count: seeds) ?? []
            var lookup = Lookup(target: target, own: own.identity, goal: goal, seeds: seeds)
            var (pending, slow): ([Contact], Set<Identity>) = ([], [])
            while true {
                let queries = lookup.nextQueries()
                #expect(queries.allSatisfy { $0.identity != own.identity })
                pending += queries
                #expect(pending.count - slow.count <= Kademlia.parallelism)
                if lookup.isFinished {
                    abandoned = pending.count
                    return lookup
                }
                #expect(!pending.isEmpty, "it waits for nobody")
                guard let index = pending.indices.randomElement(using: &generator) else { return lookup }
                let peer = pending[index]
                if generator.oneIn(5), slow.insert(peer.identity).inserted {
                    lookup.slow(peer.identity)
                    continue
                }
                pending.remove(at: index)
                slow.remove(peer.identity)
                if isAlive(peer) {
                    let named = answer(of: peer, target: target)
                    lookup.answered(peer.identity, contacts: named, bearing: holders.contains(peer.identity))
                } else {
                    lookup.failed(peer.identity)
                }
            }
        }
    }

    private static let sizes = [1, 2, 3, 5, 8, 9, 10, 17, 32, 64, 100, 200]

    @Test(arguments: sizes)
    func `a lookup finds the closest there are`(count: Int) {
        var network = Network(count: count, capacity: 8, seed: UInt64(count))
        for _ in 0..<20 {
            let target = NodeID.random(using: &network.generator)
            let lookup = network.find(target)
            #expect(lookup.closest == network.closest(to: target, count: 8))
            #expect(lookup.asked == lookup.answered + network.abandoned)
        }
    }

    @Test(arguments: sizes)
    func `a lookup of a member finds it first`(count: Int) {
        var network = Network(count: count, capacity: 8, seed: UInt64(1000 + count))
        for member in network.members.dropFirst().prefix(20) {
            #expect(network.find(member.id).closest.first == member)
        }
    }

    @Test(arguments: [16, 32, 64, 100, 200])
    func `a lookup asks few`(count: Int) {
        var network = Network(count: count, capacity: 8, seed: UInt64(2000 + count))
        var (asked, hops) = (0, 0)
        for _ in 0..<20 {
            let lookup = network.find(.random(using: &network.generator))
            asked += lookup.asked
            hops = max(hops, lookup.hops)
        }
        #expect(asked / 20 <= 16)
        #expect(hops <= 6)
    }

    @Test(arguments: sizes.filter { $0 >= 10 })
    func `a lookup goes round those that died, and never names one`(count: Int) {
        var network = Network(count: count, capacity: 32, seed: UInt64(3000 + count))
        network.dead = network.choose(oneIn: 4, from: &network.generator)
        var (found, wanted) = (0, 0)
        for _ in 0..<20 {
            let target = NodeID.random(using: &network.generator)
            let lookup = network.find(target, seeds: 32)
            let truth = network.closest(to: target, count: 8)
            #expect(lookup.closest.allSatisfy { network.isAlive($0) })
            #expect(lookup.closest == lookup.closest.sorted(around: target))
            #expect(lookup.closest.count == truth.count)
            found += Set(lookup.closest).intersection(truth).count
            wanted += truth.count
        }
        // Nodes name the eight nearest they know: where some of those are dead, a ninth may go unnamed.
        #expect(found * 100 >= wanted * 90)
    }

    @Test(arguments: sizes.filter { $0 >= 10 })
    func `where all know who died, the closest living are found`(count: Int) {
        var network = Network(count: count, capacity: 200, seed: UInt64(4000 + count))
        network.dead = network.choose(oneIn: 2, from: &network.generator)
        for member in network.members {
            for other in network.members where network.dead.contains(other.identity) {
                for _ in 0..<2 {
                    _ = network.tables[member.identity]?.failed(other.identity, id: other.id, at: at(1))
                }
            }
        }
        for _ in 0..<20 {
            let target = NodeID.random(using: &network.generator)
            let lookup = network.find(target)
            #expect(lookup.closest == network.closest(to: target, count: 8))
            #expect(lookup.asked == lookup.answered + network.abandoned)
        }
    }

    @Test(arguments: sizes.filter { $0 >= 10 })
    func `a lookup survives liars that name nobody real`(count: Int) {
        var network = Network(count: count, capacity: 8, seed: UInt64(5000 + count))
        network.liars = network.choose(oneIn: 5, from: &network.generator)
        var (found, wanted) = (0, 0)
        for _ in 0..<20 {
            let target = NodeID.random(using: &network.generator)
            let before = network.inventions
            let lookup = network.find(target)
            let truth = network.closest(to: target, count: 8)
            #expect(lookup.closest.allSatisfy { network.isAlive($0) })
            #expect(lookup.asked <= lookup.answered + network.abandoned + network.inventions - before)
            found += Set(lookup.closest).intersection(truth).count
            wanted += truth.count
        }
        #expect(found * 100 >= wanted * 95)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a get finds what the closest hold`(seed: UInt64) {
        var network = Network(count: 100, capacity: 8, seed: 6000 + seed)
        let target = NodeID.random(using: &network.generator)
        let holders = Set(network.closest(to: target, count: 8).map(\.identity))
        for replicas in 1...8 {
            let lookup = network.find(target, goal: .values(replicas: replicas), holders: holders)
            #expect(lookup.bearing >= replicas)
            #expect(lookup.answeredWithout.isEmpty)
            #expect(lookup.asked <= 20)
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a get finds the one copy left`(seed: UInt64) {
        var network = Network(count: 60, capacity: 8, seed: 7000 + seed)
        let target = NodeID.random(using: &network.generator)
        let closest = network.closest(to: target, count: 8)
        let holder = closest.randomElement(using: &network.generator)!
        let lookup = network.find(target, goal: .values(replicas: 3), holders: [holder.identity])
        #expect(lookup.bearing == 1)
        // Slow ones are not waited for once the copy is there.
        #expect(lookup.closest.count == 8 && lookup.closest.contains(holder))
        #expect(!lookup.answeredWithout.contains(holder))
        #expect(lookup.answeredNearest.allSatisfy { closest.contains($0) })
    }

    @Test func `the same seed takes the same path`() {
        let lookups = (0..<2).map { _ in
            var network = Network(count: 80, capacity: 8, seed: 8000)
            return network.find(.random(using: &network.generator))
        }
        #expect(lookups[0].closest == lookups[1].closest)
        #expect(lookups[0].asked == lookups[1].asked)
        #expect(lookups[0].hops == lookups[1].hops)
    }
}
