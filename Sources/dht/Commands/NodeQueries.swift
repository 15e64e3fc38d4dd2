import ArgumentParser
import DHTGateway

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows what the running node knows of itself."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let status = try await globals.node().status()
        guard !globals.json else { return Output.json(status) }
        (ShellText.health(status) + ShellText.status(status, withHealth: false)).forEach(Output.line)
        guard globals.verbose else { return }
        for (name, count) in status.counters.sorted(by: { $0.key < $1.key }) {
            Output.line("\(name): \(count)")
        }
        for (reason, count) in status.rejected.sorted(by: { $0.key < $1.key }) where count > 0 {
            Output.line("rejected, \(reason): \(count)")
        }
    }
}

struct Peers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "Lists members and contacts: name, state, address, round trip, identity."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        globals.show(try await globals.node().peers(), ShellText.peers)
    }
}

struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Asks a peer for a sign of life."
    )

    @Argument(help: "An identity or a member's name.")
    var peer: String

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply = try await globals.node().ping(peer)
        globals.show(reply) { [ShellText.answered($0)] }
    }
}

struct Reload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract:
            "Makes the running node read its allowlists again: all of them are valid, or nothing changes."
    )

    @Flag(help: "Even if the lists are empty, so that nobody is admitted any more.")
    var force = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply = try await globals.node().reload(force: force)
        guard !globals.json else { return Output.json(reply) }
        guard let members = reply.members else {
            return Output.line("Nothing to reload: the node runs with --open")
        }
        Output.line("Reloaded: \(members) members")
        if !reply.added.isEmpty { Output.line("Added: \(reply.added.joined(separator: ", "))") }
        if !reply.removed.isEmpty { Output.line("Removed: \(reply.removed.joined(separator: ", "))") }
        if let digest = reply.digest { Output.line("List: \(digest)") }
        if reply.isListed == false {
            Output.talk("the node itself is not on the list: peers with the same list turn it away")
        }
    }
}

struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stops the running node: it hands its records over, says goodbye and ends."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        try await globals.node().stopAndWait()
        globals.show(StopReply()) { _ in ["Stopped"] }
    }
}
