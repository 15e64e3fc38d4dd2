import ArgumentParser
import Hummingbird
import Logging
import SecureDHT
import ServiceLifecycle
import UnixSignals

/// Runs a node of the table and an HTTP server in one process.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves flags until SIGTERM or SIGINT.")

    @Option(help: "The file of this node's key.")
    var key: String
    @Option(help: "The file of the key that all nodes have in common.")
    var networkKey: String
    @Option(help: "The file that lists the nodes, with their addresses.")
    var allowlist: String
    @Option(help: "Where the node listens, over UDP: HOST:PORT.")
    var listen: HostPort
    @Option(help: "Where the HTTP server listens: HOST:PORT.")
    var http: HostPort
    @Option(
        name: .customLong("data"),
        help: "The directory of the node's records; without it they are in memory."
    )
    var directory: String?

    func run() async throws {
        let logger = Logger(label: "feature-flags")
        let node = try await DHTNode.start(
            NodeConfiguration(
                key: NodeKey(file: key),
                network: NetworkSecret(file: networkKey),
                admission: .members(Allowlist(file: allowlist)),
                listen: [listen],
                storage: directory.map { .directory($0) } ?? .memory,
                logger: logger
            )
        )
        let server = Application(
            router: FlagRoutes(flags: Flags(node: node)).router(),
            configuration: ApplicationConfiguration(address: .hostname(http.host, port: Int(http.port))),
            logger: logger
        )
        // A group stops its services from the last to the first: whoever is being served still has the node.
        var configuration = ServiceGroupConfiguration(
            services: [node, server],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        // A client that never ends its request keeps nobody.
        configuration.maximumGracefulShutdownDuration = .seconds(10)
        try await ServiceGroup(configuration: configuration).run()
    }
}
