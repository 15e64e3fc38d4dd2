import ArgumentParser
import DHTGateway
import DHTSimulator

/// The parts of a world's plan as options of the command line.
struct WorldOptions: ParsableArguments {
    static let defaultNodes = 50
    static let defaultHours = 1.0
    static let nodeCounts = 1...1_000_000
    static let valueCounts = 1...100_000
    static let readCounts = 1...100_000_000
    static let worldCounts = 1...1_000_000
    /// Beside none at all.
    static let shares = 0.000_001...1
    /// From a second to a year.
    static let hourLengths = 1.0 / 3600...8760

    @Option(
        help: ArgumentHelp(
            "What goes wrong, by a name from the list above. Default calm.",
            valueName: "name"
        ),
        completion: .list(Scenario.allCases.map(\.rawValue))
    )
    var scenario: String?

    @Option(help: ArgumentHelp("How many nodes: 1 to 1,000,000. Default 50.", valueName: "number"))
    var nodes: Int?

    @Option(
        help: ArgumentHelp(
            "Virtual hours, or a duration: 90m, 2d. At most 8760. Default 1.",
            valueName: "hours"
        )
    )
    var hours: String?

    @Option(
        help: ArgumentHelp("The same seed gives the same run. Default: a fresh one.", valueName: "number")
    )
    var seed: UInt64?

    @Option(help: ArgumentHelp("The share of datagrams that is lost: 0.1 or 10%.", valueName: "share"))
    var loss: String?

    @Option(help: ArgumentHelp("The share of nodes replaced by empty ones in an hour.", valueName: "share"))
    var churn: String?

    @Option(help: ArgumentHelp("The share of members that is hostile.", valueName: "share"))
    var adversaries: String?

    @Option(
        help: ArgumentHelp("The share of nodes that vanishes; for the scenario vanish.", valueName: "share")
    )
    var vanish: String?

    @Option(help: ArgumentHelp("Disjoint paths of each lookup: 1 to 8. Default 1.", valueName: "number"))
    var paths: Int?

    @Option(
        help: ArgumentHelp(
            "How many nodes have IPv4 only, IPv6 only and both, in proportion: 7,7,1.",
            valueName: "shares"
        )
    )
    var families: String?

    @Option(
        help: ArgumentHelp("Values put at the start. Default 4 a node, 500 at most.", valueName: "number")
    )
    var values: Int?

    @Option(help: ArgumentHelp("How much is read, about. Default 2000.", valueName: "number"))
    var reads: Int?

    @Option(
        help: ArgumentHelp(
            "real: every datagram is signed and encrypted; stand-in: none, which is far faster. "
                + "Default real below 1000 nodes.",
            valueName: "kind"
        ),
        completion: .list(WorldPlan.Sealing.allCases.map(\.rawValue))
    )
    var sealing: String?

    @Option(
        help: ArgumentHelp("Run as many worlds, of this seed, the next, and so on.", valueName: "number")
    )
    var seeds: Int?

    /// All options, checked. `seed`: of the first world.
    func checked(seed: UInt64) throws(Failure) -> SimulationOptions {
        let scenario = try checkedScenario()
        try refuseIdle(in: scenario)
        try check(nodes, within: Self.nodeCounts, for: "--nodes")
        try check(paths, within: ValueLimits.paths, for: "--paths")
        try check(values, within: Self.valueCounts, for: "--values")
        try check(reads, within: Self.readCounts, for: "--reads")
        try check(seeds, within: Self.worldCounts, for: "--seeds")
        guard seed <= UInt64.max - UInt64(worlds - 1) else {
            throw Failure(.invalidArgument, "--seeds: no \(worlds) seeds follow \(seed)")
        }
        var options = SimulationOptions(
            scenario: scenario,
            nodes: nodes ?? Self.defaultNodes,
            hours: try checkedHours(),
            seed: seed
        )
        options.loss = try share(loss, for: "--loss")
        options.churn = try share(churn, for: "--churn")
        options.adversaries = try share(adversaries, for: "--adversaries")
        options.vanishing = try share(vanish, for: "--vanish")
        options.paths = paths ?? options.paths
        options.values = values
        options.families = try checkedFamilies()
        options.reads = reads ?? options.reads
        options.sealing = try checkedSealing(nodes: options.nodes)
        return options
    }

    /// How many worlds to run.
    var worlds: Int { seeds ?? 1 }

    /// Options that were given beside scenario, nodes, hours and seed: `--loss 0.1 --paths 2`.
    func changes(_ options: SimulationOptions) -> [String] {
        var words: [String] = []
        let shares = [
            ("--loss", options.loss), ("--churn", options.churn), ("--adversaries", options.adversaries),
            ("--vanish", options.vanishing),
        ]
        for (name, share) in shares { if let share { words += [name, "\(share)"] } }
        for (name, count) in [("--paths", paths), ("--values", values), ("--reads", reads)] {
            if let count { words += [name, "\(count)"] }
        }
        if let families { words += ["--families", families] }
        return words
    }

    /// The command that runs the world of these options again, or with `worlds` more than 1 so many of them.
    func replay(_ options: SimulationOptions, worlds: Int = 1) -> String {
        var words = ["dht", "simulate"]
        if options.scenario != .calm { words += ["--scenario", options.scenario.rawValue] }
        if let nodes { words += ["--nodes", "\(nodes)"] }
        if let hours { words += ["--hours", hours] }
        words += changes(options)
        if let sealing = options.sealing { words += ["--sealing", sealing.rawValue] }
        words += ["--seed", "\(options.seed)"]
        if worlds > 1 { words += ["--seeds", "\(worlds)"] }
        return words.map(shellQuoted).joined(separator: " ")
    }

    // MARK: Checks

    private func checkedScenario() throws(Failure) -> Scenario {
        guard let name = scenario else { return .calm }
        guard let scenario = Scenario(rawValue: name) else {
            throw Failure(
                .invalidArgument,
                "--scenario: \"\(name)\" is no scenario"
                    + Suggestion.hint(for: name, among: Scenario.allCases.map(\.rawValue))
                    + ". All of them: dht help simulate"
            )
        }
        return scenario
    }

    /// An option that would do nothing is a mistake.
    private func refuseIdle(in scenario: Scenario) throws(Failure) {
        guard scenario == .swarm else {
            guard vanish == nil || scenario == .vanish else {
                throw Failure(.invalidArgument, "--vanish goes with --scenario vanish only")
            }
            return
        }
        let drawn = [
            ("--nodes", nodes != nil), ("--loss", loss != nil), ("--churn", churn != nil),
            ("--adversaries", adversaries != nil), ("--vanish", vanish != nil), ("--paths", paths != nil),
            ("--values", values != nil), ("--reads", reads != nil), ("--families", families != nil),
        ]
        if let (name, _) = drawn.first(where: \.1) {
            throw Failure(
                .invalidArgument,
                "\(name) does not go with --scenario swarm, which draws everything from the seed"
            )
        }
    }

    private func check(_ count: Int?, within range: ClosedRange<Int>, for option: String) throws(Failure) {
        guard let count, !range.contains(count) else { return }
        let bounds = "\(range.lowerBound) to \(SimulationText.grouped(range.upperBound))"
        throw Failure(.invalidArgument, "\(option): \(count) is outside \(bounds)")
    }

    private func checkedFamilies() throws(Failure) -> SimulationOptions.Families? {
        guard let families else { return nil }
        let shares = families.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard shares.count == 3, let ipv4 = shares[0], let ipv6 = shares[1], let both = shares[2],
            let checked = SimulationOptions.Families(ipv4: ipv4, ipv6: ipv6, both: both)
        else {
            throw Failure(
                .invalidArgument,
                "--families: \"\(families)\" is not three whole numbers, of which the last is more than 0: "
                    + "nodes with IPv4 only, IPv6 only and both. Write 7,7,1"
            )
        }
        return checked
    }

    private func checkedHours() throws(Failure) -> Double {
        guard let text = hours else { return Self.defaultHours }
        guard let hours = Double(text) ?? DurationText.seconds(text).map({ Double($0) / 3600 }) else {
            throw Failure(
                .invalidArgument,
                "--hours: \"\(text)\" is no time. Write 0.5, 24, 90m or 2d: plain numbers are hours"
            )
        }
        guard Self.hourLengths.contains(hours) else {
            throw Failure(
                .invalidArgument,
                "--hours: \(text) is outside 1 second to \(Int(Self.hourLengths.upperBound)) hours"
            )
        }
        return hours
    }

    /// 0…1 of `0.3` or `30%`.
    private func share(_ text: String?, for option: String) throws(Failure) -> Double? {
        guard let text else { return nil }
        let isPercentage = text.hasSuffix("%")
        guard let number = Double(isPercentage ? String(text.dropLast()) : text), number.isFinite else {
            throw Failure(.invalidArgument, "\(option): \"\(text)\" is no share. Write 0.3 or 30%")
        }
        let share = isPercentage ? number / 100 : number
        guard share == 0 || Self.shares.contains(share) else {
            throw Failure(
                .invalidArgument,
                "\(option): \(text) is neither 0 nor a millionth to 1, or 0.0001% to 100%"
            )
        }
        return share
    }

    private func checkedSealing(nodes: Int) throws(Failure) -> WorldPlan.Sealing? {
        guard let text = sealing else { return nil }
        guard let sealing = WorldPlan.Sealing(rawValue: text) else {
            throw Failure(.invalidArgument, "--sealing: \"\(text)\" is neither real nor stand-in")
        }
        guard sealing == .standIn || nodes < WorldPlan.largestSealed else {
            throw Failure(
                .invalidArgument,
                "--sealing real is for fewer than \(WorldPlan.largestSealed) nodes: each locks memory for "
                    + "its keys, and there is little of that. Leave it out"
            )
        }
        return sealing
    }
}
