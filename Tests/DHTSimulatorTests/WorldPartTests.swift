import Testing

@testable import DHTCore
@testable import DHTSimulator

/// The parts of a world, one by one.
struct WorldPartTests {
    @Test func `events come in order of time, then of entering`() {
        var queue = EventQueue<Int>()
        let moments: [UInt64] = [5, 1, 5, 3, 1]
        for (number, moment) in moments.enumerated() {
            queue.insert(number, at: Instant(nanoseconds: moment))
        }
        var order: [Int] = []
        while let next = queue.popFirst() { order.append(next.event) }
        #expect(order == [1, 4, 3, 0, 2])
    }

    @Test func `chance is what was said`() {
        var chance = SeededRandom(seed: 1)
        let hits = (0..<10_000).count { _ in chance.happens(0.3) }
        #expect((2800...3200).contains(hits))
        #expect((0..<100).allSatisfy { _ in !chance.happens(0) })
        #expect((0..<100).allSatisfy { _ in chance.happens(1) })
    }

    @Test func `on a plane the way from one node to another is about as long as the way back`() {
        var conditions = NetworkConditions()
        conditions.delay = .plane(100)
        var chance = SeededRandom(seed: 2)
        for other in 1..<50 {
            let there = conditions.delay(from: 0, to: other, using: &chance).nanoseconds / 1000
            let back = conditions.delay(from: other, to: 0, using: &chance).nanoseconds / 1000
            #expect(max(there, back) - min(there, back) <= 2500)
        }
    }

    @Test func `tables of a world at rest hold those who belong there, and all of them where there is room`()
    {
        var plan = WorldPlan(nodes: 150, seed: 4, sealing: .standIn)
        plan.beginning = .settled
        let world = World(plan)
        for node in world.nodes.prefix(10) {
            let table = world.tables[node.index]
            for (bucket, count) in table.bounds {
                let belonging = world.nodes.count { table.bucket(of: $0.id) == bucket }
                let capacity = bucket < 4 ? RoutingTable.standardCapacities[bucket] : Kademlia.replicas
                #expect(count == min(belonging, capacity))
            }
            #expect(table.entry(for: node.id) == nil)
        }
    }

    @Test func `hops are counted by quantile`() {
        var statistics = ReadStatistics(start: Instant(nanoseconds: 0), sliceLength: .seconds(1))
        for hops in [1, 1, 1, 2, 5] {
            statistics.record(
                at: Instant(nanoseconds: 0),
                succeeded: hops < 5,
                hops: hops,
                requests: hops * 2
            )
        }
        #expect((statistics.hops(atQuantile: 0.5), statistics.hops(atQuantile: 0.99)) == (1, 5))
        #expect((statistics.reads, statistics.succeeded) == (5, 4))
        #expect(statistics.requestsMean == 4)
    }
}
