import Glibc
import Logging
import SecureDHT

/// Nodes of one overlay in this process, over real sockets on the loopback interface, which keep nothing.
struct BenchOverlay: Sendable {
    /// The cost of a number of operations.
    struct Sample {
        /// Of each operation, ascending.
        var latencies: [Duration] = []
        var wall = Duration.zero
        /// Of all nodes, and of whoever asked them.
        var processor = Duration.zero
        /// Since the sample began, what all nodes sent for the first time, and all that they sent.
        var calls: UInt64 = 0
        var retransmissions: UInt64 = 0
        var datagrams: UInt64 = 0

        var count: Int { latencies.count }
        var perSecond: Double { Double(count) * 1000 / wall.inMilliseconds }

        func latency(at share: Double) -> Duration {
            latencies[min(count - 1, Int(share * Double(count)))]
        }
    }

    private struct Totals {
        var (calls, retransmissions, datagrams) = (UInt64(0), UInt64(0), UInt64(0))
    }

    /// An operation that was measured.
    private struct Done<Result: Sendable>: Sendable {
        let number: Int
        let latency: Duration
        let result: Result
    }

    /// An overlay is quiet when nothing was sent for so long.
    private static let silence = Duration.seconds(1)
    /// Then it is measured, quiet or not.
    private static let longestWait = Duration.seconds(20)

    let nodes: [DHTNode]

    /// Starts them, and waits until they know one another.
    static func start(_ count: Int) async throws -> BenchOverlay {
        let keys = (0..<count).map { _ in NodeKey() }
        let members = keys.enumerated().map { Allowlist.Member(identity: $1.identity, name: "node-\($0)") }
        let list = try Allowlist(members: members)
        let network = NetworkSecret()
        var logger = Logger(label: "dht")
        logger.logLevel = .critical
        var nodes: [DHTNode] = []
        for key in keys {
            let first = nodes.first.map { node in
                let address = HostPort(host: node.reachableAddress.host, port: node.reachableAddress.port)
                return PeerAddress(identity: node.identity, address: address)
            }
            let configuration = NodeConfiguration(
                key: key,
                network: network,
                admission: .members(list),
                listen: [HostPort(host: "127.0.0.1", port: 0)],
                peers: first.map { [$0] } ?? [],
                logger: logger
            )
            nodes.append(try await DHTNode.start(configuration))
        }
        let overlay = BenchOverlay(nodes: nodes)
        await overlay.settle()
        return overlay
    }

    /// Ends all of them, without a goodbye: there is nobody left to tell.
    func end() async {
        for node in nodes { await node.abandon() }
    }

    private func settle() async {
        let began = ContinuousClock.now
        var (last, since) = (UInt64.max, began)
        while ContinuousClock.now - since < Self.silence, ContinuousClock.now - began < Self.longestWait {
            try? await Task.sleep(for: .milliseconds(100))
            let sent = await totals().datagrams
            if sent != last { (last, since) = (sent, .now) }
        }
    }

    private func totals() async -> Totals {
        var totals = Totals()
        for node in nodes {
            let status = await node.status()
            for counter in status.counters {
                switch counter.name {
                case "transmitted": totals.datagrams += counter.count
                case "retransmissions": totals.retransmissions += counter.count
                default: break
                }
            }
            totals.calls += status.rpcs.reduce(0) { $0 + $1.outbound }
        }
        return totals
    }

    /// Does an operation `count` times, `atOnce` of them at any time; `operation` is told its number. The
    /// results are in the order of these.
    func measure<Result: Sendable>(
        _ count: Int,
        atOnce: Int,
        _ operation: @escaping @Sendable (Int) async throws -> Result
    ) async throws -> (sample: Sample, results: [Result]) {
        let before = await totals()
        let processor = Self.processorTime
        let began = ContinuousClock.now
        var sample = Sample()
        let done = try await withThrowingTaskGroup(of: [Done<Result>].self) { group in
            for first in 0..<atOnce {
                group.addTask {
                    var done: [Done<Result>] = []
                    for number in stride(from: first, to: count, by: atOnce) {
                        let began = ContinuousClock.now
                        let result = try await operation(number)
                        done.append(
                            Done(number: number, latency: ContinuousClock.now - began, result: result)
                        )
                    }
                    return done
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        sample.wall = ContinuousClock.now - began
        sample.processor = Self.processorTime - processor
        let after = await totals()
        sample.calls = after.calls - before.calls
        sample.retransmissions = after.retransmissions - before.retransmissions
        sample.datagrams = after.datagrams - before.datagrams
        sample.latencies = done.map(\.latency).sorted()
        return (sample, done.sorted { $0.number < $1.number }.map(\.result))
    }

    /// Of all threads of this process, since it began.
    static var processorTime: Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
