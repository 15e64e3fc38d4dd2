import DHTEnvelope
import Glibc
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

    @Test func `an address that is not ours cannot be listened on by any port`() async throws {
        let team = try Team(1)
        let configuration = team.configuration(of: 0, listen: "192.0.2.1:0")
        #expect(await code { _ = try await DHTNode.start(configuration) } == .configuration)
    }

    @Test func `an address that is not ours yet is waited for, and the node can be stopped meanwhile`()
        async throws
    {
        let team = try Team(1)
        let node = try await DHTNode.start(team.configuration(of: 0, listen: "192.0.2.1:4100"))
        async let listens = node.listens()
        #expect(await node.status().addresses.map(\.description) == ["192.0.2.1:4100"])
        let complaints = await node.status().complaints
        #expect(complaints == [.init(.listen, "192.0.2.1:4100 is not open; it is tried again and again")])
        #expect(try await node.get("anything") == nil)
        await node.stop()
        #expect(await listens == false)
    }

    @Test func `a node that is asked at any of its addresses answers from that one`() async throws {
        var team = try Team(2)
        let first = try await team.start(0, team.configuration(of: 0, listen: "0.0.0.0:0"))
        var asking = team.configuration(of: 1)
        // All of 127.0.0.0/8 is this machine; left to itself the system answers from 127.0.0.1.
        let asked = HostPort(host: "127.0.0.77", port: first.addresses[0].port)
        asking.peers = [PeerAddress(identity: first.identity, address: asked)]
        let second = try await team.start(1, asking)
        try await eventually("the two meet") { await second.status().peersUp == 1 }
        #expect(await second.peers().first?.address?.description == "\(asked)")
        // An answer from another address is none.
        try await eventually("the other takes what it is sent") {
            (try? await second.put("answered", for: "asked"))?.stored == 2
        }
        #expect(await second.peers().first?.address?.description == "\(asked)")
        await team.stop()
    }

    @Test func `a star listens on both families, by one port`() async throws {
        var team = try Team(1)
        let node = try await team.start(0, team.configuration(of: 0, listen: "*:0"))
        #expect(node.addresses.first?.host == "0.0.0.0")
        // Unless this machine has no IPv6.
        #expect(node.addresses.dropFirst().allSatisfy { $0.host == "::" })
        #expect(Set(node.addresses.map(\.port)).count == 1)
        await team.stop()
    }

    @Test(arguments: ["[fe80::1]:4100", "[fe80::1%lo]:0", "[fd00::1%lo]:4100"])
    func `an address that means something on one link only cannot be listened on`(address: String)
        async throws
    {
        let configuration = try Team(1).configuration(of: 0, listen: address)
        do {
            let node = try await DHTNode.start(configuration)
            await node.abandon()
            Issue.record("it was taken")
        } catch {
            #expect(error.code == .invalidArgument)
            #expect(error.reason.hasPrefix("\(address): a link-local address"))
        }
    }

    @Test func `starts that fail leave nothing behind, however many`() async throws {
        try await Team.running(1) { team in
            let taken = "127.0.0.1:\(team.nodes[0].addresses[0].port)"
            func fail(_ times: Int) async {
                for number in 0..<times {
                    let address = number % 3 == 0 ? "192.0.2.1:0" : taken
                    let configuration = team.configuration(of: 0, listen: address)
                    #expect(await code { _ = try await DHTNode.start(configuration) } == .configuration)
                }
            }
            await fail(20)
            let before = try Footprint()
            await fail(1500)
            let after = try Footprint()
            // Other tests have some of each meanwhile; a leak would be one a start at least.
            #expect(after.descriptors < before.descriptors + 500)
            #expect(after.threads < before.threads + 100)
            #expect(after.lockedKilobytes < before.lockedKilobytes + 4 * 500)
        }
    }

    @Test func `a peer's name that does not resolve now keeps no node from serving`() async throws {
        var team = try Team(2)
        let first = try await team.start(0, team.configuration(of: 0))
        var configuration = team.configuration(of: 1)
        let names = ["no-such-host.example", "no-such-host.invalid"].map {
            PeerAddress(identity: team.keys[0].identity, address: HostPort(host: $0, port: 1))
        }
        configuration.peers = [names[0]]
        let second = try await team.start(1, configuration)
        var options = PutOptions()
        options.minimumCopies = 1
        _ = try? await second.put([2], for: [1], options: options)
        await second.stop()
        // One that never resolves harms nobody as long as there are others.
        let place = HostPort(host: first.reachableAddress.host, port: first.reachableAddress.port)
        configuration.peers = [names[1], PeerAddress(identity: first.identity, address: place)]
        let third = try await team.start(1, configuration)
        _ = try await third.put([3], for: [1], options: options)
        #expect(try await first.get([1])?.value == [3])
        await third.stop()
        await first.stop()
    }

    @Test func `where no name of a peer can ever resolve a node does not start`() async throws {
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
            #expect(found == nil)
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
        try await second.put("world", for: "hello")
        #expect(try await first.get("hello")?.text == "world")
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
        try await second.put("world", for: "hello")
        #expect(try await first.get("hello")?.text == "world")
        let status = await second.status()
        #expect(status.addresses == second.addresses)
        await team.stop()
    }

    @Test func `an empty list admits nobody`() async throws {
        var team = try Team(2)
        _ = try await team.start(0, team.configuration(of: 0, admission: .members(Allowlist())))
        let second = try await team.start(1, team.configuration(of: 1))
        #expect(await code { _ = try await second.get("hello") } == .unreachable)
        #expect(await second.status().peersKnown == 0)
        let rejected = await team.nodes[0].status().rejected
        #expect(rejected.first { $0.reason == .admission }.map { $0.count > 0 } == true)
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
        "dht://\(TestPeer.identity)@[fe80::1%eth0]:1", "dht://\(TestPeer.identity)@[fe80::1]:1",
        "dht://\(TestPeer.identity)@*:1",
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

private enum TestPeer {
    static let identity = NodeKey().identity.text
}

/// What this process holds of the system.
private struct Footprint {
    let descriptors: Int
    let threads: Int
    let lockedKilobytes: Int

    init() throws {
        let directory = try #require(unsafe opendir("/proc/self/fd"))
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        descriptors = count
        threads = try Self.status("Threads:")
        lockedKilobytes = try Self.status("VmLck:")
    }

    private static func status(_ name: String) throws -> Int {
        let file = try #require(unsafe fopen("/proc/self/status", "r"))
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while unsafe fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix(name) else { continue }
            return try #require(Int(text.dropFirst(name.count).filter(\.isNumber)))
        }
        throw NeverHappened("\(name) in /proc/self/status")
    }
}
