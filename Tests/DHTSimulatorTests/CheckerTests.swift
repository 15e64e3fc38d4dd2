import Testing

@testable import DHTCore
@testable import DHTEnvelope
@testable import DHTSimulator

/// Each checker, with the world broken on purpose behind its back.
struct CheckerTests {
    private let world: World
    private let workload: Workload

    init() {
        world = World(WorldPlan(nodes: 5, seed: 3, sealing: .standIn))
        let statistics = ReadStatistics(start: world.clock, sliceLength: .minutes(1))
        workload = Workload(world, mix: .init(), chance: SeededRandom(seed: 1), statistics: statistics)
        world.startAll(settle: .seconds(60))
    }

    private var broken: Set<String> { Set(world.violations.map(\.checker)) }

    private func written() -> History.Write? {
        workload.put(0, at: world.nodes[0])
        world.run(for: .seconds(5))
        return workload.history.writes[0]?.last
    }

    private func started(wanted: Int, wall: UInt64 = 0) -> Read {
        Read(
            key: 0,
            reader: world.nodes[4],
            replicas: wanted,
            isExhaustive: false,
            startedAt: world.clock,
            wallAtStart: wall,
            policyAtStart: world.nodes[4].policy,
            preconditions: workload.preconditions(of: 0, at: world.nodes[4])
        )
    }

    private func read(by index: Int = 4) {
        workload.get(0, at: world.nodes[index], replicas: 8, isExhaustive: false)
        world.run(for: .seconds(5))
    }

    @Test func `an honest world breaks nothing`() throws {
        let write = try #require(written())
        #expect(write.replicas.count == 5)
        read()
        world.inspect()
        world.inspectDisks()
        #expect(world.violations.isEmpty)
        #expect(workload.sumsChecked == 1)
        #expect((workload.statistics.reads, workload.statistics.succeeded) == (1, 1))
    }

    @Test func `records that vanish from disks are missed`() throws {
        _ = try #require(written())
        for node in world.nodes { node.disk.store = .init() }
        read()
        #expect(broken == ["freshness", "quorum"])
        #expect(workload.wrong == 1)
    }

    @Test func `what nobody who is asked has any more is missed at the end`() throws {
        _ = try #require(written())
        for node in world.nodes { (node.disk.store, node.group) = (.init(), node.index) }
        workload.readEverything()
        world.run(for: .seconds(60))
        #expect(broken == ["durability"])
        #expect((workload.recordsPut, workload.recordsLost) == (1, 1))
    }

    @Test func `a disk that was lost with its node is nobody's to answer for`() throws {
        _ = try #require(written())
        for node in world.nodes { world.crash(node, losesDisk: true) }
        for node in world.nodes { world.start(node, seeds: node.index == 0 ? [] : [0]) }
        world.run(for: .seconds(5))
        workload.readEverything()
        world.run(for: .seconds(60))
        #expect(broken.isEmpty)
        #expect((workload.recordsPut, workload.recordsLost) == (1, 1))
    }

    /// The answer of two of five replicas to a read that wanted to hear `wanted`, where three had taken the
    /// write, none of them asked.
    private func readPast(_ write: History.Write, wanted: Int) {
        let few = History.Write(
            author: write.author,
            record: write.record,
            replicas: [0, 1, 2],
            replicaSet: write.replicaSet,
            startedAt: write.startedAt,
            acknowledgedAt: write.acknowledgedAt
        )
        workload.history = History()
        workload.history.record(few, of: 0)
        let answeredBy = [3, 4].map { world.nodes[$0].identity }
        let outcome = GetOutcome(found: [], answered: 2, asked: wanted, answeredBy: answeredBy)
        workload.check(started(wanted: wanted), outcome)
    }

    @Test func `a read that heard too few is noticed, though nobody it heard knew better`() throws {
        let write = try #require(written())
        #expect(write.replicaSet == [0, 1, 2, 3, 4])
        readPast(write, wanted: 2)
        #expect(broken.isEmpty)
        readPast(write, wanted: 3)
        #expect(broken == ["quorum"])
    }

    @Test func `what the sum rule does not promise is not asked for`() throws {
        let write = try #require(written())
        let before = started(wanted: 3)
        world.nodes[2].machine = nil
        let answeredBy = [3, 4].map { world.nodes[$0].identity }
        workload.check(before, GetOutcome(found: [], answered: 2, asked: 3, answeredBy: answeredBy))
        #expect(!broken.contains("quorum"), "a replica went away while the read lasted")
        world.nodes[3].adversary = .colluding
        #expect(workload.preconditions(of: 0, at: world.nodes[4]) == nil)
        #expect(write.replicas.count == 5)
    }

    @Test func `a disk that keeps what nobody signed is noticed`() throws {
        let write = try #require(written())
        var bytes = write.record.bytes
        bytes[bytes.count - 1] ^= 1
        try world.nodes[2].disk.store.apply([.put(#require(RecordCodec.decode(bytes)))])
        world.inspectDisks()
        #expect(broken == ["authenticity"])
    }

    @Test func `a read of what somebody wrote who may not is noticed`() throws {
        _ = try #require(written())
        let members = world.nodes.map {
            Allowlist.Member(identity: $0.identity, name: "n\($0.index)", mayWrite: $0.index != 0)
        }
        world.nodes[4].policy = .members(Allowlist(known: members))
        read()
        #expect(broken == ["authenticity"])
    }

    @Test func `a node that keeps more than it may is noticed`() throws {
        for key in 0..<2 { workload.put(key, at: world.nodes[0]) }
        world.run(for: .seconds(5))
        var plan = WorldPlan(nodes: 5, seed: 3, sealing: .standIn)
        plan.settings.quota.records = 1
        let small = World(plan)
        small.startAll(settle: .seconds(60))
        // At its start a node would bring it back under its bounds.
        world.nodes[1].disk.store.forEach { _ = small.nodes[1].machine?.restore($0) }
        try #require(small.nodes[1].machine?.core.catalog.count == 2)
        small.inspect()
        #expect(Set(small.violations.map(\.checker)) == ["bounds"])
    }

    /// What is written second, and said to have been begun first.
    private func swapped() throws -> (first: History.Write, second: History.Write) {
        var first = try #require(written())
        var second = try #require(written())
        (first.number, second.number) = (second.number, first.number)
        return (first, second)
    }

    @Test func `a write that passes over one begun later is noticed when it is acknowledged`() throws {
        let (first, second) = try swapped()
        workload.history = History()
        workload.history.record(first, of: 0)
        workload.checkOrder(of: second, 0)
        #expect(broken == ["order"])
    }

    @Test func `a read of what passes over something begun later is noticed`() throws {
        var first = try #require(written())
        let second = try #require(written())
        // The first one was begun last, it says; its revision is the lower one all the same.
        first.number = second.number + 1
        workload.history.record(first, of: 0)
        read()
        #expect(broken == ["order"])
    }

    @Test func `hasty workload and those that break off do what they are for, and nothing is wrong`() {
        (workload.mix.haste, workload.mix.aborts, workload.mix.keeps) = (0.4, 0.5, 0.5)
        (workload.mix.long, workload.mix.keys, workload.mix.longLengths) = (0.3, 2, 641...50_000)
        workload.mix.pause = 500...2000
        workload.start()
        world.run(for: .minutes(2))
        workload.stop()
        world.run(for: .minutes(4))
        world.inspect()
        #expect(world.violations.isEmpty)
        #expect(workload.history.keys == [0, 1])
        let machines = world.nodes.compactMap(\.machine)
        #expect(machines.contains { $0.counters.cancelled > 0 })
        #expect(workload.history.lastNumber > 40)
    }

    @Test func `a value nobody wrote is noticed`() throws {
        let write = try #require(written())
        workload.history = History()
        workload.history.record(write, of: 0)
        read()
        #expect(broken == ["authenticity"])
    }

    @Test func `a value whose time is over is noticed`() throws {
        let write = try #require(written())
        let node = world.nodes[4]
        let found = GetOutcome.Found(record: write.record, copies: 1)
        let late = started(wanted: 3, wall: write.record.expiry)
        node.clockError = Int64(write.record.expiry) - Int64(World.epoch)
        workload.check(late, GetOutcome(found: [found], answered: 1, asked: 1))
        #expect(broken == ["expiry"])
    }

    @Test func `a contact that never answered is noticed`() {
        world.nodes[1].answerers = IndexSet()
        world.inspect()
        #expect(broken == ["table"])
    }

    @Test func `a list the engine does not keep to is noticed`() {
        world.nodes[1].policy = world.policy(without: [2])
        world.inspect()
        #expect(broken == ["table"])
        workload.put(0, at: world.nodes[1])
        world.run(for: .seconds(5))
        #expect(broken == ["table", "admission"])
    }

    @Test func `an operation that does not end is noticed`() {
        for node in world.nodes { node.disk.delay = 10_000_000...10_000_000 }
        workload.put(0, at: world.nodes[0])
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

    @Test func `an operation that takes long for no reason but bad faith is noticed`() {
        world.promisesHaste = true
        for node in world.nodes { node.disk.delay = 100_000...100_000 }
        workload.put(0, at: world.nodes[0])
        world.run(for: World.operationPatience)
        #expect(broken == ["patience"])
    }

    @Test func `an honest node that lacks a copy among liars is noticed`() throws {
        world.nodes[1].adversary = .amnesiac
        let write = try #require(written())
        workload.countHonestCopies()
        #expect(broken.isEmpty)
        world.copyLedger.vanished(write.record, at: 2, world.clock)
        workload.countHonestCopies()
        #expect(broken == ["replication"])
    }

    @Test func `a record given to somebody over and over is noticed`() throws {
        world.promisesHaste = true
        let record = try #require(written()).record
        var count = 0
        while count < Gifts.limit {
            count = world.gifts.record(record.digest, from: 0, to: 1)
        }
        #expect(count == Gifts.limit)
        #expect(broken.isEmpty)
        #expect(world.gifts.record(record.digest, from: 0, to: 1) == Gifts.limit + 1)
    }

    @Test func `who says that it stored what its disk never had is noticed`() throws {
        let liar = world.nodes[3]
        world.crash(liar, losesDisk: false)
        liar.adversary = .colluding
        world.start(liar, seeds: [0])
        world.run(for: .seconds(60))
        // It goes on to lie, and is taken to be honest.
        (liar.adversary, liar.disk.isFull) = (nil, true)
        #expect(try #require(written()).replicas.contains(3))
        #expect(broken == ["durability"])
    }

    @Test func `a request that is taken twice is noticed`() throws {
        world.captures = true
        _ = try #require(written())
        let delivery = try #require(world.captured.first)
        let node = world.nodes[Int(delivery.receiver)]
        world.inject(delivery)
        world.run(for: .seconds(1))
        #expect(broken.isEmpty, "the gate drops it")
        node.accepted = []
        for _ in 0..<2 { world.judge(.accepted, isAnswer: false, of: delivery, at: node) }
        #expect(broken == ["replay"])
    }

    @Test func `wrong pieces that are asked for over and over are noticed`() throws {
        let reference = try #require(Content([UInt8](repeating: 1, count: 1000))?.reference)
        let (liar, victim) = (world.nodes[1].identity, world.nodes[2].identity)
        var transaction: UInt64 = 0
        func spoil(times: Int) {
            for _ in 0..<times {
                transaction += 1
                // The second is the same request once more.
                for _ in 0..<2 {
                    world.collusion.recordSpoil(
                        .init(content: reference.digest, part: .piece(0), chunk: 0, by: liar, to: victim),
                        transaction: transaction
                    )
                }
            }
            world.inspect()
        }
        spoil(times: Spoils.limit)
        world.crash(world.nodes[2], losesDisk: false)
        world.start(world.nodes[2])
        spoil(times: Spoils.limit)
        #expect(broken.isEmpty, "it cannot remember")
        spoil(times: 1)
        #expect(broken == ["bounds"])
    }

    @Test func `an honest neighbour that is not known is noticed`() {
        world.inspectHonestNeighbours()
        #expect(broken.isEmpty)
        world.nodes[3].group = 1
        world.run(for: .minutes(1))
        world.crash(world.nodes[3], losesDisk: true)
        world.start(world.nodes[3])
        world.inspectHonestNeighbours()
        #expect(broken == ["table"])
    }
}
