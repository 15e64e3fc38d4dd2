import ArgumentParser
import DHTGateway
import DHTSimulator

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract:
            "Runs a network of nodes under virtual time, lets things go wrong, and checks what it promises.",
        discussion: """
            Nodes as dht node runs them, on a network, disks and clocks that are made up. The same \
            options and seed give the same run, event for event. Ends 1 if a promise was broken.

            Scenarios:
            \(scenarios)
            """
    )

    /// A line for each, in two columns, as wide as help is.
    private static var scenarios: String {
        let indent = 4 + (Scenario.allCases.map(\.rawValue.count).max() ?? 0)
        return Scenario.allCases.flatMap { scenario -> [String] in
            var lines = ["  \(scenario.rawValue)"]
            for word in scenario.summary.split(separator: " ") {
                if let last = lines.last, last.count > indent, last.count + 1 + word.count > 79 {
                    lines.append("")
                }
                let last = lines.count - 1
                let blanks = max(indent - lines[last].count, 1)
                lines[last] += String(repeating: " ", count: blanks) + word
            }
            return lines
        }.joined(separator: "\n")
    }

    @OptionGroup var world: WorldOptions

    @Option(
        help: ArgumentHelp(
            "Draw success and hops over virtual time: FILE.svg.",
            valueName: "file"
        ),
        completion: .file(extensions: ["svg"])
    )
    var plot: String?

    @Option(
        help: ArgumentHelp("Write a line for every event to this file.", valueName: "file"),
        completion: .file()
    )
    var trace: String?

    @Flag(help: "One JSON object a world on standard output; errors as JSON too.")
    var json = false

    @Flag(name: [.short, .long], help: "No hints and no progress.")
    var quiet = false

    func run() async throws {
        Signals.exitOnInterrupt()
        let options = try world.checked(seed: world.seed ?? UInt64(UInt32.random(in: 0...UInt32.max)))
        guard world.worlds == 1 || (plot == nil && trace == nil) else {
            throw Failure(.invalidArgument, "--plot and --trace are for one world: give no --seeds")
        }
        try world.worlds == 1 ? runOne(options) : runAll(options)
    }

    private func runOne(_ options: SimulationOptions) throws(Failure) {
        let plot = try self.plot.map { path throws(Failure) in try SimulationPlot(path) }
        let trace = try self.trace.map { path throws(Failure) in
            guard path != "-" else {
                throw Failure(.invalidArgument, "--trace: give a FILE; standard output has the result")
            }
            return try TraceFile(path)
        }
        let (report, taken) = live(options, trace) { $0 }
        let replay = world.replay(options)
        if json {
            Output.json(SimulationReply(report, of: options, replay: replay, taken: taken))
        } else {
            SimulationText.report(report, options, changes: world.changes(options)).forEach(Output.line)
            Output.line("Replay: \(replay)")
        }
        if let trace {
            try trace.finish()
            hint("wrote the trace to \(trace.path)")
        }
        if let plot {
            try plot.write(report, of: options)
            hint("wrote the plot to \(plot.path)")
        }
        let broken = report.violations.count
        guard broken == 0 else {
            throw Failure(
                .internal,
                "\(SimulationText.counted(broken, "promise")) \(Self.were(broken)) broken"
            )
        }
    }

    private func runAll(_ first: SimulationOptions) throws(Failure) {
        var (reads, succeeded, put, lost, wrong, broken, worldsBroken) = (0, 0, 0, 0, 0, 0, 0)
        for index in 0..<world.worlds {
            var options = first
            options.seed += UInt64(index)
            let (report, taken) = live(options) { (Double(index) + $0) / Double(world.worlds) }
            tell(report, of: options, taken)
            (reads, succeeded) = (reads + report.reads, succeeded + report.readsSucceeded)
            (put, lost) = (put + report.recordsPut, lost + report.recordsLost)
            (wrong, broken) = (wrong + report.readsWrong, broken + report.violations.count)
            worldsBroken += report.violations.isEmpty ? 0 : 1
        }
        if !json {
            Output.line(
                "\(SimulationText.counted(world.worlds, "world")): reads "
                    + "\(SimulationText.reads(succeeded, of: reads)), \(SimulationText.grouped(lost)) of "
                    + "\(SimulationText.counted(put, "value")) lost, "
                    + "\(SimulationText.counted(wrong, "read")) wrong"
            )
            Output.line("Replay: \(world.replay(first, worlds: world.worlds))")
        }
        guard broken == 0 else {
            throw Failure(
                .internal,
                "\(SimulationText.counted(broken, "promise")) \(Self.were(broken)) broken, "
                    + "in \(SimulationText.grouped(worldsBroken)) of "
                    + SimulationText.counted(world.worlds, "world")
            )
        }
    }

    /// A world among many.
    private func tell(_ report: SimulationReport, of options: SimulationOptions, _ taken: Duration) {
        let replay = world.replay(options)
        guard !json else {
            return Output.json(SimulationReply(report, of: options, replay: replay, taken: taken))
        }
        Output.line(SimulationText.summary(report))
        guard !report.violations.isEmpty else { return }
        for violation in report.violations { Output.line("  broken: \(printable(violation.description))") }
        Output.line("  Replay: \(replay)")
    }

    /// Runs one world. `share`: of all the work, from the share done of this world.
    private func live(
        _ options: SimulationOptions,
        _ trace: TraceFile? = nil,
        share: (Double) -> Double
    ) -> (SimulationReport, Duration) {
        let showsProgress = !quiet && !json && ProgressBar.isVisible
        func show(_ done: Double) {
            if showsProgress { ProgressBar.show(share(done), of: "seed \(options.seed)") }
        }
        show(0)
        let start = ContinuousClock.now
        let simulation = Simulation(options)
        if let trace { simulation.listener = { trace.append($0) } }
        let report = simulation.run(progress: show)
        let taken = ContinuousClock.now - start
        if showsProgress { ProgressBar.erase() }
        return (report, taken)
    }

    private static func were(_ count: Int) -> String { count == 1 ? "was" : "were" }

    private func hint(_ text: String) {
        if !quiet, !json { Output.talk(text) }
    }
}
