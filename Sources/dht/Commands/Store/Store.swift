import ArgumentParser
import DHTCore
import DHTCrypto
import DHTEnvelope
import DHTGateway
import DHTStorage
import FoundationEssentials
import SecureDHT

struct Store: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Checks, exports or imports the records in a node's directory, while no node uses it.",
        subcommands: [CheckStore.self, ExportStore.self, ImportStore.self]
    )
}

/// Options of the commands about a directory.
struct StoreOptions: ParsableArguments {
    @Flag(help: "One JSON object on standard output; errors as JSON too.")
    var json = false

    @Flag(name: [.short, .long], help: "No hints and no progress.")
    var quiet = false

    /// A line of talk that is not needed.
    func hint(_ text: String) {
        if !quiet, !json { Output.talk(text) }
    }

    /// Shows how far something has come, where somebody sees it.
    func show(_ done: Int, of all: Int, _ name: String) {
        guard !quiet, !json, ProgressBar.isVisible, all > 0 else { return }
        ProgressBar.show(min(Double(done) / Double(all), 1), of: name)
    }
}

/// The network whose signatures count.
struct SignatureOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The network key's file; else the key that everybody knows. check looks for it itself.",
            valueName: "file"
        ),
        completion: .file()
    )
    var network: String?

    /// Tells whether a record was signed by its author, for this network.
    func verifier() throws(Failure) -> (Record) -> Bool { (try named() ?? .wellKnown).verifies }

    /// The key whose file was named.
    func named() throws(Failure) -> NetworkSecret? {
        let environment = GlobalOptions.environment
        guard let file = network ?? environment.given("DHT_NETWORK") else {
            return nil
        }
        do {
            return try NetworkSecret(
                file: file,
                credentialsDirectory: environment["CREDENTIALS_DIRECTORY"]
            )
        } catch { throw Failure(error) }
    }

    /// The network of the records in a store: the key that was named, or else the first of which a record is
    /// signed, of the key that everybody knows and those in `net.key` and `*.network` beside the store and in
    /// it. `nil`: of none.
    func network(of store: SQLiteRecordStore) throws(Failure) -> NetworkSecret? {
        if let named = try named() { return named }
        let directory = store.database.directory
        for secret in [.wellKnown] + Self.secrets(in: directory + "/..") + Self.secrets(in: directory) {
            var isSigned = false
            do throws(RecordStoreError) {
                try store.forEach { isSigned = isSigned || secret.verifies($0) }
            } catch { throw Failure(error, directory) }
            if isSigned { return secret }
        }
        return nil
    }

    /// Network keys in a directory. Those that cannot be read are none.
    private static func secrets(in directory: String) -> [NetworkSecret] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.sorted().filter { $0 == "net.key" || $0.hasSuffix(".network") }
            .compactMap { try? NetworkSecret(file: "\(directory)/\($0)") }
    }
}

extension NetworkSecret {
    /// Whether a record was signed by its author, for this network.
    var verifies: (Record) -> Bool {
        let id = networkKey.id
        return { RecordCodec.verifies($0, network: id) }
    }
}

extension SQLiteRecordStore {
    /// The store in a node's directory, of whichever node it is.
    static func open(_ directory: String, isMaking: Bool = false) throws(Failure) -> SQLiteRecordStore {
        let database: NodeDatabase
        do {
            database = try NodeDatabase(directory: directory, owner: nil, isMaking: isMaking)
        } catch { throw Failure(error) }
        do {
            return try SQLiteRecordStore(database) { RecordCodec.decode($0) }
        } catch { throw Failure(error, directory) }
    }
}

extension Failure {
    init(_ error: NodeDatabaseError) {
        let code: Code =
            switch error {
            case .absent: .invalidArgument
            case .inUse, .noDatabase, .irregular, .noPlace, .foreign, .newer, .otherOwner, .putBack:
                .configuration
            case .damaged, .altered: .integrity
            case .denied, .readOnly: .denied
            case .unavailable: .internal
            }
        self.init(code, error.description)
    }

    init(_ error: RecordStoreError, _ directory: String) {
        switch error {
        case .full: self.init(.internal, "\(directory): the disk is full")
        case .unavailable(let reason): self.init(.internal, "\(directory): \(reason)")
        }
    }
}
