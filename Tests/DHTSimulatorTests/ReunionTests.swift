import Testing

@testable import DHTCore
@testable import DHTEngine
@testable import DHTSimulator

/// Nodes that know each other only from what they remember, and start anew one after the other.
struct ReunionTests {
    private func sees(_ node: SimulatedNode) -> Int {
        node.machine?.core.table.contacts.count { $0.reachability.grade == .good } ?? 0
    }

    /// `gap`: between one start and the next kill, `outage`: between a kill and the start, in milliseconds.
    @Test(arguments: [50, 300, 1000, 2000, 3500] as [UInt64], [20, 200, 1500, 6000] as [UInt64])
    func `three that are killed one after the other see each other again within two seconds`(
        gap: UInt64,
        outage: UInt64
    ) {
        var plan = WorldPlan(nodes: 3, seed: gap * 10_000 + outage, sealing: .real)
        plan.conditions.delay = .uniform(1...2)
        let world = World(plan)
        defer { world.end() }
        world.startAll(settle: .seconds(20))
        for _ in 0..<3 {
            for node in world.nodes {
                world.crash(node, losesDisk: false)
                // Of all whom it heard within a day a node writes down where they were.
                node.disk.contacts = world.nodes.filter { $0 !== node }.map { ($0.identity, $0.endpoint) }
                world.run(for: .milliseconds(outage))
                world.start(node)
                world.run(for: .milliseconds(gap))
            }
            let start = world.clock
            let isWhole = world.run(until: start + .seconds(2)) { world.nodes.allSatisfy { sees($0) == 2 } }
            #expect(isWhole, "\(world.nodes.map { sees($0) })")
        }
    }
}
