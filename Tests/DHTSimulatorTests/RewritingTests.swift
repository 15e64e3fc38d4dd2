import Testing

@testable import DHTCore
@testable import DHTEngine
@testable import DHTEnvelope
@testable import DHTSimulator

/// A client that writes one long key over and over: what was replaced takes nobody's room.
struct RewritingTests {
    @Test func `each of many long values under one key is stored, and others' values besides`() throws {
        var plan = WorldPlan(nodes: 3, seed: 1, sealing: .standIn)
        plan.beginning = .joining(.milliseconds(50))
        plan.conditions.delay = .uniform(1...2)
        plan.isWatched = false
        let world = World(plan)
        defer { world.end() }
        world.startAll(settle: .seconds(20))
        for turn in 0..<10 as Range<UInt8> {
            try put("long", [UInt8](repeating: turn, count: 16_000_000), at: 0, in: world)
            try put("other \(turn)", [UInt8](repeating: turn, count: 2000), at: 1, in: world)
        }
    }

    private func put(_ key: String, _ value: [UInt8], at index: Int, in world: World) throws {
        let content = try #require(Content(value))
        let put = DHTEngine.Operation.Put(key: Array(key.utf8), content: content, lifetime: 7200)
        var outcome: Outcome?
        let start = world.clock
        world.submit(.put(put), at: world.nodes[index]) { outcome = $0 }
        world.run(until: start + .minutes(5)) { outcome != nil }
        guard case .put(_, let result)? = outcome else {
            Issue.record(
                "the put of \(key) did not end well: \(outcome.map { "\($0)".prefix(100) } ?? "never")"
            )
            return
        }
        #expect(result.stored == 3, "\(key): \(result.replicas.map(\.verdict))")
    }
}
