import DHTCore

/// A small world in which every knob is drawn from the seed: what can go wrong, how often, and all at once.
struct SwarmPlan {
    var world: WorldPlan
    var mix: Workload.Mix
    var faults: [Fault]
    /// Between faults, in milliseconds.
    var pause: ClosedRange<UInt64>
    var clockErrors: [Int64]

    init(seed: UInt64, sealing: WorldPlan.Sealing?) {
        var chance = SeededRandom(seed: SeededRandom.mix(seed ^ 0x5741_524D))
        let count = chance.happens(0.15) ? 12 + chance.index(below: 20) : 3 + chance.index(below: 10)
        world = WorldPlan(nodes: count, seed: seed, sealing: sealing)
        world.conditions = Self.conditions(&chance)
        world.settings.paths = [1, 1, 1, 2, 3, 8][chance.index(below: 6)]
        faults = Fault.allCases.filter { _ in chance.happens(0.45) }
        let shortest = [2_000, 10_000, 60_000][chance.index(below: 3)] as UInt64
        pause = shortest...shortest * 10
        mix = Self.mix(&chance)
        let areClocksWrong = chance.happens(0.5)
        clockErrors = (0..<count).map { _ in
            areClocksWrong ? Int64(chance.index(below: 120_000)) - 60_000 : 0
        }
        if count >= 6, chance.happens(0.2) {
            for index in 1..<count where chance.happens(0.15) {
                let omitted = 1 + chance.index(below: count - 1)
                // A node that does not admit itself reads nothing it wrote, and is promised nothing.
                if omitted != index { world.omissions[index] = [omitted] }
            }
        }
        if count >= 5, chance.happens(0.3) {
            for index in 1...(1 + count / 6) {
                world.traitors[index] = Adversary.allCases[chance.index(below: Adversary.allCases.count)]
            }
        }
        if chance.happens(0.4) { mix.long = 0.1 }
        if chance.happens(0.5) { (mix.haste, mix.aborts) = (0.4, 0.2) }
        if chance.happens(0.3) { mix.keeps = 0.3 }
        // A liar that says it passed a record on hides it from those it was to give it to.
        if count >= 5, world.traitors.isEmpty, world.omissions.isEmpty, chance.happens(0.3) {
            world.families = Self.families(of: count, &chance)
        }
        drawRosters(seed: seed)
    }

    /// Whether there are administrators is drawn apart: worlds without them are as they were.
    private mutating func drawRosters(seed: UInt64) {
        var chance = SeededRandom(seed: SeededRandom.mix(seed ^ 0x524F_5354))
        guard world.nodes >= 6, world.omissions.isEmpty, chance.happens(0.4) else { return }
        world.rostered = chance.index(below: 3)
        faults.removeAll { $0 == .revocation }
    }

    /// Some have IPv4 only, some IPv6 only, and a third has both, the first two among them.
    private static func families(of count: Int, _ chance: inout SeededRandom) -> [Int: Endpoint.Families] {
        var families: [Int: Endpoint.Families] = [0: .all, 1: .all]
        for index in 2..<count { families[index] = [.ipv4, .ipv6, .all][chance.index(below: 3)] }
        return families
    }

    private static func conditions(_ chance: inout SeededRandom) -> NetworkConditions {
        var conditions = NetworkConditions()
        let slow = chance.span(in: 5...250)
        conditions.delay =
            [.uniform(1...slow), .heavyTailed(1 + slow / 8), .plane(slow)][chance.index(below: 3)]
        if chance.happens(0.6) { conditions.loss = Double(chance.index(below: 150)) / 1000 }
        if chance.happens(0.4) { conditions.duplication = Double(chance.index(below: 150)) / 1000 }
        if chance.happens(0.3) { conditions.corruption = Double(chance.index(below: 80)) / 1000 }
        if chance.happens(0.4) { conditions.reordering = Double(chance.index(below: 200)) / 1000 }
        if chance.happens(0.1) { conditions.mtu = 1024 + chance.index(below: 208) }
        return conditions
    }

    private static func mix(_ chance: inout SeededRandom) -> Workload.Mix {
        var mix = Workload.Mix()
        let fast = [500, 5_000, 20_000][chance.index(below: 3)] as UInt64
        mix.pause = fast...fast * 6
        mix.keys = 1 + chance.index(below: 12)
        mix.lifetimes = [[86_400], [86_400, 30], [3_600, 120, 5]][chance.index(below: 3)]
        mix.replicas = [[3], [1, 3, 8], [8]][chance.index(below: 3)]
        mix.sharesKeys = chance.happens(0.4)
        mix.deletes = chance.index(below: 15)
        return mix
    }
}
