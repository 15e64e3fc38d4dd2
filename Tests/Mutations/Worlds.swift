import DHTSimulator
import Glibc

// The program of the package that `mutate.py` makes: worlds as `dht simulate` makes them, without all the
// rest of `dht`, which takes longer to build. One line for each broken promise: seed, checker, what.

/// Takes `--name value` pairs, each of which it must know.
func options(_ arguments: [String]) -> (SimulationOptions, worlds: UInt64)? {
    var options = SimulationOptions(scenario: .calm, nodes: 50, hours: 1, seed: 1)
    var worlds: UInt64 = 1
    for place in stride(from: 0, to: arguments.count - 1, by: 2) {
        let value = arguments[place + 1]
        switch (arguments[place], Double(value), Int(value)) {
        case ("--scenario", _, _):
            guard let scenario = Scenario(rawValue: value) else { return nil }
            options.scenario = scenario
        case ("--sealing", _, _): options.sealing = WorldPlan.Sealing(rawValue: value)
        case ("--hours", let hours?, _): options.hours = hours
        case ("--loss", let share?, _): options.loss = share
        case ("--churn", let share?, _): options.churn = share
        case ("--adversaries", let share?, _): options.adversaries = share
        case ("--vanish", let share?, _): options.vanishing = share
        case ("--nodes", _, let count?): options.nodes = count
        case ("--seed", _, let seed?): options.seed = UInt64(seed)
        case ("--seeds", _, let count?): worlds = UInt64(count)
        case ("--paths", _, let count?): options.paths = count
        case ("--values", _, let count?): options.values = count
        case ("--reads", _, let count?): options.reads = count
        default: return nil
        }
    }
    return arguments.count % 2 == 0 ? (options, worlds) : nil
}

guard var (world, worlds) = options(Array(CommandLine.arguments.dropFirst())) else {
    print("options of dht simulate are wanted, not \(CommandLine.arguments.dropFirst())")
    exit(2)
}
for seed in world.seed..<world.seed + worlds {
    world.seed = seed
    let report = Simulation(world).run()
    for violation in report.violations { print("\(seed) \(violation.checker) \(violation.text)") }
    print("\(seed) ended")
    fflush(nil)
}
