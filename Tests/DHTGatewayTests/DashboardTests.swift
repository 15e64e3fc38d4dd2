import Foundation
import Testing

@testable import DHTGateway

/// The page, its policy, and the states it shows.
struct DashboardTests {
    @Test func `the page is the file, and small`() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/DHTGateway/Web/Dashboard/page.html")
        #expect(DashboardPage.bytes == Array(try Data(contentsOf: file)))
        #expect(DashboardPage.bytes.count <= 60 * 1024)
        #expect(String(validating: DashboardPage.bytes, as: UTF8.self) != nil)
    }

    @Test func `the page has one style and one script, and the policy names the hashes of both`() throws {
        let page = try #require(String(validating: DashboardPage.bytes, as: UTF8.self))
        var policy = DashboardPage.contentSecurityPolicy
        for element in ["style", "script"] {
            let parts = page.components(separatedBy: "<\(element)")
            #expect(parts.count == 2)
            let text = try #require(parts.last?.dropFirst().components(separatedBy: "</\(element)>").first)
            let hash = "'sha256-\(try Self.hash(of: text))'"
            #expect(policy.contains("; \(element)-src \(hash);"))
            policy = policy.replacingOccurrences(of: hash, with: "'\(element)'")
        }
        #expect(
            policy == """
                default-src 'none'; style-src 'style'; script-src 'script'; connect-src 'self'; \
                img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
                """
        )
    }

    @Test func `the page needs nothing from elsewhere, and makes no markup of what it is told`() throws {
        let page = try #require(String(validating: DashboardPage.bytes, as: UTF8.self))
        for word in [
            "https:", "src=", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
            "eval(", " style=", " onclick=", "setAttribute('style'", "Function(",
        ] {
            #expect(!page.contains(word), "\(word)")
        }
    }

    @Test func `a state has all its fields, the unknown as null`() throws {
        let json = try Self.object(Self.state(isKnown: false))
        #expect(
            Set(json.keys) == [
                "schema", "time", "id", "node_id", "name", "network", "version", "uptime_ms", "address",
                "health", "peers", "peers_total", "buckets", "copies", "records", "rpcs",
                "histogram_bounds_ms", "rejected", "knocking", "events",
            ]
        )
        #expect(json["schema"] as? Int == 1)
        #expect(json["id"] as? String == "dht1a")
        #expect(json["uptime_ms"] as? Int == 90_000)
        for field in ["name", "network", "version", "address"] { #expect(json[field] is NSNull, "\(field)") }
        let peer = try #require((json["peers"] as? [[String: Any]])?.first)
        #expect(Set(peer.keys) == ["id", "node_id", "name", "address", "state", "rtt_ms", "why"])
        for field in ["name", "address", "rtt_ms", "why"] { #expect(peer[field] is NSNull, "\(field)") }
        let reason = try #require(((json["health"] as? [String: Any])?["reasons"] as? [[String: Any]])?.first)
        #expect(Set(reason.keys) == ["code", "text", "next"])
        #expect(reason["next"] is NSNull)
        #expect((json["health"] as? [String: Any])?["ok"] as? Bool == false)
        let records = try #require(json["records"] as? [String: Any])
        #expect(Set(records.keys) == ["count", "bytes", "limit_bytes", "under_replicated"])
        #expect(records["under_replicated"] is NSNull)
        let traffic = try #require((json["rpcs"] as? [[String: Any]])?.first)
        #expect(
            Set(traffic.keys) == [
                "operation", "outbound", "inbound", "answered", "timed_out", "histogram",
            ]
        )
        let rejected = try #require((json["rejected"] as? [[String: Any]])?.first)
        #expect(Set(rejected.keys) == ["reason", "count", "last_source", "last"])
        #expect(rejected["last_source"] is NSNull && rejected["last"] is NSNull)
    }

    @Test(arguments: [true, false])
    func `a state comes back from its JSON`(isKnown: Bool) throws {
        let state = Self.state(isKnown: isKnown)
        #expect(try ReplyCoding.decode(ReplyCoding.encode(state)) == state)
    }

    @Test func `lists are cut at their limits, the numbers behind them are not`() {
        var state = Self.state(isKnown: true)
        let peer = state.peers[0]
        state = DashboardReply(
            time: state.time,
            identity: state.identity,
            network: nil,
            version: nil,
            uptimeMilliseconds: 0,
            address: nil,
            health: state.health,
            peers: Array(repeating: peer, count: 501),
            peersTotal: 501,
            buckets: [],
            copies: Array(repeating: "00000000", count: 513),
            records: state.records,
            traffic: [],
            histogramBoundsMilliseconds: [],
            rejected: [],
            knocking: [],
            events: (0...50).map { .init(time: $0, level: "info", text: "") }
        )
        #expect(state.peers.count == 500 && state.peersTotal == 501)
        #expect(state.copies.count == 512)
        #expect(state.events.map(\.time) == Array(0..<50))
    }

    /// With everything, or without all that may be unknown.
    private static func state(isKnown: Bool) -> DashboardReply {
        DashboardReply(
            time: 1_764_488_000_123,
            identity: IdentityReply(id: "dht1a", nodeID: "1a", name: isKnown ? "alpha" : nil),
            network: isKnown ? "0f3a9c41" : nil,
            version: isKnown ? "1.0" : nil,
            uptimeMilliseconds: 90_000,
            address: isKnown ? "127.0.0.1:4100" : nil,
            health: .init(
                reasons: [.init(code: "isolated", text: "no one", next: isKnown ? "dht peers" : nil)]
            ),
            peers: [
                .init(
                    id: "dht1b",
                    nodeID: "2b",
                    name: isKnown ? "beta" : nil,
                    address: isKnown ? "127.0.0.1:4101" : nil,
                    state: "bad",
                    roundTripMilliseconds: isKnown ? 0.25 : nil,
                    why: isKnown ? "does not answer" : nil
                )
            ],
            peersTotal: 1,
            buckets: [.init(index: 0, count: 1)],
            copies: ["1a2b3c4d"],
            records: .init(count: 1, bytes: 2, limitBytes: 3, underReplicated: isKnown ? 0 : nil),
            traffic: [
                .init(
                    operation: "PING",
                    outbound: 5,
                    inbound: 4,
                    answered: 3,
                    timedOut: 2,
                    histogram: [1, 2]
                )
            ],
            histogramBoundsMilliseconds: [1],
            rejected: [
                .init(
                    reason: "header",
                    count: 1,
                    lastSource: isKnown ? "192.0.2.1:9" : nil,
                    last: isKnown ? 1_764_488_000 : nil
                )
            ],
            knocking: [.init(id: "dht1c", address: "192.0.2.2:9", count: 1, last: 1_764_488_000)],
            events: [.init(time: 1_764_488_000_000, level: "info", text: "it begins")]
        )
    }

    private static func object(_ reply: some Encodable) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(ReplyCoding.encode(reply)))
        return try #require(json as? [String: Any])
    }

    /// SHA-256 in base64, by another implementation.
    private static func hash(of text: String) throws -> String {
        let program = Process()
        program.executableURL = URL(filePath: "/usr/bin/env")
        program.arguments = ["sha256sum"]
        let (input, output) = (Pipe(), Pipe())
        (program.standardInput, program.standardOutput) = (input, output)
        try program.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        let line = String(bytes: try output.fileHandleForReading.readToEnd() ?? Data(), encoding: .utf8) ?? ""
        program.waitUntilExit()
        let digits = Array(line.prefix { $0 != " " })
        let digest = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        return Data(digest).base64EncodedString()
    }
}
