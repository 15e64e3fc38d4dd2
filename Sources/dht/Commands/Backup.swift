import ArgumentParser
import DHTCrypto
import DHTGateway
import DHTStorage
import Glibc
import SecureDHT

struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies the running node's database, as it is at one moment, into a file.",
        discussion: "All that was acknowledged before is in it. dht restore makes a node's directory of it."
    )

    @Argument(help: "The file to make, of mode 0600; - is standard output.", completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp(
            "The directory of a node that does not run, in place of the running node's.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var data: String?

    @Flag(help: "Replace the file, if there is one.")
    var force = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let start = ContinuousClock.now
        let isPiped = file == "-"
        guard !isPiped || !Output.isTerminal else {
            throw Failure(.invalidArgument, "a database is nothing for a terminal: give a FILE, or a pipe")
        }
        guard !isPiped || !globals.json else {
            throw Failure(.invalidArgument, "--json needs a FILE: standard output has the database")
        }
        Signals.exitOnInterrupt()
        let target = isPiped ? nil : try ExclusiveFile(file, isReplacing: force)
        let take: ControlClient.Taker = { (bytes) throws(Failure) in
            if let target { try target.append(bytes) } else { Output.bytes(bytes) }
        }
        var reply =
            if let data { try copy(data, take) } else { try await fetch(take) }
        ProgressBar.erase()
        try target?.finish()
        reply.seconds = (ContinuousClock.now - start).inMilliseconds.rounded() / 1000
        reply.path = isPiped ? nil : file
        if globals.json { return Output.json(reply) }
        let size = byteCountText(reply.bytes)
        let text = "Copied \(SimulationText.counted(reply.records, "record")), \(size), to \(file)"
        if isPiped { globals.hint(text) } else { Output.line(text) }
        let name = isPiped ? "FILE" : shellQuoted(file)
        globals.hint("restore it, on a machine where no node runs: dht restore \(name) --data DIR")
    }

    /// From the running node.
    private func fetch(_ take: @escaping ControlClient.Taker) async throws(Failure) -> BackupReply {
        let isTold = ProgressBar.isVisible && !globals.quiet && !globals.json
        do {
            return try await globals.node().backUp(take) { done, total in
                if isTold, total > 0 { ProgressBar.show(Double(done) / Double(total), of: "copying") }
            }
        } catch {
            guard error.code == .unreachable, error.message.hasPrefix("no node is running") else {
                throw error
            }
            throw Failure(
                error.code,
                error.message + "; or copy a stopped one's: dht backup \(shellQuoted(file)) --data DIR"
            )
        }
    }

    /// From a directory that no node uses.
    private func copy(_ directory: String, _ take: ControlClient.Taker) throws(Failure) -> BackupReply {
        let store = try SQLiteRecordStore.open(directory)
        defer { store.database.close() }
        let copy: DatabaseCopy
        let folder = file == "-" ? nil : SecretFile.directory(of: file)
        do { copy = try store.database.copy(in: folder) } catch { throw Failure(DHTError(error)) }
        var position = 0
        while position < copy.length {
            let bytes: [UInt8]
            do { bytes = try copy.bytes(at: position, count: 1 << 16) } catch {
                throw Failure(DHTError(error))
            }
            guard !bytes.isEmpty else { break }
            try take(bytes)
            position += bytes.count
        }
        return BackupReply(records: copy.records, bytes: position)
    }
}
