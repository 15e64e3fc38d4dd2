import DHTConfiguration
import DHTCrypto
import DHTGateway
import Glibc
import SecureDHT

/// A node's settings, checked and read: everything that can be wrong before a socket is opened.
struct NodeSetup {
    let configuration: NodeConfiguration
    /// Members of lists and roster; `nil` in open mode.
    var memberCount: Int? {
        guard let members else { return nil }
        return (configuration.roster.map { members.united(with: $0.list) } ?? members).members.count
    }
    /// The allowlists, without rosters.
    let members: Allowlist?
    let allowFiles: [String]
    /// Where the node's directory is to be if nobody said where: made if it is missing.
    private(set) var stateHome: String?

    /// - Parameter environment: Where the system keeps a node's state and its credentials.
    init(_ settings: NodeSettings, environment: [String: String]) throws(Failure) {
        let listen = try Self.listenAddresses(settings)
        let peers = try Self.peers(settings)
        allowFiles = settings.texts(.allow)
        let networkFile = settings.text(.network)
        guard let keyFile = settings.text(.key) else {
            throw Failure(.configuration, "no key: give --key FILE. Make one: dht keygen -o node.key")
        }

        let credentials = environment["CREDENTIALS_DIRECTORY"]
        let admission: Admission
        let rosters: [String]
        if settings.isOn(.open) {
            guard allowFiles.isEmpty else {
                throw Failure(
                    .configuration,
                    "\(settings.words(for: .open, and: .allow)) exclude each other: "
                        + "either everybody or a list"
                )
            }
            guard networkFile != nil else {
                throw Failure(
                    .configuration,
                    "\(settings.word(for: .open)) without --network would admit everybody: "
                        + "everybody has the default network key. "
                        + "Make one: dht keygen --network -o net.key"
                )
            }
            (members, admission, rosters) = (nil, .everyHolderOfTheNetworkKey, [])
        } else {
            guard !allowFiles.isEmpty else {
                throw Failure(
                    .configuration,
                    "nobody is allowed: give --allow FILE (one identity a line), "
                        + "or --open to admit every holder of the network key"
                )
            }
            let files = try Self.sorted(allowFiles)
            let list = try Self.readMembers(files.lists)
            (members, admission, rosters) = (list, .members(list), files.rosters)
        }
        do {
            let network = try networkFile.map {
                try NetworkSecret(file: $0, credentialsDirectory: credentials)
            }
            let key = try NodeKey(file: keyFile, credentialsDirectory: credentials) { () throws(DHTError) in
                try Passphrase.ask(for: keyFile, Passphrase.Source(settings))
            }
            try Self.refuseTestIdentity(key.identity, in: keyFile)
            let (storage, stateHome) = try Self.storage(settings, key.identity, environment)
            self.stateHome = stateHome
            var configuration = NodeConfiguration(
                key: key,
                network: network ?? .wellKnown,
                admission: admission,
                listen: listen,
                peers: peers,
                name: settings.text(.name),
                storage: storage
            )
            if let paths = settings.number(.paths) { configuration.paths = paths }
            if let threads = settings.number(.threads) { configuration.limits.threads = threads }
            if members != nil {
                configuration.roster = try Self.roster(rosters, configuration.network)
                configuration.administrator = try Self.administrator(settings, credentials)
            }
            self.configuration = configuration
        } catch { throw Failure(error) }
    }

    /// Reads lists and roster again.
    static func read(_ files: [String], _ network: NetworkSecret) throws(Failure) -> AdmissionFiles {
        let files = try sorted(files)
        let list = try readMembers(files.lists)
        do {
            return AdmissionFiles(list, roster: try roster(files.rosters, network))
        } catch { throw Failure(error) }
    }

    /// Files of allowlists, and those of rosters.
    private static func sorted(
        _ files: [String]
    ) throws(Failure) -> (lists: [String], rosters: [String]) {
        do {
            var (lists, rosters): ([String], [String]) = ([], [])
            for file in files {
                if try Roster.isRoster(file: file) { rosters.append(file) } else { lists.append(file) }
            }
            return (lists, rosters)
        } catch { throw Failure(error) }
    }

    /// All of the allowlists together, or the first thing wrong with any of them.
    private static func readMembers(_ files: [String]) throws(Failure) -> Allowlist {
        do {
            let list = try Allowlist(files: files)
            for member in list.members {
                try refuseTestIdentity(member.identity, in: files.joined(separator: ", "))
            }
            return list
        } catch { throw Failure(error) }
    }

    /// The key by which the node signs rosters, if it is to.
    private static func administrator(
        _ settings: NodeSettings,
        _ credentialsDirectory: String?
    ) throws -> NodeKey? {
        guard let file = settings.text(.admin) else { return nil }
        guard settings.text(.network) != nil else {
            throw Failure(
                .configuration,
                "\(settings.word(for: .admin)) without --network: a roster is for one network. "
                    + "Make a key: dht keygen --network -o net.key"
            )
        }
        let readable = credential(for: file, credentialsDirectory) ?? file
        return try NodeKey(file: readable, credentialsDirectory: credentialsDirectory) {
            () throws(DHTError) in
            try Passphrase.ask(for: file, Passphrase.Source(settings))
        }
    }

    /// The file of that name among the credentials of a service, which may not read the file itself.
    private static func credential(for file: String, _ credentialsDirectory: String?) -> String? {
        guard let credentialsDirectory, let name = file.split(separator: "/").last else { return nil }
        let credential = "\(credentialsDirectory)/\(name)"
        return unsafe access(credential, R_OK) == 0 ? credential : nil
    }

    /// The roster among the files; `nil`: there is none.
    private static func roster(_ rosters: [String], _ network: NetworkSecret) throws -> Roster? {
        guard let file = rosters.first else { return nil }
        guard rosters.count == 1 else {
            throw Failure(.configuration, "\(rosters[0]) and \(rosters[1]) are rosters: one is enough")
        }
        let roster = try Roster(file: file, of: network)
        for member in roster.list.members { try refuseTestIdentity(member.identity, in: file) }
        return roster
    }

    /// Where the node keeps its records: as the settings say, else where its system keeps such things.
    private static func storage(
        _ settings: NodeSettings,
        _ identity: Identity,
        _ environment: [String: String]
    ) throws(Failure) -> (NodeConfiguration.Storage, stateHome: String?) {
        let durability = settings.text(.sync).flatMap { NodeConfiguration.Durability(rawValue: $0) } ?? .full
        if settings.isOn(.ephemeral) {
            guard !settings.isGiven(.data) else {
                throw Failure(
                    .configuration,
                    "\(settings.words(for: .data, and: .ephemeral)) exclude each other: on disk or in memory"
                )
            }
            return (.memory, nil)
        }
        if let directory = settings.text(.data) {
            return (.directory(directory, durability), nil)
        }
        // systemd's StateDirectory= may name several; the first is ours.
        if let directory = environment.given("STATE_DIRECTORY")?.split(separator: ":").first {
            return (.directory(String(directory), durability), nil)
        }
        guard let state = Directories.state(environment) else {
            throw Failure(
                .configuration,
                "there is no place for the records: give --data DIR, "
                    + "or --ephemeral to keep them in memory only"
            )
        }
        return (.directory("\(state)/\(identity.nodeID)", durability), state)
    }

    /// Everybody has the secret keys of the identities in `Keys/`.
    private static func refuseTestIdentity(_ identity: Identity, in file: String) throws(Failure) {
        guard TestIdentities.isTestIdentity(identity) else { return }
        throw Failure(
            .configuration,
            "\(file): \(identity.text) is a public test identity: everybody has its secret key. "
                + "Make your own: dht keygen -o node.key"
        )
    }

    private static func listenAddresses(_ settings: NodeSettings) throws(Failure) -> [HostPort] {
        var addresses: [HostPort] = []
        for text in settings.texts(.listen) {
            let address = try HostPort(toListenOn: text) { settings.failure(.listen, $0) }
            addresses.append(address)
        }
        return addresses
    }

    private static func peers(_ settings: NodeSettings) throws(Failure) -> [PeerAddress] {
        var peers: [PeerAddress] = []
        for text in settings.texts(.peer) {
            do { peers.append(try PeerAddress(parsing: text)) } catch {
                throw settings.failure(.peer, Failure(error).message)
            }
        }
        return peers
    }
}
