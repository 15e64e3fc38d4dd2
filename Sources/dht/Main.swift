import ArgumentParser
import DHTGateway
import Glibc
import SecureDHT

/// The command line. `docs/cli.md` is its contract.
struct DHT: AsyncParsableCommand {
    static let name = "dht"
    static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "A distributed hash table whose every message is signed, encrypted and for members only.",
        discussion: """
            Begin with: dht demo. A network of your own: dht init, exchange identities, \
            write them to peers.allow, dht node --config dht.toml.

            Exit codes: 0 ok, 1 internal, 2 usage, 3 not found, 4 conflict, 5 denied, 6 unreachable, \
            7 partial or time-out, 8 integrity, 9 bad configuration, 130 interrupted.
            """,
        version: "dht \(BuildVersion.text)",
        subcommands: [
            Initialize.self, Keygen.self, Identify.self, Check.self, Config.self, RunNode.self,
            Put.self, Get.self, Delete.self, List.self,
            Members.self, Invite.self, Join.self, Admit.self, Revoke.self, RosterCommand.self,
            Status.self, Peers.self, Routes.self, Trace.self, Doctor.self, Why.self, Top.self, Log.self,
            Ping.self, Reload.self, Stop.self, Backup.self, Restore.self, Store.self, Demo.self,
            Simulate.self, Bench.self,
        ]
    )
}

/// Parses, runs, and turns whatever went wrong into one line and an exit code.
@main
enum Main {
    static func main() async {
        Descriptors.fillStandard()
        var arguments: [String] = []
        do {
            let given = try Arguments.read()
            arguments = globalsLast(given)
            // A reload that is asked for before there is anything to reload: the lists are yet to be read.
            if arguments.first == RunNode.configuration.commandName { signal(SIGHUP, SIG_IGN) }
            try Arguments.checkEnvironment()
            try refuseUnknownCommand(arguments)
            var command = try parse(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            ProcessExit.exit(0)
        } catch {
            finish(error, asJSON: arguments.prefix { $0 != "--" }.contains("--json"))
        }
    }

    /// Commands that scripts run over and over. ArgumentParser looks at all commands before it parses one,
    /// which takes longer than the rest of these; so each is parsed by itself, if it can be. For that it has
    /// the name of the program as that of its super-command, or every one would first be looked through for
    /// what asks for completions. Words that are no command so are for the whole to judge.
    private static let frequent: [any ParsableCommand.Type] = [Get.self, Put.self]

    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        if let word = arguments.first,
            let type = frequent.first(where: { $0.configuration.commandName == word }),
            let command = try? type.parseAsRoot(Array(arguments.dropFirst())),
            Swift.type(of: command) == type
        {
            return command
        }
        return try DHT.parseAsRoot(arguments)
    }

    /// Options that every command takes may stand before the command too: they are moved behind it.
    private static func globalsLast(_ arguments: [String]) -> [String] {
        var rest = arguments[...]
        var globals: [String] = []
        while let first = rest.first {
            let isFlag = ["--json", "-q", "--quiet", "-v", "--verbose"].contains(first)
            let isPair = ["-s", "--socket", "--timeout"].contains(first)
            let isJoined = first.hasPrefix("--socket=") || first.hasPrefix("--timeout=")
            guard isFlag || isPair || isJoined else { break }
            globals += rest.prefix(isPair ? 2 : 1)
            rest = rest.dropFirst(isPair ? 2 : 1)
        }
        guard let command = rest.first, !command.hasPrefix("-") else { return arguments }
        let words = groups.contains { $0.commandName == command } ? 2 : 1
        return Array(rest.prefix(words)) + globals + rest.dropFirst(words)
    }

    /// Commands that are followed by one of their own.
    private static let groups = [
        Store.configuration, Config.configuration, RosterCommand.configuration,
    ]

    /// ArgumentParser calls an unknown command an unexpected argument; say what was meant.
    private static func refuseUnknownCommand(_ arguments: [String]) throws(Failure) {
        try refuseUnknown(arguments, among: DHT.configuration, "dht")
        for group in groups where arguments.first == group.commandName {
            try refuseUnknown(arguments.dropFirst(), among: group, "dht \(arguments[0])")
        }
    }

    private static func refuseUnknown(
        _ arguments: some Collection<String>,
        among commands: CommandConfiguration,
        _ prefix: String
    ) throws(Failure) {
        guard let word = arguments.first, !word.hasPrefix("-") else { return }
        // No further than to the one that is meant: each of them has to put its help together.
        guard !commands.subcommands.contains(where: { $0.configuration.commandName == word }) else { return }
        let known = commands.subcommands.compactMap { $0.configuration.commandName } + ["help"]
        guard word != "help" else { return }
        throw Failure(
            .invalidArgument,
            "unknown command \"\(word)\"" + Suggestion.hint(for: word, among: known)
                + ". All of them: \(prefix) --help"
        )
    }

    private static func finish(_ error: any Error, asJSON: Bool) -> Never {
        switch error {
        case let failure as Failure:
            end(failure, asJSON)
        case let code as ExitCode:
            ProcessExit.exit(code.rawValue)
        default:
            if DHT.exitCode(for: error) == .success {  // --help, --version, a completion script
                Output.text(DHT.fullMessage(for: error) + "\n")
                ProcessExit.exit(0)
            }
            end(Failure(.invalidArgument, DHT.message(for: error)), asJSON)
        }
    }

    private static func end(_ failure: Failure, _ asJSON: Bool) -> Never {
        ProcessExit.exit(failure.code.exit) { Output.report(failure, asJSON: asJSON) }
    }
}
