import Logging
import NIOPosix
import SecureDHT

/// Nodes of one overlay in one process, over real sockets on the loopback interface.
public enum Crowd {
    /// Starts them one after the other; each is told of the first.
    ///
    /// - Parameters:
    ///   - pause: Between two starts, so that they need not share the processor.
    ///   - group: The event loops of the first; those of the process, if none are given.
    public static func start(
        _ count: Int,
        pause: Duration = .zero,
        firstOn group: MultiThreadedEventLoopGroup = .singleton
    ) async throws -> [DHTNode] {
        let keys = (0..<count).map { _ in NodeKey() }
        let lines = keys.enumerated().map { "\($1.identity.text)  node-\($0)" }
        let list = try Allowlist(parsing: lines.joined(separator: "\n"), file: "benchmark.allow")
        let network = NetworkSecret()
        var logger = Logger(label: "benchmark")
        logger.logLevel = .critical
        var nodes: [DHTNode] = []
        for key in keys {
            let first = nodes.first.map {
                let address = HostPort(host: $0.reachableAddress.host, port: $0.reachableAddress.port)
                return PeerAddress(identity: $0.identity, address: address)
            }
            var configuration = NodeConfiguration(
                key: key,
                network: network,
                admission: .members(list),
                listen: [HostPort(host: "127.0.0.1", port: 0)],
                peers: first.map { [$0] } ?? [],
                logger: logger
            )
            if nodes.isEmpty { configuration.eventLoopGroup = group }
            nodes.append(try await DHTNode.start(configuration))
            try await Task.sleep(for: pause)
        }
        return nodes
    }
}
