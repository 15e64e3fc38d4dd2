import DHTCore

/// One world from its beginning to its end.
package final class Simulation {
    let options: SimulationOptions
    let world: World
    let workload: Workload
    private(set) var marks: [(hour: Double, label: String)] = []
    private let swarm: SwarmPlan?
    private var faultInjector: FaultInjector?
    private var convergence: Interval?
    /// When the world had come about.
    private var begin = Instant(nanoseconds: 0)
    /// Nodes that are not part of the world at first, or not any more.
    var reserve: [SimulatedNode] = []
    /// How often what the scenario tells of has happened, by name.
    var faults: [String: Int] = [:]
    var chance: SeededRandom
    /// The time for faults is over.
    var isOver = false
    private static let progressSteps: UInt64 = 200

    package init(_ options: SimulationOptions) {
        self.options = options
        chance = SeededRandom(seed: SeededRandom.mix(options.seed ^ 0x5354_4F52))
        let swarm = options.scenario == .swarm ? SwarmPlan(seed: options.seed, sealing: options.sealing) : nil
        self.swarm = swarm
        world = World(swarm?.world ?? Self.plan(of: options))
        let mix = swarm?.mix ?? Self.mix(of: options)
        let length = Self.length(of: options).nanoseconds
        let slice = Interval(nanoseconds: max(length / 60, 1))
        let statistics = ReadStatistics(start: Instant(nanoseconds: 0), sliceLength: slice)
        workload = Workload(world, mix: mix, chance: chance.fork(), statistics: statistics)
        world.promisesHaste = Self.promisesHaste(options)
        // A node named by one member alone is not waited for, not even until one request has failed.
        let isAlone = options.scenario == .haunting && world.plan.traitors.count == 1
        if isAlone { world.patienceOfGets = .seconds(3) }
        // A put can do without as many replicas, and waits for none of them.
        if world.plan.traitors.count < Kademlia.parallelism { world.patienceOfPuts = .seconds(20) }
    }

    /// Takes a line for every event, without its end.
    package var listener: ((String) -> Void)? {
        get { world.trace.listener }
        set { world.trace.listener = newValue }
    }

    /// Lives through all of it. `progress` is told the share done, 0…1, now and then.
    package func run(progress: (Double) -> Void = { _ in }) -> SimulationReport {
        setUp()
        begin = world.clock
        let end = begin + Self.length(of: options)
        workload.statistics = ReadStatistics(start: begin, sliceLength: workload.statistics.sliceLength)
        workload.start()
        unfold(until: end)
        let step = Interval(nanoseconds: max(Self.length(of: options).nanoseconds / Self.progressSteps, 1))
        while world.clock < end {
            world.run(until: min(world.clock + step, end))
            progress(
                min(Double(world.clock.since(begin).nanoseconds) / Double(end.since(begin).nanoseconds), 1)
            )
        }
        workload.stop()
        settle()
        world.end()
        return report
    }

    // MARK: Chapters

    private func setUp() {
        if let swarm {
            for (node, error) in zip(world.nodes, swarm.clockErrors) { node.clockError = error }
            world.largestClockError = swarm.clockErrors.map { abs($0) }.max() ?? 0
        }
        setClocks()
        if options.scenario == .replace {
            reserve = Array(world.nodes.suffix(world.nodes.count / 2))
        } else if options.scenario == .churn || options.churn ?? 0 > 0 {
            reserve = Array(world.nodes.suffix(world.nodes.count / 5))
        }
        if let waiting = world.plan.rostered { reserve = Array(world.nodes.suffix(waiting)) }
        let absent = world.plan.absent.union(reserve.map(\.index))
        world.startAll(without: absent, settle: settleTime)
        if world.plan.isWatched {
            world.inspectRegularly()
            world.forgetSpoilsRegularly()
        }
        putFirstValues()
    }

    private var settleTime: Interval { world.plan.beginning == .settled ? .seconds(1) : .seconds(60) }

    private func putFirstValues() {
        guard swarm == nil else { return }
        for key in 0..<workload.mix.keys {
            workload.put(key, at: workload.someone())
            world.run(for: .milliseconds(100))
        }
        world.run(for: .seconds(30))
    }

    private func unfold(until end: Instant) {
        guard let swarm else { return run(until: end) }
        let faultInjector = FaultInjector(
            world,
            faults: swarm.faults,
            pause: swarm.pause,
            chance: chance.fork()
        )
        faultInjector.start()
        world.office?.start()
        self.faultInjector = faultInjector
        deceive()
    }

    /// All faults end; then everything acknowledged must be there.
    private func settle() {
        isOver = true
        workload.isCounting = false
        world.healAll()
        faultInjector?.stop { [world] in world.office?.isOut($0) ?? false }
        if swarm != nil { world.reconnectComponents() }
        if world.plan.isWatched {
            // Where there are liars by design they keep nodes apart for as long as they are there; and a
            // world that begins at rest is not one that came together.
            if swarm != nil || (world.plan.traitors.isEmpty && world.plan.beginning != .settled) {
                convergence = world.converge(within: SimulationOptions.convergencePatience)
            }
            world.run(for: .seconds(30))
            inspectRosters()
            world.inspect()
            // Where nothing went wrong there is nothing to be made up for.
            if options.scenario != .calm || options.churn ?? 0 > 0 {
                world.run(for: CopyLedger.repairInterval)
                workload.countCopies()
            }
            if options.scenario.badFaith != nil {
                workload.countHonestCopies()
                world.inspectHonestNeighbours()
            }
        }
        workload.readEverything()
        let end = world.clock + World.operationPatience + .seconds(60)
        // Where nobody watches, the last answer is the last thing of interest.
        world.run(until: end) { !world.plan.isWatched && world.isIdle }
        if world.plan.isWatched {
            world.inspect()
            world.inspectDisks()
        }
    }

    /// One more roster ends what went before; then everybody is to hold it.
    private func inspectRosters() {
        guard let office = world.office else { return }
        office.stop()
        world.run(for: .minutes(1))
        world.inspectRosters()
    }

    func mark(_ label: String) {
        let hour = Double(world.clock.since(begin).nanoseconds) / 3.6e12
        marks.append((hour, label))
    }

    // MARK: Plans

    private static func length(of options: SimulationOptions) -> Interval {
        Interval(nanoseconds: UInt64((max(options.hours, 0) * 3600).rounded()) * 1_000_000_000)
    }

    private static func plan(of options: SimulationOptions) -> WorldPlan {
        var plan = WorldPlan(nodes: options.nodes, seed: options.seed, sealing: options.sealing)
        plan.settings.paths = options.paths
        plan.conditions.loss = options.loss ?? options.scenario.loss
        plan.conditions.delay = options.delay ?? plan.conditions.delay
        if options.scenario == .lossy {
            (plan.conditions.duplication, plan.conditions.reordering) = (0.05, 0.1)
            plan.conditions.corruption = 0.01
        }
        if options.nodes >= WorldPlan.largestSealed { plan.beginning = .settled }
        if plan.beginning == .settled { plan.sealing = .standIn }
        if options.nodes > 200_000 {
            plan.settings.bucketCapacities = [Int](repeating: 8, count: 4)
        }
        var chance = SeededRandom(seed: SeededRandom.mix(options.seed ^ 0x484F_5354))
        let hostile = Int(Double(options.nodes) * (options.adversaries ?? options.scenario.adversaries))
        let order = (1..<max(options.nodes, 2)).shuffled(using: &chance)
        let absent = Int(Double(options.nodes) * options.scenario.absent)
        plan.absent = Set(order.dropFirst(hostile).suffix(absent))
        for index in order.prefix(hostile) { plan.traitors[index] = options.scenario.adversary }
        if let families = options.families { plan.families = families.dealt(to: options.nodes, &chance) }
        if options.scenario == .eclipse {
            for index in order.prefix(Kademlia.replicas) {
                plan.traitors[index] = .colluding
                plan.ground[index] = location(of: History.name(of: 0))
            }
        }
        return plan
    }

    /// Whether nothing but bad faith keeps operations from ending soon.
    private static func promisesHaste(_ options: SimulationOptions) -> Bool {
        options.scenario.badFaith != nil && options.loss ?? 0 == 0 && options.churn ?? 0 == 0
            && options.delay == nil
    }

    private static func mix(of options: SimulationOptions) -> Workload.Mix {
        var mix = Workload.Mix()
        mix.keys = options.values ?? min(4 * options.nodes, 500)
        (mix.puts, mix.deletes, mix.conditional, mix.pings) = (5, 0, 0, 0)
        mix.gets = 95
        mix.lifetimes = [7 * 86_400]
        mix.lengths = 8...200
        if options.scenario.badFaith != nil { (mix.long, mix.puts, mix.gets, mix.vain) = (0.25, 20, 80, 0.2) }
        if options.scenario == .spoiling {
            (mix.long, mix.longLengths, mix.puts) = (0.8, 64_001...600_000, 1)
        }
        if options.scenario == .blackout { (mix.puts, mix.gets) = (60, 40) }
        let pause = UInt64(options.hours * 3_600_000) / UInt64(max(options.reads, 1))
        mix.pause = max(pause / 2, 1)...max(pause * 3 / 2, 1)
        return mix
    }

    private var report: SimulationReport {
        let statistics = workload.statistics
        let sliceHours = Double(statistics.sliceLength.nanoseconds) / 3.6e12
        return SimulationReport(
            seed: options.seed,
            nodes: world.nodes.count,
            sealing: world.plan.sealing,
            traceDigest: world.trace.digest,
            reads: statistics.reads,
            readsSucceeded: statistics.succeeded,
            hopsMedian: statistics.hops(atQuantile: 0.5),
            hops99: statistics.hops(atQuantile: 0.99),
            requestsMean: statistics.requestsMean,
            recordsPut: workload.recordsPut,
            recordsLost: workload.recordsLost,
            readsWrong: workload.wrong,
            events: world.trace.events,
            datagrams: world.traffic.datagrams,
            bytes: world.traffic.bytes,
            virtualHours: Double(world.clock.nanoseconds) / 3.6e12,
            convergence: convergence,
            violations: world.violations,
            judgements: world.judgements,
            counters: world.counters,
            ghostsNamed: world.collusion.ghostsNamed,
            chunksSpoilt: world.collusion.spoils.total,
            contentsRead: workload.contentsRead,
            contentsMissed: workload.contentsMissed,
            faults: faults.merging(["lost": Int(world.traffic.lost), "lies": world.collusion.lies]) { $1 },
            slices: statistics.slices.enumerated().map { index, slice in
                .init(
                    hour: (Double(index) + 0.5) * sliceHours,
                    reads: slice.reads,
                    succeeded: slice.succeeded,
                    hopsMean: slice.reads == 0 ? 0 : Double(slice.hops) / Double(slice.reads)
                )
            },
            marks: marks
        )
    }
}
