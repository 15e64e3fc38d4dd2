import ArgumentParser
import DHTCore
import DHTCrypto
import DHTGateway
import DHTStorage

struct CheckStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Looks at the database and at every record in it; changes nothing. Ends 8 if any is bad."
    )

    @Argument(help: "The node's directory.", completion: .directory)
    var directory: String

    @OptionGroup var signatures: SignatureOptions
    @OptionGroup var options: StoreOptions

    private struct Reply: Encodable {
        var schema = 1
        var ok: Bool
        /// Of the node whose directory it is, if one claimed it.
        var id: String?
        var records: Int
        var tombstones: Int
        var bytes: Int
        var damaged: Int
        var forged: Int
        var faults: Int
        var problems: [String]
    }

    func run() async throws {
        Interruption.exitOnInterrupt()
        let verifies = try signatures.verifier()
        let store = try SQLiteRecordStore.open(directory)
        defer { store.database.close() }
        let (check, id) = try look(at: store, verifies)
        if options.json {
            Output.json(
                Reply(
                    ok: check.isSound,
                    id: id,
                    records: check.records,
                    tombstones: check.tombstones,
                    bytes: check.byteCount,
                    damaged: check.damaged,
                    forged: check.forged,
                    faults: check.faults,
                    problems: check.problems
                )
            )
        } else {
            Output.line("identity: \(id ?? "no node opened it yet")")
            Output.line("records: \(check.records), \(check.tombstones) of them tombstones")
            Output.line("bytes: \(check.byteCount)")
            for problem in check.problems { Output.line("problem: \(printable(problem))") }
            if check.isSound { Output.line("ok") }
        }
        guard check.isSound else {
            throw Failure(
                .integrity,
                "\(directory): \(check.damaged) damaged, \(check.forged) not signed by their author for this "
                    + "network, \(check.faults) faults of the file. Bad records are not served"
            )
        }
    }

    private func look(
        at store: SQLiteRecordStore,
        _ verifies: (Record) -> Bool
    ) throws(Failure) -> (StoreCheck, id: String?) {
        let all = store.count
        defer { ProgressBar.erase() }
        do {
            let check = try store.check(verifies: verifies) { options.show($0, of: all, "checking") }
            return (check, try store.database.owner()?.text)
        } catch { throw Failure(error, directory) }
    }
}
