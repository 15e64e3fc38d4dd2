import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import SecureDHT

/// What ends a call before its answer: the task, the time, the node. Nothing is left of it then.
@Suite struct EndingTests {
    private enum Call: CaseIterable, CustomTestStringConvertible {
        case put, get, ping, delete, longPut, longGet

        var testDescription: String { "\(self)" }

        func make(at node: DHTNode, of peer: Identity, timeout: Duration? = nil) async throws {
            switch self {
            case .put: try await node.put("value", for: "short", options: PutOptions(timeout: timeout))
            case .get: _ = try await node.get("short", options: GetOptions(timeout: timeout))
            case .ping: _ = try await node.ping(peer, timeout: timeout)
            case .delete: try await node.delete("short", timeout: timeout)
            case .longPut:
                let value = [UInt8](repeating: 7, count: 16 << 20)
                try await node.put(value, for: "long", options: PutOptions(timeout: timeout))
            case .longGet: _ = try await node.get("there", options: GetOptions(timeout: timeout))
            }
        }
    }

    /// Two nodes, the second of which has a long value; then it is dead, or not.
    private func withPeers(
        areDead: Bool,
        _ body: (_ node: DHTNode, _ peer: Identity) async throws -> Void
    ) async throws {
        try await Team.running(2) { team in
            let value = [UInt8](repeating: 9, count: 2 << 20)
            try await team.nodes[1].put(value, for: "there", options: PutOptions(minimumCopies: 1))
            if areDead { await team.nodes[1].abandon() }
            try await body(team.nodes[0], team.nodes[1].identity)
        }
    }

    private func expectIdle(_ node: DHTNode) async throws {
        try await eventually("nothing is under way") { await node.loop.isIdle }
        #expect(await node.transfers().isEmpty)
    }

    @Test(arguments: [false, true])
    func `a call whose task is cancelled ends, and leaves nothing`(areDead: Bool) async throws {
        try await withPeers(areDead: areDead) { node, peer in
            for call in Call.allCases {
                for pause in [0, 1, 5] {
                    let task = Task { try await call.make(at: node, of: peer) }
                    try await Task.sleep(for: .milliseconds(pause))
                    task.cancel()
                    switch await task.result {
                    case .success: break  // It was done before.
                    case .failure(let error):
                        #expect(error is CancellationError || (error as? DHTError)?.code != .stopped)
                    }
                    let late = Task {
                        withUnsafeCurrentTask { $0?.cancel() }
                        try await call.make(at: node, of: peer)
                    }
                    await #expect(throws: CancellationError.self) { try await late.value }
                }
            }
            try await expectIdle(node)
        }
    }

    @Test func `a thousand cancelled calls leave nothing`() async throws {
        try await withPeers(areDead: true) { node, peer in
            let calls: [Call] = [.put, .get, .ping, .delete]
            let tasks = (0..<1000).map { number in
                Task { try await calls[number % calls.count].make(at: node, of: peer) }
            }
            for task in tasks { task.cancel() }
            for task in tasks { _ = await task.result }
            try await expectIdle(node)
        }
    }

    @Test func `a call whose time is over ends, and leaves nothing`() async throws {
        try await withPeers(areDead: true) { node, peer in
            for call in Call.allCases {
                let error = await #expect(throws: DHTError.self) {
                    try await call.make(at: node, of: peer, timeout: .zero)
                }
                #expect(error?.code == .timedOut)
            }
            try await expectIdle(node)
            // Plenty of time changes nothing.
            #expect(try await node.ping(peer, timeout: .seconds(600)) == nil)
        }
    }

    @Test func `calls that are under way when the node stops are told so`() async throws {
        try await withPeers(areDead: true) { node, peer in
            let asking = Task { while true { _ = try await node.ping(peer) } }
            try await eventually("it asks") { await !node.loop.isIdle }
            await node.abandon()
            let error = await #expect(throws: DHTError.self) { try await asking.value }
            #expect(error?.code == .stopped)
            let late = await #expect(throws: DHTError.self) { _ = try await node.get("anything") }
            #expect(late?.code == .stopped)
        }
    }

    @Test func `so many calls are under way at a time, and further ones have their turn`() async throws {
        var team = try Team(2)
        var configuration = team.configuration(of: 0)
        configuration.limits.operationsInFlight = 2
        let node = try await team.start(0, configuration)
        let other = try await team.start(1, team.configuration(of: 1))
        try await eventually("they meet") { await node.status().peersUp == 1 }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask { try await node.put("value \(number)", for: "key \(number)") }
            }
            try await group.waitForAll()
        }
        for number in 0..<200 { #expect(try await other.get("key \(number)")?.text == "value \(number)") }
        // Those that wait are cancelled, and run out of time, as others are.
        await other.abandon()
        let asking = (0..<8).map { _ in Task { while true { _ = try await node.ping(other.identity) } } }
        try await eventually("two ask") { await !node.loop.isIdle }
        let hasty = await #expect(throws: DHTError.self) {
            _ = try await node.ping(other.identity, timeout: .milliseconds(1))
        }
        #expect(hasty?.code == .timedOut)
        for task in asking { task.cancel() }
        for task in asking { _ = await task.result }
        try await expectIdle(node)
        await team.stop()
    }

    // MARK: Life

    @Test func `a node that is let go of closes, and says so`() async throws {
        let lines = LogLines()
        var node: DHTNode? = try await start(lines, listen: "127.0.0.1:0")
        let address = try #require(node?.addresses.first)
        node = nil
        try await eventually("the log says so") { lines.all.contains { $0.contains("without stop()") } }
        try await eventually("its port is free") {
            guard let next = try? await start(lines, listen: "\(address)") else { return false }
            await next.stop()
            return true
        }
        #expect(lines.all.count { $0.contains("without stop()") } == 1, "the second was stopped")
        #expect(lines.identities.count == 2, "each line names its node")
    }

    @Test(arguments: ["shutdown", "cancellation", "stop"])
    func `a node runs as a service until it is to end`(how: String) async throws {
        let lines = LogLines()
        let node = try await start(lines, listen: "127.0.0.1:0")
        let group = ServiceGroup(services: [node], logger: lines.logger)
        let running = Task { try await group.run() }
        try await eventually("it serves") { await node.isListening }
        switch how {
        case "shutdown": await group.triggerGracefulShutdown()
        case "cancellation": running.cancel()
        default: await node.stop()
        }
        _ = await running.result
        #expect(lines.all.contains { $0.contains("node stopped") })
        let error = await #expect(throws: DHTError.self) { _ = try await node.get("anything") }
        #expect(error?.code == .stopped)
    }

    @Test func `a node lives on the caller's event loops and threads`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let pool = NIOThreadPool(numberOfThreads: 1)
        let folder = try Folder()
        var team = try Team(1)
        var configuration = team.configuration(of: 0)
        (configuration.eventLoopGroup, configuration.threadPool) = (group, pool)
        configuration.storage = .directory(folder.path)
        let error = await #expect(throws: DHTError.self) { try await DHTNode.start(configuration) }
        #expect(error?.code == .configuration, "the pool does not run")
        pool.start()
        let node = try await team.start(0, configuration)
        #expect(node.loop.eventLoop === group.any())
        try await node.put("value", for: "key", options: PutOptions(minimumCopies: 1))
        await team.stop()
        try await group.shutdownGracefully()
        try await pool.shutdownGracefully()
    }

    private func start(_ lines: LogLines, listen: String) async throws -> DHTNode {
        let key = NodeKey()
        let configuration = NodeConfiguration(
            key: key,
            network: NetworkSecret(),
            admission: .members(try Team.allowlist([key])),
            listen: HostPort(listen).map { [$0] } ?? [],
            logger: lines.logger
        )
        return try await DHTNode.start(configuration)
    }
}

extension NodeLoop {
    /// Whether nothing is under way for anybody who uses the node.
    fileprivate var isIdle: Bool {
        !users.isAnyWaiting && engine.openWrites == 0
    }
}

/// Lines of a log, to be looked at.
final class LogLines: Sendable {
    private let lines = Mutex<[(text: String, identity: String?)]>([])

    var all: [String] { lines.withLock { $0.map(\.text) } }
    var identities: Set<String> { lines.withLock { Set($0.compactMap(\.identity)) } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self) }
    }

    private func add(_ text: String, _ identity: String?) { lines.withLock { $0.append((text, identity)) } }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.add("\(event.message)", metadata["identity"].map { "\($0)" })
        }
    }
}
