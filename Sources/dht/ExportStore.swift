import ArgumentParser
import DHTCrypto
import DHTGateway
import DHTStorage

struct ExportStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes every record as a line of JSON, for dht store import."
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
        var damaged: Int
    }

    func run() async throws {
        Interruption.exitOnInterrupt()
        let store = try SQLiteRecordStore.open(directory)
        defer { store.database.close() }
        let output = output == "-" ? nil : output
        let file = try output.map { path throws(Failure) in try DraftFile(path, mode: 0o600) }
        let summary = try write(store, to: file)
        try file?.finish()
        if options.json, output != nil {
            Output.json(Reply(records: summary.records, damaged: summary.damaged))
        }
        if let output {
            options.hint("wrote \(SimulationText.counted(summary.records, "record")) to \(output)")
        }
        guard summary.damaged == 0 else {
            let left = SimulationText.counted(summary.damaged, "damaged record")
            let next = "dht store check \(shellQuoted(directory))"
            throw Failure(.integrity, "\(directory): left out \(left); all others were written. See: \(next)")
        }
    }

    private func write(_ store: SQLiteRecordStore, to file: DraftFile?) throws(Failure) -> ExportSummary {
        let all = store.count
        var (done, lines): (Int, [UInt8]) = (0, [])
        defer { ProgressBar.erase() }
        do {
            let summary = try store.export(author: { $0.text }) { line in
                done += 1
                options.show(done, of: all, "exporting")
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
