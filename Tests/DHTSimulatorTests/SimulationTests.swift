import Testing

@testable import DHTCore
@testable import DHTSimulator

/// Whole worlds, from the first node's start to the last read.
struct SimulationTests {
    private func options(_ scenario: Scenario, nodes: Int = 8, seed: UInt64 = 1) -> SimulationOptions {
        var options = SimulationOptions(scenario: scenario, nodes: nodes, hours: 0.02, seed: seed)
        options.sealing = .standIn
        options.reads = 20
        options.values = 5
        return options
    }

    /// What must have happened in a world of each scenario, and how often.
    private static func fault(of scenario: Scenario) -> (name: String, count: Int)? {
        switch scenario {
        case .calm, .swarm, .promising, .haunting: nil
        case .vanish: ("vanished", 3)
        case .churn: ("replaced", 3)
        case .replace: ("left", 3)
        case .lossy: ("lost", 100)
        case .partition: ("parted", 1)
        case .roaming: ("moved", 10)
        case .restart: ("restarted", 10)
        case .blackout: ("blackout", 3)
        case .clocks: ("clock", 10)
        case .disks: ("disk", 10)
        case .revocation: ("expelled", 2)
        case .hostile, .eclipse, .wanting, .dawdling, .spoiling: ("lies", 3)
        case .flood: ("flood", 100)
        case .amnesiac: ("forgot", 2)
        }
    }

    @Test(arguments: Scenario.allCases)
    func `no scenario breaks a promise, and what it tells of happens`(scenario: Scenario) {
        var options = options(scenario, nodes: 10)
        options.hours = 0.05
        if scenario == .churn { options.churn = 10 }
        if scenario == .flood { options.adversaries = 0.1 }
        let report = Simulation(options).run()
        #expect(report.violations.isEmpty, "dht simulate --scenario \(scenario.rawValue) --nodes 10 --seed 1")
        #expect(report.readsWrong == 0)
        if let fault = Self.fault(of: scenario) {
            #expect(report.faults[fault.name, default: 0] >= fault.count, "\(report.faults)")
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `a swarm of small worlds keeps all promises`(seed: UInt64) {
        let report = Simulation(options(.swarm, seed: seed)).run()
        #expect(report.violations.isEmpty, "dht simulate --scenario swarm --hours 0.02 --seed \(seed)")
    }

    @Test(arguments: [6_100_136, 7_001_857, 8_000_661, 9_001_760, 11_001_083] as [UInt64])
    func `worlds that lacked copies once lack none any more`(seed: UInt64) {
        var options = options(.swarm, seed: seed)
        options.hours = 0.25
        let report = Simulation(options).run()
        #expect(report.violations.isEmpty, "dht simulate --scenario swarm --hours 0.25 --seed \(seed)")
    }

    /// A call that waited for another one to the same peer was answered itself, late, with *wanted*.
    @Test func `a world that ended a node by a late answer goes on`() {
        var options = options(.swarm, seed: 50_000_003)
        options.hours = 0.25
        #expect(Simulation(options).run().violations.isEmpty)
    }

    /// It went on with what an earlier one had left, requests included that nobody counted any more: the only
    /// member that had the content was never asked again.
    @Test func `a world in which a reading never ended ends it`() {
        var options = options(.swarm, seed: 95_000_371)
        options.hours = 0.25
        let report = Simulation(options).run()
        #expect(report.violations.isEmpty)
        #expect(report.contentsRead > 0)
    }

    @Test func `worlds whose datagrams are really sealed keep all promises`() {
        var options = options(.lossy, nodes: 5)
        options.sealing = .real
        let report = Simulation(options).run()
        #expect(report.violations.isEmpty)
        #expect(report.sealing == .real)
        #expect(report.reads > 0)
    }

    @Test func `one seed is one run, another is another`() {
        let first = Simulation(options(.swarm, seed: 5)).run()
        let again = Simulation(options(.swarm, seed: 5)).run()
        let other = Simulation(options(.swarm, seed: 6)).run()
        #expect(first.traceDigest == again.traceDigest)
        #expect(first.events == again.events)
        #expect(first.traceDigest != other.traceDigest)
    }

    @Test func `where everybody is there and nothing is lost nobody is taken to be gone`() {
        var options = options(.calm)
        let calm = Simulation(options).run().judgements
        #expect(calm.requests > 100)
        #expect((calm.questionable, calm.bad) == (0, 0))
        options.loss = 0.3
        options.delay = .uniform(50...150)
        #expect(Simulation(options).run().judgements.questionable > 0)
    }

    @Test func `a world that begins at rest needs no joining`() {
        var options = options(.calm, nodes: 1000)
        options.reads = 20
        let report = Simulation(options).run()
        #expect(report.readsSucceeded == report.reads)
        #expect((1...4).contains(report.hopsMedian))
    }
}
