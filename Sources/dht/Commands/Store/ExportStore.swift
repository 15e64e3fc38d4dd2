import ArgumentParser
import DHTCrypto
import DHTEnvelope
import DHTGateway
import DHTStorage

struct ExportStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes every record, long value and kept key as lines of JSON, for dht store import."
    )

    @Argument(help: "The node's directory.", completion: .directory)
    var directory: String

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp("Write this file, whole or not at all; - is standard output.", valueName: "file"),
        completion: .file()
    )
    var output: String?

    @OptionGroup var options: StoreOptions

    private struct Reply: Encodable {
        var schema = 1
        var records: Int
        var contents: Int
        var kept: Int
        var damaged: Int
        var incomplete: Int
    }

    func run() async throws {
        Signals.exitOnInterrupt()
        let store = try SQLiteRecordStore.open(directory)
        defer { store.database.close() }
        let output = output == "-" ? nil : output
        let file = try output.map { path throws(Failure) in try DraftFile(path, mode: 0o600) }
        let summary = try write(store, to: file)
        try file?.finish()
        if options.json, output != nil {
            Output.json(
                Reply(
                    records: summary.records,
                    contents: summary.contents,
                    kept: summary.kept,
                    damaged: summary.damaged,
                    incomplete: summary.incomplete
                )
            )
        }
        let written = [
            SimulationText.counted(summary.records, "record"),
            SimulationText.counted(summary.contents, "long value"),
            SimulationText.counted(summary.kept, "kept key"),
        ].joined(separator: ", ")
        if let output { options.hint("wrote \(written) to \(output)") }
        guard summary.damaged == 0, summary.incomplete == 0 else {
            let damaged = SimulationText.counted(summary.damaged, "damaged record")
            let incomplete = SimulationText.counted(summary.incomplete, "long value")
            let next = "dht store check \(shellQuoted(directory))"
            throw Failure(
                .integrity,
                "\(directory): left out \(damaged), and what is damaged or missing of \(incomplete); all "
                    + "else was written. See: \(next)"
            )
        }
    }

    private func write(_ store: SQLiteRecordStore, to file: DraftFile?) throws(Failure) -> ExportSummary {
        let all = store.count
        var lines: [UInt8] = []
        defer { ProgressBar.erase() }
        do {
            let summary = try store.export(author: { $0.text }, proof: .byDigest) { summary in
                options.show(summary.records, of: all, "exporting")
            } write: { line in
                lines += line.utf8
                lines.append(UInt8(ascii: "\n"))
                guard lines.count >= 1 << 16 else { return }
                if let file { file.append(lines) } else { Output.bytes(lines) }
                lines.removeAll(keepingCapacity: true)
            }
            if let file { file.append(lines) } else { Output.bytes(lines) }
            return summary
        } catch { throw Failure(error, directory) }
    }
}

extension ContentProof {
    /// As the protocol has it.
    static let byDigest = ContentProof(digests: { $0.digests(in: $1) }, isPiece: { $1.isDigest(of: $0) })
}
