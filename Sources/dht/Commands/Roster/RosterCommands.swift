import ArgumentParser
import DHTGateway
import SecureDHT

struct RosterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roster",
        abstract: "The signed list of members: shows it, signs one, has it count.",
        subcommands: [ShowRoster.self, ExportRoster.self, SignRoster.self, PushRoster.self]
    )
}

struct ShowRoster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Prints the roster that counts at the running node."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply = try await globals.node().roster()
        globals.show(reply) { reply in
            let text = reply.roster.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            return [
                "# serial \(reply.serial), signed \(TimeText.ofYear(reply.signed)) by \(reply.administrator)"
            ] + text.map(String.init)
        }
    }
}

struct ExportRoster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract:
            "Writes the roster's file: to change its lines and sign it elsewhere, or to start a node with."
    )

    @Option(name: .shortAndLong, help: "The file; standard output if there is none.", completion: .file())
    var output: String?

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let bytes = Array(try await globals.node().roster().roster.utf8)
        try RosterFiles.write(bytes, to: output)
    }
}

struct SignRoster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract:
            "Signs a list of members as a roster, without a node: the administrator's key can be offline.",
        discussion: """
            FILE is an allowlist with a line @admin for each of those who may sign the next one, or a \
            roster's file whose lines were changed. The serial is one above the file's, or 1, unless it is \
            given.
            """
    )

    @Argument(help: "An allowlist, or a roster's file.", completion: .file())
    var file: String

    @Option(help: "The administrator's key file.", completion: .file())
    var admin: String

    @Option(help: "The network key's file.", completion: .file())
    var network: String

    @Option(help: "Above that of the roster that counts.")
    var serial: UInt64?

    @Option(name: .shortAndLong, help: "The file; standard output if there is none.", completion: .file())
    var output: String?

    @OptionGroup var passphrase: PassphraseOptions

    func run() async throws {
        do {
            let secret = try NetworkSecret(file: network)
            let key = try NodeKey(file: admin) { () throws(DHTError) in
                try Passphrase.ask(for: admin, passphrase.source)
            }
            let given = try FileBytes.readFile(file, limit: RosterFiles.limit)
            let (text, before) = RosterFiles.text(of: given)
            guard let next = serial ?? Roster.serial(after: before ?? 0) else {
                throw Failure(
                    .configuration,
                    "\(file) has the highest serial there is: begin anew, from a list"
                )
            }
            let roster = try Roster(
                signing: text,
                serial: next,
                with: key,
                network: secret,
                file: file
            )
            guard roster.list.administrators.contains(where: { $0.identity == key.identity }) else {
                throw Failure(
                    .configuration,
                    "\(file): \(key.identity.text) is not among its administrators: nobody would take over "
                        + "the next one it signs. Add: @admin \(key.identity.text) NAME"
                )
            }
            try RosterFiles.write(roster.fileText(of: secret), to: output)
            Output.talk("serial \(roster.serial), \(roster.list.members.count) members")
            if let output { Output.talk("dht roster push \(shellQuoted(output))") }
        } catch { throw Failure(error) }
    }
}

struct PushRoster: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Has a signed roster count, at the running node and so everywhere."
    )

    @Argument(help: "The roster's file.", completion: .file())
    var file: String

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let spread = try await globals.node().push(try FileBytes.readFile(file, limit: RosterFiles.limit))
        try globals.show(spread, "pushed \(file)")
    }
}

/// Files of rosters at the command line.
enum RosterFiles {
    /// More than a roster may have, so that its reader refuses it.
    static let limit = 9 << 20

    /// The list in a file, and the serial of its head, if it has one, good or not.
    static func text(of bytes: [UInt8]) -> (text: [UInt8], serial: UInt64?) {
        guard Roster.isRoster(bytes), let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            return (bytes, nil)
        }
        let words = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ")
        let serial = words.first { $0.hasPrefix("serial=") }.flatMap { UInt64($0.dropFirst("serial=".count)) }
        return (Array(bytes[(end + 1)...]), serial)
    }

    static func write(_ bytes: [UInt8], to path: String?) throws(Failure) {
        guard let path else { return Output.text(String(decoding: bytes, as: UTF8.self)) }
        let draft = try DraftFile(path, mode: 0o644)
        draft.append(bytes)
        try draft.finish()
    }
}
