import ArgumentParser
import SecureDHT

/// `feature-flags`: serves flags, and makes the keys of a network to try it with.
@main struct Command: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feature-flags",
        abstract: "Feature flags over HTTP, kept by a distributed hash table.",
        subcommands: [Serve.self, Keygen.self],
        defaultSubcommand: Serve.self
    )
}

extension HostPort: @retroactive ExpressibleByArgument {}
