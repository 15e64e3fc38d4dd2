import ArgumentParser
import DHTCrypto
import DHTGateway
import SecureDHT

struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what calls, puts and gets cost on this machine, beside libsodium's own cost.",
        discussion: """
            Starts nodes in this process, over real UDP on the loopback interface; needs no running node, \
            keeps nothing. Ratios of one run count: figures of a machine that does other things do not.
            """
    )

    @Option(help: ArgumentHelp("Nodes of the overlay.", valueName: "n"))
    var nodes = 32

    @Option(help: ArgumentHelp("Operations of each kind.", valueName: "n"))
    var operations = 1000

    @Option(
        name: .customLong("at-once"),
        help: ArgumentHelp("Operations at once, after one at a time: 16,64.", valueName: "n,n")
    )
    var atOnce = "16,64"

    @Flag(help: "One JSON object on standard output; errors as JSON too.")
    var json = false

    @Flag(name: [.short, .long], help: "No progress.")
    var quiet = false

    private static let nodeLimit = 2...1024
    private static let operationLimit = 1...1_000_000

    func run() async throws {
        Signals.exitOnInterrupt()
        guard Self.nodeLimit.contains(nodes) else {
            throw Failure(.invalidArgument, "--nodes: \(nodes) is not in 2…1024")
        }
        guard Self.operationLimit.contains(operations) else {
            throw Failure(.invalidArgument, "--operations: \(operations) is not in 1…1000000")
        }
        let loads = try atOnce.split(separator: ",").map { word throws(Failure) in
            guard let number = Int(word), (2...1024).contains(number) else {
                throw Failure(.invalidArgument, "--at-once: \"\(word)\" is no number in 2…1024")
            }
            return number
        }
        guard !loads.isEmpty else { throw Failure(.invalidArgument, "--at-once: give a number, as 16,64") }
        let reply = try await measure(loads)
        if json { Output.json(reply) } else { reply.lines.forEach(Output.line) }
    }

    private func measure(_ loads: [Int]) async throws -> BenchReply {
        // Before and after all else: a machine that others use is not the same all the time.
        let before = Self.floor()
        var pairs: [(BenchOverlay.Sample, Int)] = []
        let pair = try await BenchOverlay.start(2)
        let few = try await BenchValues(pair, named: "few", count: 200, atOnce: 1)
        for number in [1] + loads { pairs.append((try await few.get(operations, atOnce: number), number)) }
        await pair.end()
        progress("two nodes are measured")
        let overlay = try await BenchOverlay.start(nodes)
        progress("\(nodes) nodes know one another")
        let values = try await BenchValues(overlay, named: "one at a time", count: operations, atOnce: 1)
        let get = try await values.get(operations, atOnce: 1)
        var load: [BenchReply.Load] = []
        for number in loads {
            progress("\(number) at once")
            let name = "\(number) at once"
            let values = try await BenchValues(overlay, named: name, count: operations, atOnce: number)
            let gets = try await values.get(operations, atOnce: number)
            load.append(BenchReply.Load(atOnce: number, puts: values.put, gets: gets))
        }
        await overlay.end()
        let floor = (before + Self.floor()) / 2
        return BenchReply(
            nodes: nodes,
            floor: floor,
            pairs: pairs.map { BenchReply.Pair($0, atOnce: $1, floor: floor) },
            put: .init(values.put),
            get: .init(get),
            load: load
        )
    }

    /// Microseconds of one call.
    private static func floor() -> Double {
        var floor = SealedCallFloor()
        let (warmUp, calls) = (200, 2000)
        floor.perform(warmUp)
        let began = BenchOverlay.processorTime
        floor.perform(calls)
        return (BenchOverlay.processorTime - began).inMilliseconds * 1000 / Double(calls)
    }

    private func progress(_ text: String) {
        if !quiet, !json { Output.talk(text) }
    }
}
