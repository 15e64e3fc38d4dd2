import ArgumentParser
import DHTCrypto
import DHTGateway
import DHTStorage
import Glibc

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Makes a node's directory of a backup, checked as a whole, where no node runs."
    )

    @Argument(help: "What dht backup wrote; - is standard input.", completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp("The node's directory; it is made if it is missing.", valueName: "dir"),
        completion: .directory
    )
    var data: String

    @Flag(help: "Take the place of a database that is there; that one stays beside as .bak.")
    var force = false

    @Flag(
        help: ArgumentHelp(
            "For a node with another key than that of the backup: it takes over records and long values.",
            discussion: "The revisions that the former node signed, and what it keeps alive, are left out."
        )
    )
    var newIdentity = false

    @OptionGroup var options: StoreOptions

    private struct Reply: Encodable {
        var schema = 1
        var records: Int
        var bytes: Int
        /// Of the node whose directory it is now; null: of whoever opens it first.
        @OrNull var id: String?
        var path: String
        /// The new place of the database that was there.
        @OrNull var former: String?
    }

    func run() async throws {
        Signals.exitOnInterrupt()
        let name = file == "-" ? "standard input" : file
        let descriptor = try open()
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        let summary: DatabaseRestore.Summary
        var count = 0
        do throws(DatabaseRestoreError) {
            let restore = try DatabaseRestore(data, isReplacing: force)
            while true {
                guard let bytes = FileBytes.readSome(descriptor) else {
                    throw .backup(.unavailable(path: name, reason: errnoText()))
                }
                guard !bytes.isEmpty else { break }
                try restore.append(bytes)
                count += bytes.count
            }
            summary = try restore.finish(isForAnother: newIdentity)
        } catch { throw Failure(error, name) }
        if options.json {
            Output.json(
                Reply(
                    records: summary.records,
                    bytes: count,
                    id: summary.owner?.text,
                    path: data,
                    former: summary.former
                )
            )
            return
        }
        Output.line("Restored \(SimulationText.counted(summary.records, "record")) to \(data)")
        if let former = summary.former { options.hint("the database that was there is now \(former)") }
        let key = summary.owner.map { "the key of \($0.text)" } ?? "any key"
        options.hint("start it, with \(key): dht node --key FILE --data \(shellQuoted(data)) …")
    }

    private func open() throws(Failure) -> Int32 {
        guard file != "-" else {
            guard isatty(STDIN_FILENO) == 0 else {
                throw Failure(.invalidArgument, "nothing to restore: give FILE, what dht backup wrote")
            }
            return STDIN_FILENO
        }
        let descriptor = unsafe Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileBytes.failure(file, "cannot be read") }
        if let log = DatabaseRestore.log(of: file) {
            close(descriptor)
            throw Failure(
                .configuration,
                "\(file) is no backup but a database in use, or left by a crash: \(log) holds a part "
                    + "of it. Make a backup: dht backup FILE --data DIR"
            )
        }
        return descriptor
    }
}

extension Failure {
    /// `name`: the backup's.
    fileprivate init(_ error: DatabaseRestoreError, _ name: String) {
        switch error {
        case .directory(let error): self.init(error)
        case .unwritten(let path, let reason):
            self.init(.internal, "\(path) cannot be written: \(reason). Nothing was restored")
        case .occupied(let path):
            self.init(
                .conflict,
                "\(path) exists and was left alone. Name another directory, or --force, which "
                    + "keeps it as .bak"
            )
        case .backup(let error):
            let reason =
                switch error {
                case .noDatabase, .irregular: "is no backup: it is no database"
                case .foreign: "is no backup: it is the database of another program"
                case .newer: "was made by a newer dht. Upgrade dht"
                case .damaged(_, let problem): "is damaged: \(problem)"
                case .altered(_, let name): "has something in its schema that dht did not make, \(name)"
                case .putBack(_, let version, let right):
                    "counts \(version) steps of its schema, and its tables are those of \(right)"
                case .unavailable(_, let reason), .noPlace(_, let reason): "cannot be read: \(reason)"
                case .inUse, .absent, .otherOwner, .readOnly, .denied: "cannot be read"
                }
            self.init(Failure(error).code, "\(name) \(reason). Nothing was restored")
        }
    }
}
