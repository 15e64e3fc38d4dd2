import DHTCore

/// A small world in which every knob is drawn from the seed: what can go wrong, how often, and all at once.
struct SwarmPlan {
    var world: WorldPlan
    var mix: Clients.Mix
    var faults: [Fault]
    /// Between faults, in milliseconds.
    var pause: ClosedRange<UInt64>
    var clockErrors: [Int64]

    init(seed: UInt64, sealing: WorldPlan.Sealing?) {
        var chance = Chance(seed: Chance.mix(seed ^ 0x5741_524D))
        let count = chance.happens(0.15) ? 12 + chance.index(below: 20) : 3 + chance.index(below: 10)
        world = WorldPlan(nodes: count, seed: seed, sealing: sealing)
        world.weather = Self.weather(&chance)
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
                // Who does not admit itself reads nothing it wrote, and is promised nothing.
                if omitted != index { world.omissions[index] = [omitted] }
            }
        }
        if count >= 5, chance.happens(0.3) {
            for index in 1...(1 + count / 6) {
                world.traitors[index] = Treachery.allCases[chance.index(below: Treachery.allCases.count)]
            }
        }
        if chance.happens(0.4) { mix.long = 0.1 }
    }

    private static func weather(_ chance: inout Chance) -> Weather {
        var weather = Weather()
        let slow = chance.span(in: 5...250)
        weather.delay =
            [.uniform(1...slow), .heavyTailed(1 + slow / 8), .plane(slow)][chance.index(below: 3)]
        if chance.happens(0.6) { weather.loss = Double(chance.index(below: 150)) / 1000 }
        if chance.happens(0.4) { weather.duplication = Double(chance.index(below: 150)) / 1000 }
        if chance.happens(0.3) { weather.corruption = Double(chance.index(below: 80)) / 1000 }
        if chance.happens(0.4) { weather.reordering = Double(chance.index(below: 200)) / 1000 }
        if chance.happens(0.1) { weather.mtu = 1024 + chance.index(below: 208) }
        return weather
    }

    private static func mix(_ chance: inout Chance) -> Clients.Mix {
        var mix = Clients.Mix()
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
