import Testing

@testable import DHTCore
@testable import DHTSimulator

/// How soon every node knows the true closest nodes to itself, once nothing goes wrong any more.
struct ConvergenceTests {
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `200 nodes that lose datagrams and are replaced are right within a minute of the last fault`(
        seed: UInt64
    ) throws {
        var options = SimulationOptions(scenario: .churn, nodes: 200, hours: 0.2, seed: seed)
        options.sealing = .standIn
        options.loss = 0.05
        options.values = 20
        options.reads = 100
        let report = Simulation(options).run()
        #expect(report.violations.isEmpty)
        #expect(report.faults["replaced", default: 0] >= 6)
        #expect(try #require(report.convergence) <= .seconds(60))
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `32 nodes that start together know each other within a second`(seed: UInt64) {
        var plan = WorldPlan(nodes: 32, seed: seed, sealing: .standIn)
        plan.beginning = .joining(.milliseconds(0))
        let world = World(plan)
        defer { world.end() }
        world.startAll(settle: .seconds(1))
        for node in world.nodes { #expect(world.isConverged(node), "n\(node.index)") }
    }

    /// Nobody uses the network, so nothing but its own upkeep shows that somebody is gone.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `nodes that vanish unused are missed by all their neighbours within a minute`(seed: UInt64) throws {
        let world = quietWorld(seed)
        defer { world.end() }
        for index in stride(from: 5, to: 200, by: 40) { world.crash(world.nodes[index], losesDisk: true) }
        #expect(!world.nodes.allSatisfy { world.isConverged($0) })
        #expect(try #require(world.converge(within: .minutes(10))) <= .seconds(60))
    }

    @Test func `watching the neighbours takes less than a datagram in ten seconds`() {
        let world = quietWorld(1)
        defer { world.end() }
        let before = world.traffic.datagrams
        world.run(for: .minutes(5))
        let sent = Double(world.traffic.datagrams - before) / 200 / 300
        #expect(sent > 0.01 && sent <= 0.1, "\(sent) datagrams a second and node")
    }

    /// 200 nodes that have known each other for long, and that nothing is due at for some minutes but what
    /// they ask their neighbours.
    private func quietWorld(_ seed: UInt64) -> World {
        var plan = WorldPlan(nodes: 200, seed: seed, sealing: .standIn)
        plan.beginning = .settled
        plan.isWatched = false
        let world = World(plan)
        world.startAll(settle: .minutes(3))
        return world
    }
}
