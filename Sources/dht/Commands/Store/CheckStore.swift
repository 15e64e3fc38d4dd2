import ArgumentParser
import DHTCore
import DHTCrypto
import DHTGateway
import DHTStorage

struct CheckStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Looks at the database, each record and long value; changes nothing. Ends 8 if any is bad."
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
        /// Records whose signatures were not checked.
        var unverified: Int
        /// The fingerprint of the network key that they were checked by.
        @OrNull var network: String?
        var faults: Int
        /// Long values, and their pieces; how many of the former are damaged, and pieces of none.
        var contents: Int
        var pieces: Int
        var damagedContents: Int
        var strayPieces: Int
        var problems: [String]

        enum CodingKeys: String, CodingKey {
            case schema, ok, id, records, tombstones, bytes, damaged, forged, unverified, network, faults,
                contents, pieces, problems
            case damagedContents = "damaged_contents"
            case strayPieces = "stray_pieces"
        }
    }

    func run() async throws {
        Signals.exitOnInterrupt()
        _ = try signatures.named()
        let store = try SQLiteRecordStore.open(directory)
        defer { store.database.close() }
        let network = try signatures.network(of: store)
        let (check, id) = try look(at: store, network?.verifies)
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
                    unverified: check.unverified,
                    network: network?.fingerprint,
                    faults: check.faults,
                    contents: check.contents,
                    pieces: check.pieces,
                    damagedContents: check.damagedContents,
                    strayPieces: check.strays,
                    problems: check.problems
                )
            )
        } else {
            Output.line("identity: \(id ?? "no node opened it yet")")
            Output.line("records: \(check.records), \(check.tombstones) of them tombstones")
            Output.line("bytes: \(check.byteCount)")
            Output.line("long values: \(check.contents), of \(check.pieces) pieces")
            if check.unverified > 0 {
                Output.line(
                    "not checked: the signatures; none is for the network key that everybody knows, and no "
                        + "other was found. Name the node's: --network FILE"
                )
            }
            for problem in check.problems { Output.line("problem: \(printable(problem))") }
            if check.isSound { Output.line("ok") }
        }
        guard check.isSound else {
            let isOther = check.forged > 0 && check.forged + check.damaged == check.records
            let doubt = isOther ? "No record is for this network: is that this node's network key? " : ""
            throw Failure(
                .integrity,
                "\(directory): \(check.damaged) damaged, \(check.forged) not signed by their author for this "
                    + "network, \(check.damagedContents) long values damaged, \(check.faults) faults of the "
                    + "file. \(doubt)What is bad is not served; a node that runs brings long values again"
            )
        }
    }

    private func look(
        at store: SQLiteRecordStore,
        _ verifies: ((Record) -> Bool)?
    ) throws(Failure) -> (StoreCheck, id: String?) {
        let all = store.count
        defer { ProgressBar.erase() }
        do {
            let check = try store.check(verifies: verifies, author: { $0.text }, proof: .byDigest) {
                options.show($0, of: all, "checking")
            }
            return (check, try store.database.owner()?.text)
        } catch { throw Failure(error, directory) }
    }
}
