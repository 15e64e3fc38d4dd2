import DHTCore
import DHTCrypto
import DHTEnvelope

// The named scenarios: what happens when, between the first put and the last read.

extension Simulation {
    /// SHA-1 of a key.
    static func location(of key: [UInt8]) -> NodeID { sha1(key) }

    /// Sets clocks before anybody starts.
    func setClocks() {
        guard options.scenario == .clocks else { return }
        for node in world.nodes { node.clockError = Int64(chance.index(below: 240_000)) - 120_000 }
        world.largestClockError = 120_000
    }

    /// Lets a named scenario take its course.
    func run(until end: Instant) {
        let length = end.since(world.clock)
        switch options.scenario {
        case .calm, .lossy, .hostile, .eclipse, .wanting, .dawdling, .haunting, .swarm: break
        case .vanish: world.after(length / 4) { [self] in vanish() }
        case .partition: part(after: length / 4, for: length / 10)
        case .churn: break
        case .roaming: repeatedly(every: length / 100) { [self] in moveOne() }
        case .replace: replaceAll(within: length)
        case .restart: world.after(length / 4) { [self] in restartAll() }
        case .blackout: for turn in 1...3 { blackOut(after: length * UInt64(turn) / 4) }
        case .clocks: repeatedly(every: length / 50) { [self] in jumpSomeClock() }
        case .disks: repeatedly(every: length / 50) { [self] in troubleSomeDisk() }
        case .revocation: for turn in 1...3 { world.after(length * UInt64(turn) / 4) { [self] in expel() } }
        case .promising: deceive()
        case .spoiling: repeatedly(every: length / 10) { [self] in wipeOne() }
        case .amnesiac: repeatedly(every: .seconds(30)) { [self] in restartForgetful() }
        case .flood: repeatedly(every: .milliseconds(200)) { [self] in flood() }
        }
        if let churn = options.churn ?? (options.scenario.churn > 0 ? options.scenario.churn : nil), churn > 0
        {
            let members = Double(world.nodes.count - reserve.count)
            // Beyond a hundred years it does not happen at all.
            let pause = Interval(nanoseconds: UInt64(min(3.6e12 / max(members * churn, 1e-9), 3e18)))
            repeatedly(every: pause) { [self] in replaceOne() }
        }
    }

    private func repeatedly(every pause: Interval, _ body: @escaping () -> Void) {
        world.after(Interval(nanoseconds: max(pause.nanoseconds, 1_000_000))) { [self] in
            guard !isOver else { return }
            body()
            repeatedly(every: pause, body)
        }
    }

    private func someRunning() -> SimulatedNode? {
        world.nodes.filter { $0.isUp && $0.isHonest }.randomElement(using: &chance)
    }

    // MARK: The events

    private func happened(_ fault: String) { faults[fault, default: 0] += 1 }

    private func moveOne() {
        guard let node = someRunning() else { return }
        happened("moved")
        node.port += 1
    }

    private func vanish() {
        let running = world.nodes.filter(\.isUp).shuffled(using: &chance)
        let share = options.vanishing ?? options.scenario.vanishing
        for node in running.prefix(Int((Double(running.count) * share).rounded())) {
            happened("vanished")
            world.crash(node, losesDisk: true)
        }
        mark("\(Int((share * 100).rounded())) % vanish")
    }

    private func part(after pause: Interval, for length: Interval) {
        world.after(pause) { [self] in
            for node in world.nodes where chance.happens(0.5) { node.group = 1 }
            happened("parted")
            mark("parted")
        }
        world.after(pause + length) { [self] in
            for node in world.nodes { node.group = 0 }
            mark("healed")
        }
    }

    private func restartAll() {
        mark("restart")
        for node in world.nodes where node.isUp {
            world.after(.milliseconds(chance.span(in: 0...60_000))) { [self] in
                happened("restarted")
                world.crash(node, losesDisk: false)
                world.after(.seconds(5)) { [self] in
                    world.start(node, seeds: [0, chance.index(below: world.nodes.count)])
                }
            }
        }
    }

    /// Nobody is left to tell what was not on a disk by then.
    private func blackOut(after pause: Interval) {
        for node in world.nodes { node.disk.delay = 0...2_000 }
        world.after(pause) { [self] in
            happened("blackout")
            mark("blackout")
            for node in world.nodes where node.isUp { world.crash(node, losesDisk: false) }
            world.after(.seconds(5)) { [self] in
                for node in world.nodes {
                    world.start(node, seeds: [0, chance.index(below: world.nodes.count)])
                }
            }
        }
    }

    /// One that keeps its place, and has to be given everything again, by whoever is there.
    private func wipeOne() {
        guard let node = someRunning() else { return }
        happened("wiped")
        world.crash(node, losesDisk: true)
        world.after(.seconds(10)) { [self] in
            if !node.isUp, let seed = someRunning() { world.start(node, seeds: [seed.index]) }
        }
    }

    private func jumpSomeClock() {
        guard let node = someRunning() else { return }
        happened("clock")
        node.clockError = Int64(chance.index(below: 240_000)) - 120_000
    }

    private func troubleSomeDisk() {
        guard let node = someRunning() else { return }
        happened("disk")
        switch chance.index(below: 4) {
        case 0: node.disk.delay = 0...chance.span(in: 1...500)
        case 1: node.disk.isFull.toggle()
        case 2: node.disk.failure = node.disk.failure > 0 ? 0 : 0.3
        default: (node.disk.delay, node.disk.isFull, node.disk.failure) = (0...0, false, 0)
        }
    }

    private func expel() {
        guard let node = someRunning(), node.index != 0 else { return }
        happened("expelled")
        world.recordCopies(of: node, isThere: false)
        node.isRevoked = true
        let expelled = Set(world.nodes.filter(\.isRevoked).map(\.index))
        let policy = world.policy(without: expelled)
        for other in world.nodes where other !== node {
            world.after(.milliseconds(chance.span(in: 0...30_000))) { [self] in
                world.admit(policy, at: other)
            }
        }
        mark("n\(node.index) expelled")
    }

    /// Those who promise content do so over and over.
    func deceive() {
        let liars = world.nodes.filter { $0.adversary == .promising }
        guard !liars.isEmpty else { return }
        // As many at once as anybody takes on for one member.
        let (pause, count) = options.scenario == .swarm ? (Interval.seconds(20), 1) : (.seconds(17), 4)
        repeatedly(every: pause) { [self] in
            for liar in liars where liar.isUp { for _ in 0..<count { workload.promise(from: liar) } }
        }
    }

    /// A node that forgets everything shows a new process as well, which says so.
    private func restartForgetful() {
        for node in world.nodes where node.adversary == .amnesiac && node.isUp {
            happened("forgot")
            world.crash(node, losesDisk: true)
            guard let seed = someRunning() else { return }
            world.start(node, seeds: [seed.index])
        }
    }

    private func flood() {
        for node in world.nodes where node.adversary == .flooding && node.isUp {
            happened("flood")
            workload.flood(from: node)
        }
    }

    /// One after the other a new machine joins, and a minute later an old one hands over and leaves for good.
    private func replaceAll(within length: Interval) {
        let leavers = world.nodes.filter(\.isUp)
        let pause = length / UInt64(max(leavers.count, 1))
        for (turn, leaver) in leavers.enumerated() {
            world.after(pause * UInt64(turn)) { [self] in
                guard !reserve.isEmpty, let seed = someRunning() else { return }
                world.start(reserve.removeFirst(), seeds: [seed.index])
                world.after(min(.minutes(1), pause / 2)) { [self] in
                    guard leaver.isUp else { return }
                    happened("left")
                    world.leave(leaver) { [self] in world.loseDisk(of: leaver) }
                }
            }
        }
    }

    /// One node is gone for good with its disk; an empty one takes its place.
    private func replaceOne() {
        guard let leaver = someRunning(), leaver.index != 0, !reserve.isEmpty else { return }
        happened("replaced")
        let newcomer = reserve.removeFirst()
        world.crash(leaver, losesDisk: true)
        reserve.append(leaver)
        guard let seed = someRunning() else { return }
        world.start(newcomer, seeds: [seed.index])
    }
}
