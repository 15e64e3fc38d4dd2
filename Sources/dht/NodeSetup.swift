import DHTCrypto
import DHTGateway
import SecureDHT

/// A node's flags, checked and read: everything that can be wrong before a socket is opened.
struct NodeSetup {
    let configuration: NodeConfiguration
    /// `nil` in open mode.
    let members: Allowlist?
    let allowFiles: [String]

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
            var configuration = NodeConfiguration(
                key: key,
                network: network ?? .wellKnown,
                admission: admission,
                listen: listen,
                peers: peers,
                name: options.name ?? variable("DHT_NAME")
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
