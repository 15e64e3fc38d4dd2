import ArgumentParser
import DHTCore
import DHTEnvelope
import DHTGateway
import DHTStorage
import Glibc
import SecureDHT

struct ImportStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract:
            "Takes an export, records where they are newer. Ends 8 if any of it is bad or missing.",
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
        var pieces: Int
        var kept: Int
        var bad: Int
        var ahead: Int
        var incomplete: Int
        var unreferred: Int
        var foreign: Int
        var truncated: Bool
        var problems: [Problem]

        init(_ summary: Import.Summary) {
            (lines, stored, known) = (summary.lines, summary.stored, summary.known)
            (pieces, kept) = (summary.pieces, summary.kept)
            (bad, ahead, incomplete) = (summary.bad, summary.ahead, summary.incomplete)
            (unreferred, foreign, truncated) = (summary.unreferred, summary.foreign, summary.isCutOff)
            problems = summary.problems.map { Problem(line: $0.line, reason: $0.reason) }
        }
    }

    /// Bytes of the longest line that is looked at. A piece of a long value has some 86,000.
    private static let lineLimit = 1 << 17

    private func reader() throws(Failure) -> LineReader {
        if let file, file != "-" { return try LineReader(file, limit: Self.lineLimit) }
        guard isatty(STDIN_FILENO) == 0 else {
            throw Failure(.invalidArgument, "nothing to import: give FILE, what dht store export wrote")
        }
        return LineReader(limit: Self.lineLimit)
    }

    func run() async throws {
        Signals.exitOnInterrupt()
        let verifies = try signatures.verifier()
        let lines = try reader()
        let first = try beginning(of: lines)
        let store = try SQLiteRecordStore.open(directory, isMaking: true)
        defer { store.database.close() }
        let summary = try take(first, lines, into: store, verifies)
        if options.json {
            Output.json(Reply(summary))
        } else {
            for problem in summary.problems { Output.line("line \(problem.line): \(problem.reason)") }
            let (stored, bad) = (
                SimulationText.counted(summary.stored, "record"),
                SimulationText.counted(summary.bad, "bad line")
            )
            let ahead = summary.ahead == 0 ? "" : "; \(summary.ahead) ahead of the clock"
            Output.line(
                "Stored \(stored); \(summary.known) were there already, as new or newer; \(bad)\(ahead)"
            )
            if summary.pieces + summary.kept > 0 {
                Output.line(
                    "Stored \(SimulationText.counted(summary.pieces, "piece")) of long values; "
                        + "\(SimulationText.counted(summary.kept, "key")) to keep alive"
                )
            }
        }
        options.hint("dht store check \(shellQuoted(directory))")
        guard summary.isWhole else { throw incomplete(summary, lines.name) }
        guard summary.ahead == 0 else {
            let ahead = SimulationText.counted(summary.ahead, "record")
            throw Failure(
                .partial,
                "\(lines.name): left out \(ahead) more than 5 minutes ahead of this machine's clock. If the "
                    + "clock is wrong, set it (timedatectl) and import again"
            )
        }
    }

    /// The failure that names what differs from the place where the export was made.
    private func incomplete(_ summary: Import.Summary, _ name: String) -> Failure {
        var parts: [String] = []
        if summary.isCutOff { parts.append("its end is missing, or lines before it") }
        if summary.bad > 0 { parts.append("left out \(SimulationText.counted(summary.bad, "bad line"))") }
        if summary.incomplete > 0 {
            parts.append("\(SimulationText.counted(summary.incomplete, "long value")) not whole")
        }
        if summary.unreferred > 0 {
            let count = SimulationText.counted(summary.unreferred, "long value")
            parts.append("left out \(count) that no record refers to")
        }
        if summary.foreign > 0 {
            let count = SimulationText.counted(summary.foreign, "key")
            parts.append("left out \(count) that another node keeps alive")
        }
        return Failure(.integrity, "\(name): \(parts.joined(separator: "; ")); all others were taken")
    }

    /// The first line, if it begins an export that can be taken.
    private func beginning(of lines: LineReader) throws(Failure) -> [UInt8] {
        var first: [UInt8] = []
        if case .whole(let bytes)? = lines.next() { first = bytes }
        if let problem = lines.problem { throw FileBytes.failure(lines.name, "cannot be read", problem) }
        if let refusal = Import.refusal(ofFirst: first) {
            throw Failure(.configuration, "\(lines.name) is \(refusal)")
        }
        return first
    }

    private func take(
        _ first: [UInt8],
        _ lines: LineReader,
        into store: SQLiteRecordStore,
        _ verifies: @escaping (Record) -> Bool
    ) throws(Failure) -> Import.Summary {
        var task = Import(
            into: store,
            unixMilliseconds: SystemClock.now.unixMilliseconds,
            decode: { RecordCodec.decode($0) },
            verifies: verifies,
            proof: .byDigest
        )
        defer { ProgressBar.erase() }
        do throws(RecordStoreError) {
            let kept = try KeptImport(store.database)
            task.keep = { kept.take($0, of: $1) }
            try task.take(first)
            while let line = lines.next() {
                switch line {
                case .whole(let bytes): try task.take(bytes)
                case .tooLong: task.refuseLine("longer than \(Self.lineLimit) bytes")
                }
                options.show(lines.position, of: lines.size, "importing")
            }
            try task.finish()
            try kept.write()
        } catch {
            let stored = SimulationText.counted(task.summary.stored, "record")
            let before = Failure(error, directory).message
            throw Failure(.internal, "\(before). \(stored) were stored before; import again for the rest")
        }
        if let problem = lines.problem { throw FileBytes.failure(lines.name, "cannot be read", problem) }
        return task.summary
    }
}

/// Keys that the node of a directory is to keep alive, until they are written down, all at once.
private final class KeptImport {
    private let database: NodeDatabase
    private let owner: String?
    private var known: [[UInt8]: Revision] = [:]
    private var values: [[UInt8]: RenewedValue?] = [:]

    init(_ database: NodeDatabase) throws(RecordStoreError) {
        self.database = database
        owner = try database.owner()?.text
        for value in try database.kept() { known[value.key] = value.revision }
    }

    /// Takes a value, unless what is written down of it is as new or newer. `false`: another node is its
    /// author.
    func take(_ value: RenewedValue, of author: String) -> Bool {
        if let owner, owner != author { return false }
        if let before = known[value.key], before >= value.revision { return true }
        known[value.key] = value.revision
        values[value.key] = value
        return true
    }

    func write() throws(RecordStoreError) {
        if !values.isEmpty { try database.rememberRenewed(values) }
    }
}
