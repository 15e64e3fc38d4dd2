import Testing

@testable import DHTCore
@testable import DHTSimulator

/// Each checker, with the world broken on purpose behind its back.
struct CheckerTests {
    private let world: World
    private let clients: Clients

    init() {
        world = World(WorldPlan(nodes: 5, seed: 3, sealing: .standIn))
        let tally = Tally(start: world.clock, sliceLength: .minutes(1))
        clients = Clients(world, mix: .init(), chance: Chance(seed: 1), tally: tally)
        world.startAll(settle: .seconds(60))
    }

    private var broken: Set<String> { Set(world.violations.map(\.checker)) }

    private func written() -> History.Write? {
        clients.put(0, at: world.nodes[0])
        world.run(for: .seconds(5))
        return clients.history.writes[0]?.last
    }

    private func read(by index: Int = 4) {
        clients.get(0, at: world.nodes[index], replicas: 8, isExhaustive: false)
        world.run(for: .seconds(5))
    }

    @Test func `an honest world breaks nothing`() throws {
        let write = try #require(written())
        #expect(write.replicas.count == 5)
        read()
        world.inspect()
        #expect(world.violations.isEmpty)
        #expect((clients.tally.reads, clients.tally.succeeded) == (1, 1))
    }

    @Test func `records that vanish from disks are missed`() throws {
        _ = try #require(written())
        for node in world.nodes { node.disk.store = .init() }
        read()
        #expect(broken == ["freshness"])
        #expect(clients.wrong == 1)
    }

    @Test func `a value nobody wrote is noticed`() throws {
        let write = try #require(written())
        clients.history = History()
        clients.history.note(write, of: 0)
        read()
        #expect(broken == ["authenticity"])
    }

    @Test func `a value whose time is over is noticed`() throws {
        let write = try #require(written())
        let node = world.nodes[4]
        let found = GetOutcome.Found(record: write.record, copies: 1)
        let late = Read(
            key: 0,
            reader: node,
            isExhaustive: false,
            startedAt: world.clock,
            wallAtStart: write.record.expiry
        )
        node.clockError = Int64(write.record.expiry) - Int64(World.epoch)
        clients.check(late, GetOutcome(found: [found], answered: 1, asked: 1))
        #expect(broken == ["expiry"])
    }

    @Test func `a contact that was never heard from is noticed`() {
        world.nodes[1].heardFrom = []
        world.inspect()
        #expect(broken == ["table"])
    }

    @Test func `a list the engine does not keep to is noticed`() {
        world.nodes[1].policy = world.policy(without: [2])
        world.inspect()
        #expect(broken == ["table"])
        clients.put(0, at: world.nodes[1])
        world.run(for: .seconds(5))
        #expect(broken == ["table", "admission"])
    }

    @Test func `an operation that does not end is noticed`() {
        for node in world.nodes { node.disk.delay = 10_000_000...10_000_000 }
        clients.put(0, at: world.nodes[0])
        world.run(for: World.operationPatience + .seconds(10))
        world.inspect()
        #expect(broken == ["liveness"])
    }

    @Test func `nodes that cannot find each other are noticed`() {
        world.nodes[3].group = 1
        world.run(for: .minutes(40))
        #expect(world.converge(within: .minutes(1)) == nil)
        #expect(broken == ["convergence"])
    }
}
