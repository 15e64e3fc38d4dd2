import Testing

@testable import DHTCore
@testable import DHTEngine
@testable import DHTSimulator

/// Overlays in which some have IPv4 only, some IPv6 only, and some both.
struct FamilyWorldTests {
    /// Seven of each kind, and one that has both.
    private static let bridged: [Endpoint.Families] =
        [.all] + (1...14).map { $0 % 2 == 0 ? .ipv4 : .ipv6 }

    private func world(_ families: [Endpoint.Families], seed: UInt64 = 1) -> World {
        var plan = WorldPlan(nodes: families.count, seed: seed, sealing: .standIn)
        plan.conditions.delay = .uniform(5...10)
        for (index, families) in families.enumerated() { plan.families[index] = families }
        let world = World(plan)
        world.startAll()
        return world
    }

    private func perform(_ operation: DHTEngine.Operation, at node: SimulatedNode, in world: World)
        -> Outcome?
    {
        var outcome: Outcome?
        world.submit(operation, at: node) { outcome = $0 }
        world.run(until: world.clock + .seconds(60)) { outcome != nil }
        return outcome
    }

    private func put(_ key: String, _ value: UInt8, at node: SimulatedNode, in world: World) -> PutOutcome? {
        let put = DHTEngine.Operation.Put(key: Array(key.utf8), value: [value], lifetime: 7200)
        guard case .put(_, let outcome)? = perform(.put(put), at: node, in: world) else { return nil }
        return outcome
    }

    private func get(_ key: String, at node: SimulatedNode, in world: World) -> UInt8? {
        let get = DHTEngine.Operation.get(
            key: Array(key.utf8),
            author: nil,
            replicas: 3,
            isExhaustive: false
        )
        guard case .got(let outcome)? = perform(get, at: node, in: world) else { return nil }
        return outcome.found.first?.record.value.first
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `what any node writes every node reads at once, whatever their families`(seed: UInt64) {
        let world = world(Self.bridged, seed: seed)
        defer { world.end() }
        for number in 0..<30 {
            let writer = world.nodes[number % world.nodes.count]
            let key = "key \(number % 4)"
            let outcome = put(key, UInt8(number), at: writer, in: world)
            #expect(outcome?.unreached == [], "\(writer.families) \(String(describing: outcome))")
            for reader in world.nodes where reader.index % 3 == number % 3 || reader.index == 0 {
                let read = get(key, at: reader, in: world)
                #expect(read == UInt8(number), "n\(writer.index) wrote, n\(reader.index) read")
            }
        }
        #expect(world.violations.isEmpty, "\(world.violations)")
    }

    /// Datagrams and milliseconds of a put on average, over writers of all kinds.
    private func cost(of families: [Endpoint.Families]) -> (datagrams: Double, milliseconds: Double) {
        let world = world(families)
        defer { world.end() }
        // The first of each writer makes it known to those who never heard of it.
        for node in world.nodes { _ = put("first \(node.index)", 0, at: node, in: world) }
        world.run(for: .seconds(90))
        var spent = Interval.seconds(0)
        let before = world.traffic.datagrams
        let rounds = 4
        for round in 0..<rounds {
            for node in world.nodes {
                let start = world.clock
                _ = put("key \(round) \(node.index)", 1, at: node, in: world)
                spent = spent + world.clock.since(start)
            }
        }
        let count = Double(rounds * families.count)
        return (
            Double(world.traffic.datagrams - before) / count, Double(spent.nanoseconds) / 1_000_000 / count
        )
    }

    @Test func `a put costs no more than twice what it does where all have one family`() {
        let mixed = cost(of: Self.bridged)
        let plain = cost(of: [Endpoint.Families](repeating: .ipv4, count: 15))
        #expect(mixed.datagrams <= 2 * plain.datagrams, "\(mixed), \(plain)")
        #expect(mixed.milliseconds <= 2 * plain.milliseconds, "\(mixed), \(plain)")
    }

    @Test func `without a node that has both a write says who may not see it, and comes to them later`() {
        let world = world(Self.bridged)
        defer { world.end() }
        let (bridge, writer) = (world.nodes[0], world.nodes[2])
        #expect(put("key", 1, at: writer, in: world)?.unreached == [])
        world.crash(bridge, losesDisk: false)
        #expect(put("key", 2, at: writer, in: world)?.unreached == .ipv6)
        world.start(bridge, seeds: [2, 3])
        world.run(for: .minutes(20))
        for reader in world.nodes {
            #expect(get("key", at: reader, in: world) == 2, "n\(reader.index)")
        }
    }

    @Test func `a member that cannot be reached costs no time-out`() {
        let world = world(Self.bridged)
        defer { world.end() }
        let (asker, asked) = (world.nodes[2], world.nodes[3])
        let start = world.clock
        guard case .pinged(nil)? = perform(.ping(asked.identity), at: asker, in: world) else {
            Issue.record("it was reached")
            return
        }
        #expect(world.clock.since(start) < .milliseconds(300))
        for node in world.nodes {
            #expect(node.machine?.counters.timeouts == 0, "n\(node.index)")
        }
        let known = asker.machine?.core.table.contacts.map(\.contact.identity) ?? []
        #expect(!known.contains(asked.identity))
    }

    @Test func `a datagram by a family of which the sender has no socket breaks a promise`() {
        let world = world([.all, .ipv4, .ipv6])
        defer { world.end() }
        world.send([1], from: world.nodes[1], to: world.nodes[2].endpoint)
        #expect(world.violations.map(\.checker) == ["families"])
    }

    @Test func `those who have both tell those who have one family where the others are in it`() {
        // The first three meet by IPv4, which they all ask first.
        let world = world([.all, .all, .all, .ipv6])
        defer { world.end() }
        let late = world.nodes[3]
        world.run(for: .seconds(5))
        #expect(late.machine?.core.table.contacts.count == 3)
    }
}
