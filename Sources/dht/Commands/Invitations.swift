import ArgumentParser
import DHTConfiguration
import DHTCrypto
import DHTGateway
import Glibc
import SecureDHT

struct Invite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite",
        abstract: "Prints a line that lets one machine in, once: dht join LINE.",
        discussion: """
            Several names give as many lines. The node needs an administrator's key, and has to run until \
            the machine has joined. Who gets the line first is let in: give it to nobody else.
            """
    )

    @Argument(help: "What to call the machine: 1 to 32 characters, of A-Z a-z 0-9 . _ -.")
    var names: [String]

    @Option(help: ArgumentHelp("How long it is open: 90s, 15m, 24h.", valueName: "duration"))
    var expires = "15m"

    @Option(
        help: ArgumentHelp(
            "Where the machine is to ask, if not where the node listens; may be given again.",
            valueName: "address:port"
        )
    )
    var addr: [String] = []

    @Flag(help: "Also as a picture to photograph, if there is a program qrencode.")
    var qr = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let seconds = try DurationText.seconds(expires, in: 1...86_400, for: "--expires")
        let painter = qr ? Subprocess("qrencode") : nil
        guard !qr || painter != nil else {
            throw Failure(
                .configuration,
                "--qr needs the program qrencode, which is not there: apt install qrencode; "
                    + "nothing was changed"
            )
        }
        let node = try globals.node()
        for name in names {
            let reply = try await node.invite(name, seconds: seconds, addresses: addr)
            globals.show(reply) { [$0.invitation] }
            // On standard error, so that standard output is the line alone.
            let picture = ["-t", "ANSIUTF8", "-o", "/dev/stderr", reply.invitation.uppercased()]
            if let painter, !painter.run(picture) {
                throw Failure(.internal, "qrencode failed; the invitation for \(name) is open all the same")
            }
        }
        let machine = names.count == 1 ? "on \(names[0])" : "on each of them, in this order"
        globals.hint(
            "\(machine), within \(expires): dht join LINE    "
                + "# whoever shows it first is let in: keep it secret"
        )
    }
}

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract:
            "Makes this machine a member, by a line that dht invite printed: keys, members, configuration.",
        discussion: "Without LINE, or with -, the line is read from standard input. Prints the identity."
    )

    @Argument(help: ArgumentHelp("dht-join1…, or - for standard input.", valueName: "line"))
    var line = "-"

    @Option(
        help: ArgumentHelp("Where to make the files; made if it is missing.", valueName: "dir"),
        completion: .directory
    )
    var dir = "."

    @Option(help: ArgumentHelp("Where the node listens. Default: 0.0.0.0:4100.", valueName: "host:port"))
    var listen: String?

    @Flag(help: "Start the node then, in the foreground.")
    var start = false

    @OptionGroup var globals: GlobalOptions

    private static let files = [
        NodeDirectory.keyFile, NodeDirectory.networkFile, NodeDirectory.listFile,
        NodeDirectory.configurationFile,
    ]

    func run() async throws {
        Sodium.initialize()
        Signals.exitOnInterrupt()
        let seconds = try DurationText.seconds(globals.timeout, in: 1...86_400, for: "--timeout")
        _ = try NodeDirectory.addresses(listen)
        let directory = NodeDirectory(path: dir)
        try directory.refuse(Self.files, command: "join LINE")
        let invitation: Invitation
        do { invitation = try Invitation(parsing: try text()) } catch { throw Failure(error) }
        let key = NodeKey()
        let admittance: Admittance
        do { admittance = try await DHTNode.join(invitation, as: key, within: .seconds(seconds)) } catch {
            throw Failure(error)
        }
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) }
        try make(key, admittance, in: directory)
        if globals.json {
            Output.json(
                IdentityReply(id: key.identity.text, nodeID: "\(key.identity.nodeID)", name: admittance.name)
            )
        } else {
            Output.line(key.identity.text)
        }
        let file = directory.path(of: NodeDirectory.configurationFile)
        globals.hint("joined as \(admittance.name), by \(invitation.inviter.text)")
        guard start else { return globals.hint("dht node --config \(shellQuoted(file))") }
        var flags = ["--config", file]
        if let socket = globals.socket { flags += ["--socket", socket] }
        if globals.quiet { flags.append("--quiet") }
        if globals.verbose { flags.append("--verbose") }
        let node = try RunNode.parse(flags)
        try await node.run()
    }

    private func text() throws(Failure) -> String {
        guard line == "-" else { return line }
        guard let bytes = FileBytes.readAll(STDIN_FILENO, limit: 4096) else {
            throw Failure(.invalidArgument, "standard input cannot be read")
        }
        return String(decoding: bytes, as: UTF8.self).trimmedOfBlanks
    }

    private func make(_ key: NodeKey, _ admittance: Admittance, in directory: NodeDirectory) throws(Failure) {
        try directory.make([
            (NodeDirectory.keyFile, { try key.write(to: $0, name: admittance.name) }),
            (NodeDirectory.networkFile, { try admittance.network.write(to: $0) }),
            (
                NodeDirectory.listFile,
                { path in
                    try FileBytes.makeFile(path, with: Array(admittance.listText.utf8), mode: 0o644)
                }
            ),
            (
                NodeDirectory.configurationFile,
                { path in
                    let settings: [Setting: SettingValue] = [.allow: .texts([NodeDirectory.listFile])]
                    let bytes = NodeDirectory.configuration(admittance.name, listen, settings)
                    try FileBytes.makeFile(path, with: bytes, mode: 0o644)
                }
            ),
        ])
    }
}

extension String {
    /// Without blanks and line ends around it.
    fileprivate var trimmedOfBlanks: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
