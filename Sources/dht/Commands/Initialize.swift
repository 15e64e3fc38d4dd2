import ArgumentParser
import DHTConfiguration
import DHTCrypto
import DHTEnvelope
import DHTGateway
import FoundationEssentials
import Glibc
import SecureDHT

struct Initialize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract:
            "Makes all that the first node of a team needs: keys, a roster with itself, a configuration."
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

    private static let files = [
        NodeDirectory.keyFile, NodeDirectory.networkFile, NodeDirectory.administratorFile,
        NodeDirectory.rosterFile, NodeDirectory.configurationFile,
    ]

    func run() async throws {
        Sodium.initialize()
        let key = NodeKey()
        let member = try member(key.identity)
        let directory = NodeDirectory(path: dir)
        try directory.refuse(Self.files, command: "init")
        // These take no time, and half of them is of no use.
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) }
        try make(key, member, in: directory)
        if json {
            Output.json(
                IdentityReply(id: key.identity.text, nodeID: "\(key.identity.nodeID)", name: member.name)
            )
        } else {
            Output.line(key.identity.text)
        }
        guard !quiet, !json else { return }
        Output.talk("dht node --config \(shellQuoted(directory.path(of: NodeDirectory.configurationFile)))")
        Output.talk("then, for each other machine: dht invite NAME")
        Output.talk(
            "Keep a copy of \(directory.path(of: NodeDirectory.administratorFile)), in secret: "
                + "who has it says who is a member"
        )
    }

    /// This machine's line in the roster.
    private func member(_ identity: Identity) throws(Failure) -> Allowlist.Member {
        let member = Allowlist.Member(
            identity: identity,
            name: name ?? Self.machineName(),
            addresses: try NodeDirectory.addresses(listen)
        )
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

    private func make(
        _ key: NodeKey,
        _ member: Allowlist.Member,
        in directory: NodeDirectory
    ) throws(Failure) {
        let (administrator, network) = (NodeKey(), NetworkSecret())
        let text = RosterText(
            members: [member],
            administrators: [.init(identity: administrator.identity, name: "\(member.name)-admin".clipped)]
        )
        try directory.make([
            (NodeDirectory.keyFile, { try key.write(to: $0, name: member.name) }),
            (NodeDirectory.networkFile, { try network.write(to: $0) }),
            (NodeDirectory.administratorFile, { try administrator.write(to: $0, name: "administrator") }),
            (
                NodeDirectory.rosterFile,
                { path in
                    let roster = try Roster(
                        signing: text.bytes,
                        serial: 1,
                        with: administrator,
                        network: network,
                        file: path
                    )
                    try FileBytes.makeFile(path, with: roster.fileText(of: network), mode: 0o644)
                }
            ),
            (
                NodeDirectory.configurationFile,
                { path in
                    let settings: [Setting: SettingValue] = [
                        .allow: .texts([NodeDirectory.rosterFile]),
                        .admin: .text(NodeDirectory.administratorFile),
                    ]
                    let bytes = NodeDirectory.configuration(member.name, listen, settings)
                    try FileBytes.makeFile(path, with: bytes, mode: 0o644)
                }
            ),
        ])
    }
}

extension String {
    /// As much of it as a name may have.
    fileprivate var clipped: String { String(prefix(32)) }
}
