import DHTEnvelope
import SecureDHT
import Testing

@Suite struct StartingTests {
    private func code(_ body: () async throws -> Void) async -> DHTError.Code? {
        do { try await body() } catch let error as DHTError { return error.code } catch { return nil }
        return nil
    }

    @Test func `a port in use is a matter of configuration`() async throws {
        try await Team.running(1) { team in
            let taken = "127.0.0.1:\(team.nodes[0].addresses[0].port)"
            let configuration = team.configuration(of: 0, listen: taken)
            #expect(await code { _ = try await DHTNode.start(configuration) } == .configuration)
        }
    }

    @Test func `an address that is not ours cannot be listened on`() async throws {
        let team = try Team(1)
        let configuration = team.configuration(of: 0, listen: "192.0.2.1:0")
        #expect(await code { _ = try await DHTNode.start(configuration) } == .configuration)
    }

    @Test func `a peer's name that does not resolve keeps a node from starting`() async throws {
        let team = try Team(2)
        var configuration = team.configuration(of: 0)
        configuration.peers = [
            PeerAddress(
                identity: team.keys[1].identity,
                address: HostPort(host: "no-such-host.invalid", port: 1)
            )
        ]
        #expect(await code { _ = try await DHTNode.start(configuration) } == .unreachable)
    }

    @Test func `paths that no lookup can go are refused`() async throws {
        let team = try Team(1)
        var configuration = team.configuration(of: 0)
        configuration.paths = 9
        #expect(await code { _ = try await DHTNode.start(configuration) } == .invalidArgument)
        try await Team.running(1) { team in
            var options = GetOptions()
            options.paths = 0
            #expect(await code { _ = try await team.nodes[0].get([1], options: options) } == .invalidArgument)
            options.paths = 8
            let found = try await team.nodes[0].get([1], options: options)
            #expect(found.values.isEmpty)
        }
    }

    @Test func `a node listens on both families and is reached by either`() async throws {
        var team = try Team(2)
        var both = team.configuration(of: 0)
        both.listen = ["127.0.0.1:0", "[::1]:0"].compactMap { HostPort($0) }
        guard let first = try? await team.start(0, both) else { return }  // no IPv6 on this machine
        #expect(first.addresses.map(\.family) == [.ipv4, .ipv6])
        var other = team.configuration(of: 1, listen: "[::1]:0")
        other.peers = [
            PeerAddress(
                identity: first.identity,
                address: HostPort(host: "::1", port: first.addresses[1].port)
            )
        ]
        let second = try await team.start(1, other)
        try await second.put("hello", "world")
        #expect(try await first.get("hello") == "world")
        await team.stop()
    }

    @Test func `an address that makes the system refuse costs neither the socket nor the port`() async throws
    {
        var team = try Team(3)
        let first = try await team.start(0, team.configuration(of: 0))
        var lured = team.configuration(of: 1)
        // The broadcast address of the loopback network: EACCES.
        lured.peers.insert(
            PeerAddress(identity: team.keys[2].identity, address: HostPort(host: "127.255.255.255", port: 9)),
            at: 0
        )
        let second = try await team.start(1, lured)
        try await eventually("the system has refused") {
            await second.status().counters.contains { $0.name == "send_failed.EACCES" && $0.count > 0 }
        }
        try await eventually("the two meet") { try await first.ping(second.identity) != nil }
        try await second.put("hello", "world")
        #expect(try await first.get("hello") == "world")
        let status = await second.status()
        #expect(status.addresses == second.addresses)
        await team.stop()
    }

    @Test func `an empty list admits nobody`() async throws {
        var team = try Team(2)
        _ = try await team.start(0, team.configuration(of: 0, admission: .members(Allowlist())))
        let second = try await team.start(1, team.configuration(of: 1))
        #expect(await code { _ = try await second.get("hello") } == nil)
        #expect(await second.status().peersKnown == 0)
        let rejected = await team.nodes[0].status().rejected
        #expect(rejected.first { $0.reason == "admission" }.map { $0.count > 0 } == true)
        await team.stop()
    }

    @Test func `a member that is revoked is forgotten at once`() async throws {
        try await Team.running(3) { team in
            let fewer = try Team.allowlist(Array(team.keys.prefix(2)))
            await team.nodes[0].replaceAdmission(.members(fewer))
            #expect(await team.nodes[0].status().peersKnown == 1)
            #expect(await code { _ = try await team.nodes[0].ping(team.nodes[2].identity) } == .denied)
        }
    }

    @Test(arguments: [
        "", "dht://", "http://x", "dht://abc@1.2.3.4:1", "1.2.3.4:4100", "dht1qqq@1.2.3.4:1",
    ])
    func `what is no peer address is refused with the form it should have`(text: String) {
        do {
            _ = try PeerAddress(parsing: text)
            Issue.record("it was taken")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.reason.contains("dht://IDENTITY@HOST:PORT"))
        }
    }

    @Test func `a peer address reads back as it is written`() throws {
        let identity = NodeKey().identity
        for host in ["10.0.0.2:4100", "[2001:db8::1]:4100", "example.org:1"] {
            let text = "dht://\(identity.text)@\(host)"
            #expect(try PeerAddress(parsing: text).description == text)
        }
    }

    @Test(arguments: ["", ":", "a", "a:", ":1", "a:b", "a:65536", "::1:5", "[::1]", "[1.2.3.4]:5", "a b:1"])
    func `what is no host and port is refused`(text: String) { #expect(HostPort(text) == nil) }
}
