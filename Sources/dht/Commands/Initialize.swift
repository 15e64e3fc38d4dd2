import ArgumentParser
import DHTConfiguration
import DHTCrypto
import DHTEnvelope
import DHTGateway
import Glibc
import SecureDHT

struct Initialize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract:
            "Makes all that a node needs to start: its key, a network key, an allowlist, a configuration."
    )

    @Option(
        help: ArgumentHelp("Where to make them; made if it is missing.", valueName: "dir"),
        completion: .directory
    )
    var dir = "."

    @Option(help: ArgumentHelp("What to call the node. Default: this machine's name.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("Where it listens. Default: 0.0.0.0:4100.", valueName: "host:port"))
    var listen: String?

    @Flag(name: [.short, .long], help: "No hints.")
    var quiet = false

    @Flag(help: "One JSON object on standard output.")
    var json = false

    /// Files by their names in the directory.
    private static let (keyFile, networkFile, listFile) = ("node.key", "net.key", "peers.allow")
    private static let configurationFile = "dht.toml"

    func run() async throws {
        Sodium.initialize()
        let key = NodeKey()
        let member = try member(key.identity)
        for file in [Self.keyFile, Self.networkFile, Self.listFile, Self.configurationFile] {
            try refuseExisting(path(file))
        }
        // These take no time, and half of them is of no use.
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) }
        try make(key, member)
        if json {
            Output.json(
                IdentityReply(id: key.identity.text, nodeID: "\(key.identity.nodeID)", name: member.name)
            )
        } else {
            Output.line(key.identity.text)
        }
        guard !quiet, !json else { return }
        Output.talk(
            "Other nodes need \(path(Self.networkFile)), in secret, and their lines in "
                + "\(path(Self.listFile)), which is the same everywhere"
        )
        Output.talk("dht node --config \(shellQuoted(path(Self.configurationFile)))")
    }

    private func path(_ file: String) -> String {
        dir == "." ? file : dir.hasSuffix("/") ? dir + file : "\(dir)/\(file)"
    }

    // MARK: Checks

    /// This machine's line in the list.
    private func member(_ identity: Identity) throws(Failure) -> Allowlist.Member {
        var addresses: [String] = []
        if let listen {
            let address = try HostPort(toListenOn: listen) { Failure(.invalidArgument, "--listen: \($0)") }
            let isEverywhere = [HostPort.everywhere, "0.0.0.0", "::"].contains(address.host)
            if !isEverywhere, address.port != 0 { addresses = [listen] }
        }
        let name = name ?? Self.machineName()
        let member = Allowlist.Member(identity: identity, name: name, addresses: addresses)
        do { _ = try Allowlist(members: [member]) } catch {
            throw Failure(.invalidArgument, "--name or --listen: \(error.message)")
        }
        return member
    }

    /// The first label of the host's name, as far as it can stand in a list.
    private static func machineName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
        let label = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.prefix { $0 != UInt8(ascii: ".") }
        let name = String(decoding: label, as: UTF8.self)
            .filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        return name.isEmpty ? "node" : String(name.prefix(32))
    }

    private func refuseExisting(_ path: String) throws(Failure) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        throw Failure(
            .conflict,
            "\(path) is there already; nothing was made. Choose another directory: dht init --dir DIR"
        )
    }

    // MARK: Making

    /// Makes all files, or none.
    private func make(_ key: NodeKey, _ member: Allowlist.Member) throws(Failure) {
        let isNew = unsafe mkdir(dir, 0o700) == 0
        guard isNew || errno == EEXIST else { throw FileBytes.failure(dir, "cannot be made") }
        var made: [String] = []
        do {
            try key.write(to: path(Self.keyFile), name: member.name)
            made.append(Self.keyFile)
            try NetworkSecret().write(to: path(Self.networkFile))
            made.append(Self.networkFile)
            try FileBytes.makeFile(path(Self.listFile), with: Array(list(member).utf8), mode: 0o644)
            made.append(Self.listFile)
            try FileBytes.makeFile(
                path(Self.configurationFile),
                with: Array(ConfigurationText.template(settings(member)).utf8),
                mode: 0o644
            )
        } catch {
            for file in made { unsafe unlink(path(file)) }
            if isNew { unsafe rmdir(dir) }
            throw Failure(error)
        }
    }

    private func settings(_ member: Allowlist.Member) -> [Setting: SettingValue] {
        var settings: [Setting: SettingValue] = [
            .key: .text(Self.keyFile), .network: .text(Self.networkFile), .allow: .texts([Self.listFile]),
            .name: .text(member.name),
        ]
        settings[.listen] = listen.map { .texts([$0]) }
        return settings
    }

    private func list(_ member: Allowlist.Member) -> String {
        let addresses = member.addresses.map { "  addr=\($0)" }.joined()
        return """
            # The members, one a line: IDENTITY  NAME  [addr=HOST:PORT]  # comment
            # The same list on every node; after a change: dht reload
            \(member.identity.text)  \(member.name)\(addresses)

            """
    }
}
