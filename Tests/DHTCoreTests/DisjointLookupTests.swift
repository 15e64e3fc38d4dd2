import Testing

@testable import DHTCore

/// Lookups over several paths. In examples a contact's number is its distance.
@Suite struct DisjointLookupTests {
    // MARK: The paths

    @Test func `seeds are dealt to the paths in turn, nearest first`() {
        var lookup = DisjointLookup.ofZero(seeds: [40, 20, 10, 30], paths: 2, parallelism: 2)
        #expect(lookup.nextQueries().places == [10, 20])
        lookup.answer(10)
        #expect(lookup.nextQueries().places == [30])
        lookup.answer(20)
        #expect(lookup.nextQueries().places == [40])
    }

    @Test func `with fewer seeds than paths there are fewer paths`() {
        var lookup = DisjointLookup.ofZero(seeds: [10, 20], paths: 8)
        #expect(lookup.nextQueries().places == [10, 20])
        lookup.answer(10, naming: 1, 2, 3)
        #expect(lookup.nextQueries().places == [1, 2])
        #expect(DisjointLookup.ofZero(seeds: [], paths: 8).isFinished)
    }

    @Test func `what an answer names is heard by the path that asked`() {
        var lookup = DisjointLookup.ofZero(seeds: [10, 20, 30, 40], paths: 2, parallelism: 2)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1, 2)
        #expect(lookup.nextQueries().places == [1])
        lookup.answer(20)
        #expect(lookup.nextQueries().places == [40])
    }

    @Test func `whom one path asks the others pass over`() {
        var lookup = DisjointLookup.ofZero(seeds: [10, 20], paths: 2)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 5)
        lookup.answer(20, naming: 5)
        #expect(lookup.answeredNearest.places == [10, 20])
        #expect(lookup.nextQueries().places == [5])
        lookup.answer(5)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [5, 10, 20])
    }

    @Test func `one that another path asks is not among a path's nearest`() {
        var lookup = DisjointLookup.ofZero(seeds: [1, 2, 3, 4], paths: 2, parallelism: 2, width: 2)
        _ = lookup.nextQueries()
        lookup.answer(1, naming: 2)
        #expect(lookup.nextQueries().places == [3])
        lookup.answer(3)
        lookup.answer(2, naming: 1, 3)
        #expect(lookup.nextQueries().places == [4])
    }

    @Test func `it tells of all paths together`() {
        var lookup = DisjointLookup.ofZero(seeds: [10, 20], paths: 2)
        _ = lookup.nextQueries()
        lookup.answer(10, naming: 1, 7)
        _ = lookup.nextQueries()
        lookup.fail(1)
        lookup.answer(20, naming: 2)
        _ = lookup.nextQueries()
        lookup.answer(2, naming: 3)
        _ = lookup.nextQueries()
        lookup.answer(3)
        #expect(!lookup.isFinished)
        #expect(lookup.answeredNearest.places == [2, 3])
        lookup.answer(7)
        #expect(lookup.isFinished)
        #expect((lookup.asked, lookup.answered, lookup.hops) == (6, 5, 3))
        #expect(lookup.answerers.places == [2, 3, 7, 10, 20])
        #expect(lookup.closest.places == [2, 3, 7])
        #expect(lookup.answeredNearest.places == [2, 3, 7])
    }

    // MARK: In flight

    @Test func `each path has one in flight, however few that makes for one alone`() {
        var lookup = DisjointLookup.ofZero(seeds: [1, 2, 3, 4, 5, 6, 7, 8], paths: 4, parallelism: 1)
        #expect(lookup.nextQueries().places == [1, 2, 3, 4])
        #expect(lookup.nextQueries().isEmpty)
        lookup.answer(3)
        #expect(lookup.nextQueries().places == [7])
    }

    @Test func `what the paths leave of the queries in flight goes to those that can use it`() {
        var lookup = DisjointLookup.ofZero(seeds: [1, 2, 3, 4, 5, 6], paths: 2)
        #expect(lookup.nextQueries().places == [1, 2, 3])
        lookup.answer(2)
        #expect(lookup.nextQueries().places == [4])
        lookup.slow(1)
        #expect(lookup.nextQueries().places == [5])
    }

    @Test func `no path's second query takes the place of another's first, until that path has ended`() {
        var lookup = DisjointLookup.ofZero(seeds: [1, 2, 3], paths: 2, parallelism: 2)
        _ = lookup.nextQueries()
        lookup.slow(2)
        #expect(lookup.nextQueries().isEmpty)
        lookup.answer(2, naming: 4)
        #expect(lookup.nextQueries().places == [4])
        lookup.answer(4)
        #expect(lookup.nextQueries().places == [3])
    }

    // MARK: Failures

    @Test func `one that failed is asked on no other path at the same endpoint`() {
        var lookup = DisjointLookup.ofZero(seeds: [1, 2, 3, 4], paths: 2, parallelism: 2)
        _ = lookup.nextQueries()
        lookup.answer(2, naming: 1)
        #expect(lookup.nextQueries().places == [4])
        lookup.fail(1)
        #expect(lookup.nextQueries().places == [3])
        lookup.answer(3)
        lookup.answer(4, naming: 1)
        #expect(lookup.nextQueries().isEmpty)
        #expect(lookup.isFinished)
        #expect(lookup.closest.places == [2, 3, 4])
    }

    @Test(arguments: [true, false])
    func `a false endpoint told to one path hides the peer from no other`(isHeardBefore: Bool) {
        var lookup = DisjointLookup.ofZero(seeds: [10, 20], paths: 2)
        let (liar, honest) = (Contact.at(10).identity, Contact.at(20).identity)
        _ = lookup.nextQueries()
        lookup.answered(liar, contacts: [.at(1, port: 1), .at(1, port: 2)], bearing: false)
        #expect(lookup.nextQueries() == [.at(1, port: 1)])
        if isHeardBefore { lookup.answered(honest, contacts: [.at(1)], bearing: false) }
        #expect(lookup.nextQueries().isEmpty)
        lookup.fail(1)
        #expect(lookup.nextQueries() == [.at(1, port: 2)])
        lookup.fail(1)
        if !isHeardBefore { lookup.answered(honest, contacts: [.at(1)], bearing: false) }
        #expect(lookup.nextQueries() == [.at(1)])
        lookup.answer(1)
        #expect(lookup.isFinished)
        #expect(lookup.closest == [.at(1), .at(10), .at(20)])
    }

    @Test func `events of those not asked change nothing`() {
        var lookup = DisjointLookup.ofZero(seeds: [1, 2, 3, 4, 5, 6], paths: 2)
        _ = lookup.nextQueries()
        lookup.answer(4, naming: 9)
        lookup.fail(5)
        lookup.slow(6)
        for _ in 0..<2 { lookup.answer(1) }
        lookup.fail(1)
        #expect((lookup.asked, lookup.answered) == (3, 1))
        lookup.answered(Contact.at(2).identity, contacts: [.at(1, port: 1)], bearing: false)
        #expect(lookup.nextQueries().places == [4, 5])
    }

    // MARK: Liars

    @Test func `a path that falls among liars keeps no other from the closest`() {
        let liars: [UInt8] = [4, 5, 6, 7]
        let honest: [UInt8: [UInt8]] = [40: [20], 20: [10, 4], 10: [8, 9, 5], 8: [9, 10], 9: [8, 10]]
        for (paths, answerers) in [(1, liars), (2, liars + [8, 9, 10, 20, 40])] {
            var lookup = DisjointLookup.ofZero(seeds: [7, 40], paths: paths, parallelism: 1)
            var pending = lookup.nextQueries()
            while !pending.isEmpty {
                let peer = pending.removeFirst()
                let named = honest[peer.id.bytes[0]] ?? liars
                lookup.answered(peer.identity, contacts: named.map { Contact.at($0) }, bearing: false)
                pending += lookup.nextQueries()
            }
            #expect(lookup.isFinished)
            #expect(lookup.answerers.places == answerers)
        }
    }

    // MARK: Values

    @Test(arguments: 1...8, 1...8)
    func `a get asks no more than it wants while each query finds a replica`(paths: Int, replicas: Int) {
        let goal = Lookup.Goal.values(replicas: replicas)
        var lookup = DisjointLookup.ofZero(goal, seeds: Array(1...10), paths: paths, width: 8)
        var asked = lookup.nextQueries().places
        var pending = asked
        while let place = pending.popLast() {
            lookup.answer(place, bearing: true, naming: 11, 12)
            let queries = lookup.nextQueries().places
            (asked, pending) = (asked + queries, pending + queries)
        }
        #expect(lookup.isFinished)
        #expect(asked == Array(1...UInt8(replicas)))
    }

    @Test func `a get ends once all paths together found what it wants`() {
        var lookup = DisjointLookup.ofZero(.values(replicas: 2), seeds: [1, 2, 3, 4], paths: 2)
        #expect(lookup.nextQueries().places == [1, 2])
        lookup.answer(1, bearing: true)
        #expect(!lookup.isFinished)
        lookup.answer(2, bearing: true)
        #expect(lookup.isFinished)
        #expect((lookup.asked, lookup.answered, lookup.bearing) == (2, 2, 2))
    }

    @Test(arguments: ["empty-handed", "slow", "failed"])
    func `a get goes on along all paths once one brings nothing`(fate: String) {
        var lookup = DisjointLookup.ofZero(.values(replicas: 1), seeds: [1, 2, 3, 4, 5, 6], paths: 3)
        #expect(lookup.nextQueries().places == [1])
        switch fate {
        case "empty-handed": lookup.answer(1)
        case "slow": lookup.slow(1)
        default: lookup.fail(1)
        }
        #expect(lookup.nextQueries().places == [2, 3, 4])
    }

    @Test func `a get of what is nowhere ends when every path has`() {
        var lookup = DisjointLookup.ofZero(.values(replicas: 1), seeds: [1, 2], paths: 2)
        for place in [1, 2] as [UInt8] {
            #expect(lookup.nextQueries().places == [place])
            lookup.answer(place)
        }
        #expect(lookup.isFinished)
    }

    @Test func `our own copy counts as one replica, however many the paths`() {
        var lookup = DisjointLookup.ofZero(.values(replicas: 3), seeds: [1, 2, 3, 4], paths: 4)
        lookup.countLocalAnswer()
        #expect(lookup.nextQueries().places == [1, 2])
        lookup.discountLocalAnswer()
        #expect(lookup.nextQueries().places == [3])
    }
}

// MARK: Random networks

extension DisjointLookupTests {
    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func `over one path it does what a plain lookup does`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let everybody = (1...150).map { Contact.random($0, using: &generator) }
        let target = NodeID.random(using: &generator)
        let goal: Lookup.Goal =
            generator.oneIn(2) ? .nodes : .values(replicas: .random(in: 1...8, using: &generator))
        let seeds = everybody.filter { _ in generator.oneIn(8) }
        let (own, alpha) = (everybody[0].identity, Int.random(in: 1...5, using: &generator))
        var plain = Lookup(target: target, own: own, goal: goal, seeds: seeds, parallelism: alpha)
        var lookup = DisjointLookup(target: target, own: own, goal: goal, seeds: seeds, parallelism: alpha)
        if generator.oneIn(3) {
            plain.countLocalAnswer()
            lookup.countLocalAnswer()
        }
        var pending: [Identity] = []
        while true {
            let queries = plain.nextQueries()
            #expect(lookup.nextQueries() == queries)
            #expect(lookup.isFinished == plain.isFinished)
            #expect(lookup.closest == plain.closest)
            #expect(lookup.answeredNearest == plain.answeredNearest)
            #expect((lookup.asked, lookup.answered) == (plain.asked, plain.answered))
            #expect((lookup.bearing, lookup.hops) == (plain.bearing, plain.hops))
            pending += queries.map(\.identity)
            guard !plain.isFinished, let peer = pending.randomElement(using: &generator) else { break }
            switch Int.random(in: 0..<10, using: &generator) {
            case 0, 1, 2:
                plain.slow(peer)
                lookup.slow(peer)
                continue
            case 3, 4:
                plain.failed(peer)
                lookup.failed(peer)
            default:
                var named = Array(everybody.shuffled(using: &generator).prefix(8))
                if generator.oneIn(2) { named[0].endpoint = .port(1) }
                let bearing = goal != .nodes && generator.oneIn(3)
                plain.answered(peer, contacts: named, bearing: bearing)
                lookup.answered(peer, contacts: named, bearing: bearing)
            }
            pending.removeAll { $0 == peer }
        }
        #expect(lookup.isFinished)
    }

    @Test(arguments: [2, 3, 8], [1, 2, 5, 9, 20, 60, 150])
    func `nobody is asked twice`(paths: Int, count: Int) {
        var network = Network(count: count, seed: UInt64(1000 * paths + count))
        network.dead = Set(network.members.filter { _ in network.generator.oneIn(5) }.map(\.identity))
        for _ in 0..<10 {
            let target = NodeID.random(using: &network.generator)
            let (lookup, asked) = network.find(target, paths: paths)
            #expect(Set(asked).count == asked.count)
            #expect(lookup.asked == asked.count)
            #expect(lookup.answered == lookup.answerers.count)
            #expect(lookup.closest == Array(lookup.answerers.sorted(around: target).prefix(8)))
        }
    }

    @Test(arguments: [2, 3, 8], [1, 2, 5, 9, 20, 60, 150])
    func `several paths find the closest there are, and what those hold`(paths: Int, count: Int) {
        var network = Network(count: count, seed: UInt64(2000 * paths + count))
        for replicas in 1...8 {
            let target = NodeID.random(using: &network.generator)
            let closest = network.closestHonest(to: target)
            let (lookup, _) = network.find(target, paths: paths)
            #expect(lookup.closest == closest)
            #expect(lookup.answeredNearest == closest)
            network.holders = Set(closest.map(\.identity))
            let (get, _) = network.find(target, goal: .values(replicas: replicas), paths: paths)
            #expect(get.bearing >= min(replicas, closest.count))
        }
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `liars nearer than anybody hide the closest honest from one path, not from more`(seed: UInt64) {
        var network = Network(count: 150, seed: 4000 + seed)
        let target = NodeID.random(using: &network.generator)
        network.add(liars: 8, around: target)
        let closest = network.closestHonest(to: target)
        #expect(!Set(network.find(target, paths: 1).lookup.answerers).isSuperset(of: closest))
        for paths in [3, 4, 8] {
            let (lookup, asked) = network.find(target, paths: paths)
            #expect(Set(lookup.answerers).isSuperset(of: closest))
            #expect(asked.count <= 12 * paths)
        }
    }

    /// Nodes each of which knows some of the others. The dead do not answer; liars name nobody but liars.
    private struct Network {
        var generator: SplitMix64
        let members: [Contact]
        var dead: Set<Identity> = []
        var holders: Set<Identity> = []
        private let own: Identity
        private var liars: [Contact] = []
        private var tables: [Identity: RoutingTable] = [:]

        /// The first node looks up, the others are members.
        init(count: Int, seed: UInt64) {
            var generator = SplitMix64(seed: seed)
            let nodes = (0..<count).map { Contact.random($0, using: &generator) }
            for node in nodes {
                var table = RoutingTable(own: node.id)
                for other in nodes.shuffled(using: &generator) { _ = table.answered(other, at: at(0)) }
                tables[node.identity] = table
            }
            (self.generator, own, members) = (generator, nodes[0].identity, Array(nodes.dropFirst()))
        }

        /// Liars settle nearer to the target than anybody else, known to whoever has room for them.
        mutating func add(liars count: Int, around target: NodeID) {
            for number in 1...count {
                let id = target.flipping(.random(in: 12..<160, using: &generator))
                let identity = Identity.numbered(UInt64(10_000 + number))
                liars.append(Contact(identity: identity, id: id, endpoint: .port(UInt16(number))))
            }
            for identity in tables.keys {
                for liar in liars { _ = tables[identity]?.answered(liar, at: at(0)) }
            }
        }

        /// The closest members that are alive; liars are none.
        func closestHonest(to target: NodeID) -> [Contact] {
            Array(members.filter { !dead.contains($0.identity) }.sorted(around: target).prefix(8))
        }

        private func closest(to target: NodeID, count: Int, knownTo peer: Identity) -> [Contact] {
            tables[peer]?.closest(to: target, count: count, excluding: own)
                ?? Array(liars.sorted(around: target).prefix(count))
        }

        /// Runs a lookup, with answers in random order, some of them slow; and whom it asked.
        mutating func find(
            _ target: NodeID,
            goal: Lookup.Goal = .nodes,
            paths: Int
        ) -> (lookup: DisjointLookup, asked: [Identity]) {
            let seeds = closest(to: target, count: 32, knownTo: own)
            var lookup = DisjointLookup(target: target, own: own, goal: goal, seeds: seeds, paths: paths)
            var (pending, asked, slow): ([Identity], [Identity], Set<Identity>) = ([], [], [])
            while true {
                let queries = lookup.nextQueries().map(\.identity)
                pending += queries
                asked += queries
                #expect(pending.count - slow.count <= max(Kademlia.parallelism, paths))
                guard !lookup.isFinished, let peer = pending.randomElement(using: &generator) else { break }
                if generator.oneIn(5), slow.insert(peer).inserted {
                    lookup.slow(peer)
                    continue
                }
                pending.removeAll { $0 == peer }
                slow.remove(peer)
                if dead.contains(peer) {
                    lookup.failed(peer)
                } else {
                    let named = closest(to: target, count: 8, knownTo: peer)
                    lookup.answered(peer, contacts: named, bearing: holders.contains(peer))
                }
            }
            #expect(lookup.isFinished, "it waits for nobody")
            return (lookup, asked)
        }
    }
}
