import DHTEnvelope
import Logging
import SecureDHT
@_exported import TestKit

/// A handful of nodes of one overlay in this process, over real sockets on the loopback interface.
struct Team {
    let network = NetworkSecret()
    let keys: [NodeKey]
    let list: Allowlist
    private(set) var nodes: [DHTNode] = []

    /// `count` members on one allowlist, none of them running.
    init(_ count: Int) throws {
        keys = (0..<count).map { _ in NodeKey() }
        list = try Self.allowlist(keys)
    }

    static func allowlist(_ keys: [NodeKey], options: String = "") throws -> Allowlist {
        let lines = keys.enumerated().map { "\($1.identity.text)  member-\($0)  \(options)" }
        return try Allowlist(parsing: lines.joined(separator: "\n"), file: "team.allow")
    }

    func configuration(of index: Int, admission: Admission? = nil, listen: String = "127.0.0.1:0")
        -> NodeConfiguration
    {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let first = nodes.first.map {
            PeerAddress(
                identity: $0.identity,
                address: HostPort(host: $0.reachableAddress.host, port: $0.reachableAddress.port)
            )
        }
        return NodeConfiguration(
            key: keys[index],
            network: network,
            admission: admission ?? .members(list),
            listen: HostPort(listen).map { [$0] } ?? [],
            peers: first.map { [$0] } ?? [],
            logger: logger
        )
    }

    /// Starts all members, each knowing the first.
    mutating func start() async throws {
        for index in keys.indices { nodes.append(try await DHTNode.start(configuration(of: index))) }
    }

    mutating func start(_ index: Int, _ configuration: NodeConfiguration) async throws -> DHTNode {
        let node = try await DHTNode.start(configuration)
        nodes.append(node)
        return node
    }

    func stop() async {
        for node in nodes { await node.stop() }
    }

    /// Waits until everybody knows everybody.
    func acquainted() async throws {
        for node in nodes {
            try await eventually("a member knows all others") {
                await node.status().peersUp == nodes.count - 1
            }
        }
    }

    /// Runs `body` with a running team whose members know each other, and stops it whatever happens.
    static func running(
        _ count: Int,
        areAcquainted: Bool = true,
        _ body: (Team) async throws -> Void
    ) async throws {
        var team = try Team(count)
        try await team.start()
        do {
            if areAcquainted { try await team.acquainted() }
            try await body(team)
        } catch {
            await team.stop()
            throw error
        }
        await team.stop()
    }
}
