import DHTCore
import MetricsTestKit
import NIOCore
import NIOPosix
import Testing

@testable import SecureDHT

/// A library user's own backend, behind real nodes.
struct MetricsTests {
    private static let call = "dht_rpc_duration_seconds"

    private func dimensions(_ operation: String, _ outcome: String) -> [(String, String)] {
        [("operation", operation), ("outcome", outcome)]
    }

    @Test func `a backend sees requests, lookups, operations and rejections of two nodes`() async throws {
        let backends = [TestMetrics(), TestMetrics()]
        var team = try Team(2)
        for index in 0..<2 {
            var configuration = team.configuration(of: index)
            configuration.metrics = backends[index]
            _ = try await team.start(index, configuration)
        }
        try await team.acquainted()
        let (first, second) = (team.nodes[0], team.nodes[1])
        try await first.put("value", for: "key")
        #expect(try await second.get("key")?.text == "value")
        #expect(try await second.get("nothing") == nil)

        let stores = try backends[0].expectTimer(Self.call, dimensions("store", "answered"))
        #expect(!stores.values.isEmpty && stores.values.allSatisfy { $0 > 0 && $0 < 60_000_000_000 })
        let finds = try backends[1].expectTimer(Self.call, dimensions("find_value", "answered"))
        let status = await second.status()
        let rpc = try #require(status.rpcs.first { $0.operation == "find_value" })
        let repeated = try backends[1].expectTimer(Self.call, dimensions("find_value", "repeated"))
        #expect(UInt64(finds.values.count + repeated.values.count) == rpc.answered)
        #expect(rpc.outbound >= rpc.answered && rpc.answered == rpc.durations.reduce(0) { $0 + $1.count })
        #expect(rpc.durations.count == 17 && rpc.durations.last?.limit == nil)

        let operation = "dht_operation_duration_seconds"
        #expect(try backends[0].expectTimer(operation, dimensions("put", "done")).values.count == 1)
        #expect(try backends[1].expectTimer(operation, dimensions("get", "done")).values.count == 1)
        #expect(try backends[1].expectTimer(operation, dimensions("get", "absent")).values.count == 1)
        let lookups = try backends[1].expectTimer("dht_lookup_duration_seconds", [("operation", "get")])
        #expect(lookups.values.count == 2)
        #expect(try backends[1].expectRecorder("dht_lookup_hops").values.count >= 2)

        try await sendJunk(to: first.addresses[0])
        try await eventually("the rejection is told") {
            backends[0].counters(label: "dht_datagrams_rejected_total", dimensions: [("reason", "length")])
                .first?.totalValue == 1
        }
        try await eventually("the peer is good") {
            backends[0].recorders(label: "dht_peers", dimensions: [("state", "good")]).first?.lastValue == 1
        }
        #expect(backends[0].recorders(label: "dht_health").count == 5)
        #expect(!backends[0].timers(label: "dht_event_loop_lag_seconds").isEmpty)
        #expect(backends[0].recorders(label: "dht_clock_difference_seconds").isEmpty)
        await team.stop()
        let sent = await first.status().counters.first { $0.name == "transmitted" }?.count
        let told = backends[0].counterTotal(label: "dht_datagrams_total", dimensions: [("direction", "out")])
        #expect(sent.map { Int64($0) } == told, "the last counts are told when a node stops")
    }

    @Test func `a call nobody answers is told as given up`() async throws {
        let backend = TestMetrics()
        var team = try Team(2)
        var configuration = team.configuration(of: 0)
        configuration.metrics = backend
        let silent = try await SilentSocket.bind()
        let address = try #require(HostPort("127.0.0.1:\(silent.localAddress?.port ?? 0)"))
        configuration.peers = [PeerAddress(identity: team.keys[1].identity, address: address)]
        let node = try await team.start(0, configuration)
        try await eventually("the seed's PING is given up") {
            let timer = try? backend.expectTimer(Self.call, dimensions("ping", "timeout"))
            return timer.map { !$0.values.isEmpty && $0.values.allSatisfy { $0 > 100_000_000 } } ?? false
        }
        #expect(await node.status().rpcs.first { $0.operation == "ping" }?.timedOut ?? 0 > 0)
        await team.stop()
        try await silent.close().get()
    }

    private func sendJunk(to endpoint: Endpoint) async throws {
        let channel = try await SilentSocket.bind()
        let address = try SocketAddress(ipAddress: endpoint.host, port: Int(endpoint.port))
        let junk = AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: [1, 2, 3]))
        try await channel.writeAndFlush(junk).get()
        try await channel.close().get()
    }
}

/// A socket that answers nothing.
private enum SilentSocket {
    static func bind() async throws -> any Channel {
        let bootstrap = DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        return try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    }
}
