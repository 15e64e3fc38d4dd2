import ArgumentParser
import DHTGateway
import SecureDHT

struct Members: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "members",
        abstract: "Lists the members: name, state, the roster each holds, identity."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        globals.show(try await globals.node().members(), MemberText.members)
    }
}

struct Admit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admit",
        abstract:
            "Makes somebody a member, everywhere: the running node signs a roster, and all take it over.",
        discussion: "The node needs an administrator's key: dht node --admin FILE."
    )

    @Argument(help: "Its identity, dht1…, as its own dht id prints it.")
    var identity: String

    @Argument(help: "What to call it: 1 to 32 characters, of A-Z a-z 0-9 . _ -.")
    var name: String

    @Argument(help: ArgumentHelp("Where to begin looking for it.", valueName: "addr=host:port"))
    var options: [String] = []

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let addresses = try options.map { option throws(Failure) in
            guard option.hasPrefix("addr=") else {
                throw Failure(.invalidArgument, "after the name come only addr=HOST:PORT, not \(option)")
            }
            return String(option.dropFirst("addr=".count))
        }
        let spread = try await globals.node().admit(identity, name: name, addresses: addresses)
        try globals.show(spread, "admitted \(name)")
    }
}

struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Expels a member, everywhere: from then on nobody answers it, and what it wrote is gone.",
        discussion: "The node needs an administrator's key: dht node --admin FILE."
    )

    @Argument(help: "Its name or its identity.")
    var member: String

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let spread = try await globals.node().revoke(member)
        try globals.show(spread, "revoked \(member)")
    }
}

extension GlobalOptions {
    /// Says how far a roster has come. Not everywhere where it could: exit code 7.
    func show(_ spread: SpreadReply, _ deed: String) throws {
        show(spread) { [MemberText.spread($0, deed)] }
        if !spread.absent.isEmpty {
            hint(
                "\(spread.absent.count) do not answer now, and get it with their first exchange: "
                    + spread.absent.joined(separator: ", ")
            )
        }
        hint("dht members\(socketFlag)")
        if !spread.behind.isEmpty { throw ExitCode(Failure.Code.partial.exit) }
    }
}
