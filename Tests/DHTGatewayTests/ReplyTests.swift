import Foundation
import Testing

@testable import DHTGateway

/// The fields scripts rely on: `docs/cli.md`.
struct ReplyTests {
    private func object(_ reply: some Encodable) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(ReplyCoding.encode(reply)))
        return try #require(json as? [String: Any])
    }

    @Test func `id`() async throws {
        let json = try object(await FakeNode().identity())
        #expect(Set(json.keys) == ["schema", "id", "node_id", "name"])
        #expect(json["schema"] as? Int == 1)
        let nameless = try object(IdentityReply(id: "a", nodeID: "b", name: nil))
        #expect(nameless["name"] is NSNull)
    }

    @Test func `status`() async throws {
        let json = try object(await FakeNode().status())
        #expect(json["schema"] as? Int == 1)
        #expect(json["address"] as? String == "127.0.0.1:8002")
        #expect(json["node_id"] as? String == String(repeating: "1a", count: 20))
        #expect(json["peers"] as? [String: Int] == ["known": 3, "up": 2])
        #expect(json["records"] as? [String: Int] == ["count": 0, "bytes": 400])
        #expect(json["rejected"] as? [String: Int] == ["sender": 4, "header": 0])
    }

    @Test func `status names members that do what no honest one does`() async throws {
        let node = FakeNode()
        #expect(try object(await node.status())["suspects"] as? [String] == [])
        node.state.withLock {
            $0.suspects = [
                .init(id: "dht1b", name: "beta", offence: "broken-content", count: 12, last: 50_602),
                .init(id: "dht1c", name: nil, offence: "over-budget", count: 1, last: 86_405),
            ]
        }
        let status = try await node.status()
        let suspects = try #require(try object(status)["suspects"] as? [[String: Any]])
        #expect(Set(suspects[0].keys) == ["id", "name", "offence", "count", "last"])
        #expect(suspects[0]["count"] as? Int == 12)
        #expect(
            ShellText.status(status).suffix(3) == [
                "suspect: beta: broken-content, 12 times, last 14:03:22",
                "suspect: dht1c: over-budget, once, last 00:00:05", "==================",
            ]
        )
        #expect(try ReplyCoding.decode(ReplyCoding.encode(status)) == status)
    }

    @Test func `peers, the unknown as null`() async throws {
        let json = try object(await FakeNode().peers())
        let peers = try #require(json["peers"] as? [[String: Any]])
        #expect(peers.allSatisfy { Set($0.keys) == ["id", "name", "address", "state", "rtt_ms"] })
        #expect(peers[0]["rtt_ms"] as? Double == 0.25)
        #expect(peers[1]["address"] is NSNull)
    }

    @Test func `get`() async throws {
        let node = FakeNode()
        _ = try await node.put([0x6B], Array("größe".utf8), PutQuery())
        let json = try object(await node.get([0x6B], GetQuery()))
        #expect(json["schema"] as? Int == 1)
        #expect(json["key"] as? String == "k")
        #expect(json["value"] as? String == "größe")
        #expect(json["revision"] as? UInt64 == 117_324_213_452_374_017)
        #expect(json["revision_text"] as? String == "117324213452374017")
        #expect((json["author"] as? [String: String])?["id"] == FakeNode.id)
        #expect(json["copies"] as? [String: Int] == ["found": 3])
        #expect(json["expires"] as? Int == 1_795_000_000)
        #expect((json["values"] as? [Any])?.count == 1)
    }

    @Test func `bytes that are no UTF-8 are base64`() async throws {
        let node = FakeNode()
        _ = try await node.put([0xFF], [0xFE, 0x00], PutQuery())
        let reply = try await node.get([0xFF], GetQuery())
        let json = try object(reply)
        #expect(json["value"] == nil)
        #expect(json["value_base64"] as? String == "/gA=")
        #expect(json["key_base64"] as? String == "/w==")
        #expect(try ReplyCoding.decode(ReplyCoding.encode(reply)) == reply)
    }

    @Test func `put`() async throws {
        let json = try object(await FakeNode().put([0x6B], [], PutQuery()))
        #expect(json["copies"] as? [String: Int] == ["stored": 3, "target": 4])
        #expect(json["expires"] as? Int == 1_795_000_000)
        #expect(json["revision"] as? UInt64 == 117_324_213_452_374_017)
    }

    @Test func `a put names who hides it`() async throws {
        let node = FakeNode()
        #expect(try object(await node.put([0x6B], [], PutQuery()))["hidden_by"] == nil)
        node.state.withLock { $0.hider = .init(id: "dht1b", name: "beta") }
        let reply = try await node.put([0x6B], [], PutQuery())
        let json = try object(reply)
        #expect(json["hidden_by"] as? [String: String] == ["id": "dht1b", "name": "beta"])
        #expect(try ReplyCoding.decode(ReplyCoding.encode(reply)) == reply)
        let answer = await Shell(node).answer(Array("put k v".utf8))
        #expect(answer.lines == ["Stored key 'k' at 3 nodes", "hidden by a newer value of beta"])
    }

    @Test func `a put says who may not see it`() async throws {
        let node = FakeNode()
        #expect(try object(await node.put([0x6B], [], PutQuery()))["unreached"] == nil)
        node.state.withLock { $0.unreached = ["ipv6"] }
        let reply = try await node.put([0x6B], [], PutQuery())
        #expect(try object(reply)["unreached"] as? [String] == ["ipv6"])
        #expect(try ReplyCoding.decode(ReplyCoding.encode(reply)) == reply)
        let answer = await Shell(node).answer(Array("put k v".utf8))
        #expect(answer.lines.last?.hasPrefix("members with IPv6 addresses only may not see it") == true)
    }

    @Test func `a failure`() throws {
        let failure = Failure(.denied, "no")
        let json = ReplyCoding.encode(FailureReply(failure))
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"error":{"code":"denied","exit":5,"message":"no"},"schema":1}"#
        )
        #expect(try ReplyCoding.decode(json, as: FailureReply.self).failure == failure)
    }

    @Test func `what is not understood is a failure, not a crash`() {
        #expect(throws: Failure.self) { try ReplyCoding.decode(Array("[]".utf8), as: GetReply.self) }
        #expect(throws: Failure.self) { try ReplyCoding.decode([], as: PutReply.self) }
    }
}
