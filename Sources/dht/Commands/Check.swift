import ArgumentParser
import DHTConfiguration
import DHTGateway
import SecureDHT

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks the settings and files of a node offline; starts nothing."
    )

    @OptionGroup var options: NodeOptions
    @OptionGroup var globals: GlobalOptions

    /// The settings that a check found in order.
    private struct Reply: Encodable {
        var schema = 1
        var ok = true
        var id: String
        var members: Int?
        var open: Bool
        var wellKnownNetwork: Bool
        /// As ``NetworkSecret/fingerprint``.
        var network: String
        var listen: [String]
        var peers: [String]

        enum CodingKeys: String, CodingKey {
            case schema, ok, id, members, open, network, listen, peers
            case wellKnownNetwork = "well_known_network"
        }
    }

    func run() async throws {
        Signals.exitOnInterrupt()
        let settings = try NodeSettings(options, globals)
        let setup = try NodeSetup(settings, environment: GlobalOptions.environment)
        _ = try HTTPSetup(settings, environment: GlobalOptions.environment)
        _ = try ControlServer.Access(settings)
        let configuration = setup.configuration
        let reply = Reply(
            id: configuration.key.identity.text,
            members: setup.memberCount,
            open: setup.members == nil,
            wellKnownNetwork: configuration.network.isWellKnown,
            network: configuration.network.fingerprint,
            listen: configuration.listen.map(\.description),
            peers: configuration.peers.map(\.description)
        )
        guard !globals.json else { return Output.json(reply) }
        Output.line("identity: \(reply.id)")
        Output.line(
            reply.members.map { "members: \($0)" } ?? "members: every holder of the network key (--open)"
        )
        Output.line("network key: " + (reply.wellKnownNetwork ? "the one everybody knows" : "your own"))
        Output.line("network: \(reply.network)")
        Output.line("listen: \(reply.listen.joined(separator: ", "))")
        if !reply.peers.isEmpty { Output.line("peers: \(reply.peers.joined(separator: ", "))") }
        Output.line("ok")
    }
}
