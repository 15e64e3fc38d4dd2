import DHTCrypto
import DHTGateway
import SecureDHT

/// A node's flags, checked and read: everything that can be wrong before a socket is opened.
struct NodeSetup {
    let configuration: NodeConfiguration
    /// `nil` in open mode.
    let members: Allowlist?
    let allowFiles: [String]
    /// Where the node's directory is to be if nobody said where: made if it is missing.
    private(set) var stateHome: String?

    /// Flag, then `DHT_*` variable, then default. Files only: a secret is never a variable's value.
    init(_ options: NodeOptions, environment: [String: String]) throws(Failure) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        func list(_ flags: [String], _ name: String) -> [String] {
            flags.isEmpty ? variable(name)?.split(separator: ",").map { String($0) } ?? [] : flags
        }
        let listen = try Self.listenAddresses(list(options.listen, "DHT_LISTEN"))
        let peers = try Self.peers(list(options.peer, "DHT_PEER"))
        if let paths = options.paths { try ValueLimits.check(paths: paths, for: "--paths") }
        allowFiles = options.open ? options.allow : list(options.allow, "DHT_ALLOW")
        let networkFile = options.network ?? variable("DHT_NETWORK")
        guard let keyFile = options.key ?? variable("DHT_KEY") else {
            throw Failure(.configuration, "no key: give --key FILE. Make one: dht keygen -o node.key")
        }

        let credentials = environment["CREDENTIALS_DIRECTORY"]
        let admission: Admission
        if options.open {
            guard allowFiles.isEmpty else {
                throw Failure(
                    .configuration,
                    "--open and --allow exclude each other: either everybody or a list"
                )
            }
            guard networkFile != nil else {
                throw Failure(
                    .configuration,
                    "--open without --network would admit everybody: everybody has the default network key. "
                        + "Make one: dht keygen --network -o net.key"
                )
            }
            (members, admission) = (nil, .everyHolderOfTheNetworkKey)
        } else {
            guard !allowFiles.isEmpty else {
                throw Failure(
                    .configuration,
                    "nobody is allowed: give --allow FILE (one identity a line), "
                        + "or --open to admit every holder of the network key"
                )
            }
            let list = try Self.readMembers(allowFiles)
            (members, admission) = (list, .members(list))
        }
        do {
            let network = try networkFile.map {
                try NetworkSecret(file: $0, credentialsDirectory: credentials)
            }
            let key = try NodeKey(file: keyFile, credentialsDirectory: credentials) { () throws(DHTError) in
                try Passphrase.ask(for: keyFile, options.passphrase)
            }
            try Self.refuseTestIdentity(key.identity, in: keyFile)
            let (storage, stateHome) = try Self.storage(options, key.identity, environment)
            self.stateHome = stateHome
            var configuration = NodeConfiguration(
                key: key,
                network: network ?? .wellKnown,
                admission: admission,
                listen: listen,
                peers: peers,
                name: options.name ?? variable("DHT_NAME"),
                storage: storage
            )
            if let paths = options.paths { configuration.paths = paths }
            self.configuration = configuration
        } catch { throw Failure(error) }
    }

    /// All of the files together, or the first thing wrong with any of them.
    static func readMembers(_ files: [String]) throws(Failure) -> Allowlist {
        do {
            let list = try Allowlist(files: files)
            for member in list.members {
                try refuseTestIdentity(member.identity, in: files.joined(separator: ", "))
            }
            return list
        } catch { throw Failure(error) }
    }

    /// Where the node keeps its records: as the flags say, else where its system keeps such things.
    private static func storage(
        _ options: NodeOptions,
        _ identity: Identity,
        _ environment: [String: String]
    ) throws(Failure) -> (NodeConfiguration.Storage, stateHome: String?) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let text = options.sync ?? variable("DHT_SYNC") ?? NodeConfiguration.Durability.full.rawValue
        guard let durability = NodeConfiguration.Durability(rawValue: text) else {
            throw Failure(.invalidArgument, "--sync is full or normal, not \"\(text)\"")
        }
        if options.ephemeral {
            guard options.data == nil else {
                throw Failure(
                    .configuration,
                    "--data and --ephemeral exclude each other: on disk or in memory"
                )
            }
            return (.memory, nil)
        }
        if let directory = options.data ?? variable("DHT_DATA") {
            return (.directory(directory, durability), nil)
        }
        // systemd's StateDirectory= may name several; the first is ours.
        if let directory = variable("STATE_DIRECTORY")?.split(separator: ":").first {
            return (.directory(String(directory), durability), nil)
        }
        let state = variable("XDG_STATE_HOME") ?? variable("HOME").map { $0 + "/.local/state" }
        guard let state else {
            throw Failure(
                .configuration,
                "there is no place for the records: give --data DIR, "
                    + "or --ephemeral to keep them in memory only"
            )
        }
        return (.directory("\(state)/dht/\(identity.nodeID)", durability), "\(state)/dht")
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

    private static func listenAddresses(_ texts: [String]) throws(Failure) -> [HostPort] {
        guard !texts.isEmpty else { return [HostPort(host: "0.0.0.0", port: 4100)] }
        var addresses: [HostPort] = []
        for text in texts {
            guard let address = HostPort(text) else {
                throw Failure(
                    .invalidArgument,
                    "--listen: \"\(text)\" is no HOST:PORT; an IPv6 address stands in brackets, [::1]:4100"
                )
            }
            do { try address.checkIsNotLinkLocal() } catch {
                throw Failure(.invalidArgument, "--listen: \(error.reason)")
            }
            addresses.append(address)
        }
        return addresses
    }

    private static func peers(_ texts: [String]) throws(Failure) -> [PeerAddress] {
        var peers: [PeerAddress] = []
        for text in texts {
            do { peers.append(try PeerAddress(parsing: text)) } catch { throw Failure(error) }
        }
        return peers
    }
}
