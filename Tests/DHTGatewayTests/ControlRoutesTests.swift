import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import DHTGateway

struct ControlRoutesTests {
    private let node = FakeNode()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: [UInt8] = []
    ) async throws -> (status: Int, body: String) {
        let responder = ControlRoutes.router(for: node, metrics: { "metrics\n" }).buildResponder()
        let channel = NIOAsyncTestingChannel()
        let request = Request(
            head: HTTPRequest(method: method, scheme: "http", authority: "dht", path: path),
            body: RequestBody(buffer: ByteBuffer(bytes: body))
        )
        let context = ControlContext(
            source: ApplicationRequestContextSource(channel: channel, logger: logger)
        )
        let response = try await responder.respond(to: request, context: context)
        let writer = Collector()
        try await response.body.write(writer)
        return (response.status.code, String(decoding: writer.bytes, as: UTF8.self))
    }

    @Test func `a value is put, got and deleted under its key in base64url`() async throws {
        let key = "/v1/values/" + Base64URL.encode([0xFB, 0xFF, 0x20])
        #expect(try await send(.put, key, Array("v".utf8)).status == 200)
        let got = try await send(.get, key)
        #expect(got.status == 200)
        #expect(got.body.contains(#""value":"v""#))
        #expect(try await send(.delete, key).status == 200)
        let missed = try await send(.get, key)
        #expect(missed.status == 404)
        #expect(missed.body.contains(#""code":"notFound","exit":3"#))
    }

    @Test func `metrics are text`() async throws {
        let answer = try await send(.get, "/v1/metrics")
        #expect(answer.status == 200 && answer.body == "metrics\n")
    }

    @Test func `parameters arrive`() async throws {
        _ = try await send(.put, "/v1/values/aw?ttl=90s&if-rev=17&min-copies=2")
        _ = try await send(.put, "/v1/values/aw?if-absent=true")
        _ = try await send(.get, "/v1/values/aw?author=be%74a&all=true&replicas=8&paths=3")
        #expect(
            node.state.withLock { $0.puts } == [
                PutQuery(lifetime: 90, condition: .revision(17), minimumCopies: 2),
                PutQuery(condition: .absent),
            ]
        )
        #expect(
            node.state.withLock { $0.gets } == [GetQuery(author: "beta", replicas: 8, paths: 3, all: true)]
        )
    }

    @Test func `paths that are no number are refused`() async throws {
        let answer = try await send(.get, "/v1/values/aw?paths=x")
        #expect(answer.status == 400)
        #expect(answer.body.contains(#"paths: \"x\" is no number"#))
        #expect(node.state.withLock { $0.gets.isEmpty })
    }

    @Test(arguments: [
        "/v1/values/a", "/v1/values/a+b=", "/v1/values/aw?ttl=soon", "/v1/values/aw?ttl=0",
        "/v1/values/aw?if-rev=-1", "/v1/values/aw?if-rev=1&if-absent=true", "/v1/values/aw?if-absent=maybe",
        "/v1/values/aw?min-copies=x", "/v1/values/aw?mincopies=2",
    ])
    func `what is not understood is refused, never ignored`(path: String) async throws {
        let answer = try await send(.put, path, [1])
        #expect(answer.status == 400)
        #expect(answer.body.contains(#""code":"invalidArgument""#))
        #expect(node.state.withLock { $0.puts.isEmpty })
    }

    @Test func `a misspelt parameter is told what was meant`() async throws {
        #expect(try await send(.put, "/v1/values/aw?tll=90s").body.contains(#"did you mean \"ttl\"?"#))
    }

    @Test(arguments: [(640, 200), (16 << 20, 200), (16 << 20 | 1, 413)])
    func `a value too large is 413`(count: Int, status: Int) async throws {
        let answer = try await send(.put, "/v1/values/aw", [UInt8](repeating: 7, count: count))
        #expect(answer.status == status)
        if status != 200 { #expect(answer.body.contains("16777216 bytes")) }
    }

    @Test func `the node is asked and told`() async throws {
        #expect(try await send(.get, "/v1/id").body.contains(FakeNode.id))
        #expect(try await send(.get, "/v1/status").body.contains(#""records":{"bytes":400,"count":0}"#))
        #expect(try await send(.get, "/v1/peers").body.contains(#""rtt_ms":0.25"#))
        #expect(try await send(.get, "/v1/transfers").body.contains(#""key_base64":"/w==""#))
        #expect(try await send(.get, "/v1/kept").body.contains(#""revision_text":"117324213452374017""#))
        #expect(try await send(.post, "/v1/ping/beta").status == 200)
        #expect(node.state.withLock { $0.pings } == ["beta"])
        #expect(
            try await send(.post, "/v1/reload").body
                == #"{"added":[],"members":3,"removed":[],"schema":1}"#
        )
        #expect(try await send(.post, "/v1/reload?force=maybe").status == 400)
        #expect(try await send(.post, "/v1/reload?forse=true").status == 400)
        #expect(try await send(.post, "/v1/stop").body == #"{"schema":1,"stopping":true}"#)
        #expect(node.state.withLock { $0.stops } == 1)
    }

    @Test(arguments: zip(Failure.Code.allCases, [500, 400, 404, 409, 403, 503, 504, 500, 422]))
    func `every failure has its status`(code: Failure.Code, status: Int) async throws {
        node.fail(with: Failure(code, "because"))
        let answer = try await send(.get, "/v1/status")
        #expect(answer.status == status)
        #expect(answer.body.contains(#""code":"\#(code.rawValue)","exit":\#(code.exit),"message":"because""#))
    }

    @Test func `an unknown route is an answer in JSON`() async throws {
        let answer = try await send(.get, "/v1/nonsense")
        #expect(answer.status == 404)
        #expect(answer.body.contains(#""schema":1"#))
    }
}

/// What a response writes.
private final class Collector: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []

    func write(_ buffer: ByteBuffer) async throws { bytes += Array(buffer.readableBytesView) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
