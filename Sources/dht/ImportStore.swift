import ArgumentParser
import DHTCore
import DHTEnvelope
import DHTGateway
import DHTStorage

struct ImportStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes the records of an export, where they are newer. Ends 8 if a line is bad.",
        discussion: "The directory and its database are made if they are missing; a node claims them later."
    )

    @Argument(help: "The node's directory.", completion: .directory)
    var directory: String

    @Argument(help: "What dht store export wrote; - or nothing for standard input.", completion: .file())
    var file: String?

    @OptionGroup var signatures: SignatureOptions
    @OptionGroup var options: StoreOptions

    private typealias Import = RecordImport<SQLiteRecordStore>

    private struct Reply: Encodable {
        struct Problem: Encodable {
            var line: Int
            var reason: String
        }

        var schema = 1
        var lines: Int
        var stored: Int
        var known: Int
        var bad: Int
        var problems: [Problem]
    }

    func run() async throws {
        Interruption.exitOnInterrupt()
        let verifies = try signatures.verifier()
        let lines = try LineReader(file == "-" ? nil : file)
        let store = try SQLiteRecordStore.open(directory, isMaking: true)
        defer { store.database.close() }
        let summary = try take(lines, into: store, verifies)
        if options.json {
            let problems = summary.problems.map { Reply.Problem(line: $0.line, reason: $0.reason) }
            Output.json(
                Reply(
                    lines: summary.lines,
                    stored: summary.stored,
                    known: summary.known,
                    bad: summary.bad,
                    problems: problems
                )
            )
        } else {
            for problem in summary.problems { Output.line("line \(problem.line): \(problem.reason)") }
            let (stored, bad) = (
                SimulationText.counted(summary.stored, "record"),
                SimulationText.counted(summary.bad, "bad line")
            )
            Output.line("Stored \(stored); \(summary.known) were there already, as new or newer; \(bad)")
        }
        options.hint("dht store check \(shellQuoted(directory))")
        guard summary.bad == 0 else {
            let bad = SimulationText.counted(summary.bad, "bad line")
            throw Failure(.integrity, "\(lines.name): left out \(bad); all others were taken")
        }
    }

    private func take(
        _ lines: LineReader,
        into store: SQLiteRecordStore,
        _ verifies: @escaping (Record) -> Bool
    ) throws(Failure) -> Import.Summary {
        var task = Import(into: store, decode: { RecordCodec.decode($0) }, verifies: verifies)
        defer { ProgressBar.erase() }
        do throws(RecordStoreError) {
            while let line = lines.next() {
                switch line {
                case .whole(let bytes): try task.take(bytes)
                case .tooLong: task.refuseLine("longer than \(LineReader.limit) bytes")
                }
                options.show(lines.position, of: lines.size, "importing")
            }
            try task.finish()
        } catch {
            let stored = SimulationText.counted(task.summary.stored, "record")
            let before = Failure(error, directory).message
            throw Failure(.internal, "\(before). \(stored) were stored before; import again for the rest")
        }
        if let problem = lines.problem { throw FileBytes.failure(lines.name, "cannot be read", problem) }
        return task.summary
    }
}
