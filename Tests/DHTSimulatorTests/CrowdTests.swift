import Testing

@testable import DHTCore
@testable import DHTEngine
@testable import DHTSimulator

/// How many datagrams it takes 128 nodes to find each other, and then to put and to read.
struct CrowdTests {
    private static let count = 128
    private static let operations = 40

    /// What one node sent, by what it was.
    private final class Tap {
        private let prefix: String
        private(set) var sent: [String] = []

        init(_ node: SimulatedNode) { prefix = "n\(node.index) > " }

        func hear(_ line: String) {
            guard let text = line.split(separator: " ", maxSplits: 1).last, text.hasPrefix(prefix),
                let kind = text.split(separator: " bytes ").last
            else { return }
            sent.append(String(kind.prefix { $0 != ":" }))
        }
    }

    private func perform(_ operation: DHTEngine.Operation, at node: SimulatedNode, in world: World)
        -> Outcome?
    {
        var outcome: Outcome?
        world.submit(operation, at: node) { outcome = $0 }
        world.run(until: world.clock + .seconds(10)) { outcome != nil }
        return outcome
    }

    private func put(_ key: String, at node: SimulatedNode, in world: World) -> PutOutcome? {
        let put = DHTEngine.Operation.Put(key: Array(key.utf8), value: [1, 2, 3], lifetime: 7200)
        guard case .put(_, let outcome)? = perform(.put(put), at: node, in: world) else { return nil }
        return outcome
    }

    /// What each operation makes all nodes send on average, and what comes of it later.
    private func datagrams(in world: World, _ operate: (Int) -> Void) -> Double {
        let before = world.traffic.datagrams
        for number in 0..<Self.operations { operate(number) }
        world.run(for: .milliseconds(500))
        return Double(world.traffic.datagrams - before) / Double(Self.operations)
    }

    /// `pause`: milliseconds between two starts.
    @Test(arguments: [0, 50] as [UInt64])
    func `a crowd is settled at once, and spends little then and after an hour without a word`(
        pause: UInt64
    ) {
        var plan = WorldPlan(nodes: Self.count, seed: 1, sealing: .standIn)
        plan.beginning = .joining(.milliseconds(pause))
        plan.conditions.delay = .uniform(5...10)
        plan.isWatched = false
        let world = World(plan)
        defer { world.end() }
        world.startAll(settle: .seconds(45))
        let joining = Double(world.traffic.datagrams) / Double(Self.count)
        // That all know each other takes two exchanges a pair, which is 254 each; and of the neighbours that
        // were quiet since, one is asked.
        #expect(joining <= 263, "\(joining) datagrams a node")
        let known = world.nodes.reduce(0) { $0 + ($1.machine?.core.table.count ?? 0) }
        #expect(known >= 124 * Self.count, "\(known) contacts")

        let nodes = world.nodes
        let puts = datagrams(in: world) { number in
            #expect(put("\(number)", at: nodes[number * 5 % Self.count], in: world)?.stored ?? 0 >= 8)
        }
        #expect(puts <= 18, "\(puts) datagrams a put")
        let gets = datagrams(in: world) { number in
            let key = Array("\(number)".utf8)
            let get = DHTEngine.Operation.get(key: key, author: nil, replicas: 3, isExhaustive: false)
            let outcome = perform(get, at: nodes[(number * 5 + 63) % Self.count], in: world)
            if case .got(let found)? = outcome { #expect(!found.found.isEmpty) } else { Issue.record() }
        }
        #expect(gets <= 7, "\(gets) datagrams a get")

        // In the end, and so on the way, both worlds are the same.
        guard pause == 0 else { return }
        world.run(for: .minutes(60))
        for putter in [nodes[0], nodes[41], nodes[127]] {
            let tap = Tap(putter)
            world.trace.listener = { tap.hear($0) }
            let outcome = put("late \(putter.index)", at: putter, in: world)
            world.trace.listener = nil
            #expect(outcome?.stored == 8)
            let others = outcome?.replicas.count { $0.identity != putter.identity } ?? 0
            #expect(tap.sent == [String](repeating: "store request", count: others))
        }
    }
}
