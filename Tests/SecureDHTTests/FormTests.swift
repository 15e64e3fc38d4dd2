import Foundation
import SecureDHT
import Testing

/// Keys, lists, values and addresses in the forms in which programs have them.
@Suite struct FormTests {
    private struct Flag: Codable, Hashable {
        var isOn: Bool
        var percentage: Int
    }

    @Test func `values go in and come out as bytes, as text and as JSON`() async throws {
        try await Team.running(2) { team in
            let (node, reader) = (team.nodes[0], team.nodes[1])
            try await node.put(Data("bytes".utf8), for: "a".utf8)
            try await node.put("sliced".utf8.dropFirst(2), for: "b")
            try await node.put("text", for: "c")
            let flag = Flag(isOn: true, percentage: 30)
            try await node.put(encoding: flag, for: "d")
            #expect(try await reader.get("a")?.text == "bytes")
            #expect(try await reader.get("b".utf8)?.text == "iced")
            #expect(try await reader.get(Data("c".utf8))?.value == Array("text".utf8))
            #expect(try await reader.get("d", as: Flag.self) == flag)
            #expect(try await reader.get("nothing", as: Flag.self) == nil)
            await #expect(throws: DecodingError.self) { _ = try await reader.get("c", as: Flag.self) }
            try await node.put([0xFF], for: "e")
            let binary = try await reader.get("e")
            #expect(binary?.text == nil && binary?.value == [0xFF])
        }
    }

    @Test func `times and durations are such`() async throws {
        try await Team.running(2) { team in
            let before = Date()
            let receipt = try await team.nodes[0].put(
                "value",
                for: "key",
                options: PutOptions(lifetime: .seconds(3600), isKept: true)
            )
            #expect(abs(receipt.revision.date.timeIntervalSince(before)) < 600)
            #expect(abs(receipt.expires.timeIntervalSince(receipt.revision.date) - 3600) < 0.001)
            let found = try await team.nodes[1].get("key")
            #expect(found?.expires == receipt.expires && found?.revision == receipt.revision)
            let kept = await team.nodes[0].keptValues()
            #expect(
                kept.map(\.lifetime) == [.seconds(3600)] && kept.map(\.renewed) == [receipt.revision.date]
            )
            let roundTrip = try await team.nodes[0].ping(team.nodes[1].identity)
            #expect(try #require(roundTrip) > .zero)
            #expect(await team.nodes[0].status().uptime > .zero)
        }
    }

    @Test func `addresses, identities and revisions are their texts, in JSON too`() throws {
        let identity = NodeKey().identity
        func check<Value: LosslessStringConvertible & Codable & Equatable>(_ value: Value) throws {
            #expect(Value("\(value)") == value)
            let json = try JSONEncoder().encode([value])
            #expect(try JSONDecoder().decode([String].self, from: json) == ["\(value)"])
            #expect(try JSONDecoder().decode([Value].self, from: json) == [value])
            #expect(Value("nonsense") == nil)
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([Value].self, from: Data("[\"nonsense\"]".utf8))
            }
        }
        try check(identity)
        try check(identity.nodeID)
        try check(Revision(rawValue: .max))
        try check(HostPort(host: "::1", port: 4100))
        let endpoint = try #require(Endpoint("[2001:db8::1]:4100"))
        try check(endpoint)
        try check(PeerAddress(identity: identity, address: HostPort(endpoint)))
        #expect(Endpoint(HostPort(endpoint)) == endpoint && Endpoint("localhost:1") == nil)
        #expect(Revision("+5") == nil && Revision("05") == nil)
        #expect(NodeID(String(repeating: "+5", count: 20)) == nil)
        #expect(NodeID("\(identity.nodeID)".uppercased()) == identity.nodeID)
    }

    @Test func `keys come from bytes and from texts`() throws {
        let seed = (0..<32).map { UInt8($0) }
        let key = try NodeKey(seed: seed)
        #expect(try NodeKey(seed: Data(seed)).identity == key.identity)
        let text = String(decoding: try key.fileText(created: Date(timeIntervalSince1970: 0)), as: UTF8.self)
        #expect(text.hasPrefix("# dht node key, created 1970-01-01T00:00:00Z"))
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("DHT-SECRET") })
        #expect(try NodeKey(text: String(line)).identity == key.identity)
        let secret = try NetworkSecret(bytes: seed)
        let network = String(decoding: secret.fileText(), as: UTF8.self)
        let other = try #require(network.split(separator: "\n").first { $0.hasPrefix("DHT-NETWORK") })
        #expect(try NetworkSecret(text: String(other)).fingerprint == secret.fingerprint)
        for failure in [
            #expect(throws: DHTError.self, performing: { try NodeKey(seed: [1, 2, 3]) }),
            #expect(throws: DHTError.self, performing: { try NodeKey(text: String(other)) }),
            #expect(
                throws: DHTError.self,
                performing: { try NetworkSecret(bytes: [UInt8](repeating: 0, count: 33)) }
            ),
            #expect(throws: DHTError.self, performing: { try NetworkSecret(text: String(line)) }),
        ] {
            #expect(failure?.code == .invalidArgument)
            #expect([line, other].allSatisfy { failure?.reason.contains($0) == false }, "no secret is shown")
        }
    }

    @Test func `a list is made of members, each of which must be good`() throws {
        let keys = (0..<3).map { _ in NodeKey() }
        let members = keys.enumerated().map {
            Allowlist.Member(identity: $1.identity, name: "n\($0)", addresses: ["127.0.0.1:\(4100 + $0)"])
        }
        let list = try Allowlist(members: members)
        let lines = members.map { "\($0.identity.text) \($0.name) addr=\($0.addresses[0])" }
        #expect(try list == Allowlist(parsing: lines.joined(separator: "\n"), file: "x"))
        #expect(list.member(keys[1].identity)?.name == "n1")
        let identity = NodeKey().identity
        let bad: [Allowlist.Member] = [
            members[0], .init(identity: identity, name: "n0"), .init(identity: identity, name: "no blanks"),
            .init(identity: identity, name: "a", addresses: ["nowhere"]),
        ]
        for member in bad {
            let error = #expect(throws: AllowlistError.self) { try Allowlist(members: members + [member]) }
            #expect(error?.line == 4)
        }
    }
}
