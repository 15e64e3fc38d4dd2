import DHTCore
import DHTEnvelope

/// Something that goes wrong in a world, or is mended.
enum Fault: String, CaseIterable, Hashable {
    case crash, diskLoss, departure, partition, oneWay, clog, storm
    case slowDisk, fullDisk, failingDisk
    case clockJump, addressChange, revocation, replay
}

/// Makes things go wrong, and right again, as chance has it.
final class FaultInjector {
    private let world: World
    private let faults: [Fault]
    private var chance: SeededRandom
    private var isActive = false
    private let pause: ClosedRange<UInt64>
    private var revoked: Set<Int> = []

    /// `pause`: between one fault and the next, in milliseconds.
    init(_ world: World, faults: [Fault], pause: ClosedRange<UInt64>, chance: SeededRandom) {
        (self.world, self.faults, self.pause, self.chance) = (world, faults, pause, chance)
        world.captures = faults.contains(.replay)
    }

    func start() {
        isActive = true
        next()
    }

    private func next() {
        guard !faults.isEmpty else { return }
        world.after(.milliseconds(chance.span(in: pause))) { [self] in
            guard isActive else { return }
            strike(faults[chance.index(below: faults.count)])
            next()
        }
    }

    /// Nothing more goes wrong, and the dead are started. ``World/healAll()`` has mended the rest.
    /// `isOut`: nobody is to start the node, for it was not admitted yet.
    func stop(without isOut: (SimulatedNode) -> Bool) {
        isActive = false
        for node in world.nodes where !node.isUp && !node.isRevoked && !isOut(node) { restart(node) }
    }

    // MARK: The faults

    private func strike(_ fault: Fault) {
        guard let node = victim() else { return }
        let length = Interval.milliseconds(chance.span(in: 1_000...300_000))
        world.trace.tell(world.clock) { "fault \(fault.rawValue) at n\(node.index)" }
        switch fault {
        case .crash, .diskLoss: crash(node, losesDisk: fault == .diskLoss, for: length)
        case .departure: depart(node, for: length)
        case .partition: part(for: length)
        case .oneWay: block(node, for: length)
        case .clog: node.cloggedUntil = world.clock + .milliseconds(chance.span(in: 100...20_000))
        case .storm: storm(for: length)
        case .slowDisk: node.disk.delay = 0...chance.span(in: 1...800)
        case .fullDisk: node.disk.isFull.toggle()
        case .failingDisk: node.disk.failure = node.disk.failure > 0 ? 0 : 0.4
        case .clockJump: jump(node)
        case .addressChange: node.port += 1
        case .revocation: revoke(node)
        case .replay:
            for _ in 0..<(1 + chance.index(below: 20)) { world.replayCaptured(using: &chance) }
        }
    }

    /// A node that runs; most keep running, so that there is a network at all.
    private func victim() -> SimulatedNode? {
        let running = world.nodes.filter { $0.isUp && !$0.isRevoked }
        return running.isEmpty ? nil : running[chance.index(below: running.count)]
    }

    /// Whether one more may go down.
    private var canSpare: Bool {
        let members = world.nodes.count { !$0.isRevoked }
        return world.nodes.count { $0.isUp && !$0.isRevoked } > members / 2 + 1
    }

    private func crash(_ node: SimulatedNode, losesDisk: Bool, for length: Interval) {
        guard canSpare else { return }
        world.crash(node, losesDisk: losesDisk)
        world.after(length) { [self] in
            if !node.isUp, !node.isRevoked { restart(node) }
        }
    }

    private func depart(_ node: SimulatedNode, for length: Interval) {
        guard canSpare else { return }
        world.leave(node) { [self] in
            world.after(length) { [self] in
                if !node.isUp, !node.isRevoked { restart(node) }
            }
        }
    }

    /// One of the two it is told to contact first is honest: whoever names liars alone meets nobody else, by
    /// whatever protocol.
    private func restart(_ node: SimulatedNode) {
        if chance.happens(0.3) { node.port += 1 }
        let others = world.nodes.filter { $0.isUp && !$0.isRevoked && world.areAcquaintable($0, node) }
        let candidates = [others.filter(\.isHonest), others]
        let seeds = candidates.compactMap { $0.randomElement(using: &chance)?.index }
        world.start(node, seeds: Array(Set(seeds)).sorted())
    }

    private func part(for length: Interval) {
        for node in world.nodes where chance.happens(0.4) { node.group = 1 }
        world.after(length) { [self] in
            for node in world.nodes { node.group = 0 }
        }
    }

    private func block(_ node: SimulatedNode, for length: Interval) {
        let other = chance.index(below: world.nodes.count)
        world.blocked.insert([Int32(node.index), Int32(other)])
        world.after(length) { [self] in world.blocked.remove([Int32(node.index), Int32(other)]) }
    }

    private func storm(for length: Interval) {
        let calm = world.conditions
        world.conditions.loss = 0.1 + Double(chance.index(below: 60)) / 100
        world.after(length) { [self] in
            if isActive { world.conditions.loss = calm.loss }
        }
    }

    private func jump(_ node: SimulatedNode) {
        node.clockError += Int64(chance.index(below: 600_000)) - 300_000
        node.clockError = min(max(node.clockError, -900_000), 900_000)
        world.largestClockError = max(world.largestClockError, abs(node.clockError))
    }

    /// Everybody takes the node off its list, each at a moment of its own.
    private func revoke(_ node: SimulatedNode) {
        guard revoked.count < 2, world.nodes.count - revoked.count > 5, node.index != 0 else { return }
        revoked.insert(node.index)
        world.recordCopies(of: node, isThere: false)
        node.isRevoked = true
        world.trace.tell(world.clock) { "n\(node.index) is revoked" }
        for other in world.nodes where other !== node {
            world.after(.milliseconds(chance.span(in: 0...60_000))) { [self] in
                let omitted = world.plan.omissions[other.index, default: []].union(revoked)
                world.admit(world.policy(without: omitted), at: other)
            }
        }
    }
}
