import Foundation
import Logging
import Synchronization
import Testing

@testable import DHTGateway

/// Users of the control socket who begin and do not finish.
struct ControlLimitsTests {
    private let place: ControlPlace

    init() throws { place = try ControlPlace() }

    /// A connection on which this was sent and nothing follows.
    private func begin(_ text: String) throws -> Int32 {
        let descriptor = try Scratch.connect(to: place.path)
        let bytes = Array(text.utf8)
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        return descriptor
    }

    /// Reads until the other side closes.
    private func expectEnd(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while read(descriptor, &buffer, buffer.count) > 0 {}
        close(descriptor)
    }

    private let unfinished = "PUT /v1/values/YQ HTTP/1.1\r\nhost: dht\r\ncontent-length: 100\r\n\r\nbeginning"

    @Test func `what is not finished in its time is closed`() async throws {
        var limits = ControlLimits()
        limits.bodyTime = .milliseconds(200)
        limits.idleTime = .seconds(3)
        try await place.served(limits) { client in
            expectEnd(try begin(unfinished))
            expectEnd(try begin("PUT /v1/val"))
            expectEnd(try begin(""))
            let reply = try await client.identity()
            #expect(reply.id == FakeNode.id)
        }
        #expect(place.node.state.withLock { $0.values.isEmpty })
    }

    @Test func `bodies have bounded room, and wait for it`() async throws {
        var limits = ControlLimits()
        limits.bodyBytes = 150
        limits.bodyTime = .seconds(4)
        try await place.served(limits) { client in
            let first = try begin(unfinished)
            defer { close(first) }
            try await Task.sleep(for: .seconds(1))
            let stored = try await client.put([1], [UInt8](repeating: 1, count: 100), PutQuery())
            #expect(stored.copies.stored > 0)
            // It had to wait until the first one's time was over.
            var byte: UInt8 = 0
            let count = recv(first, &byte, 1, Int32(MSG_DONTWAIT))
            #expect(count == 0)
        }
    }

    @Test func `connections are bounded, and the next is served once one closes`() async throws {
        var limits = ControlLimits()
        limits.connections = 3
        try await place.served(limits) { client in
            let others = try (0..<3).map { _ in try begin("GET ") }
            try await Task.sleep(for: .seconds(1))  // or they would be taken together with the next
            let question = Task { try await client.stop() }
            try await Task.sleep(for: .seconds(1))
            #expect(place.node.state.withLock { $0.stops } == 0)
            others.forEach { close($0) }
            let reply = try await question.value
            #expect(reply.stopping && place.node.state.withLock { $0.stops } == 1)
        }
    }

    @Test func `a node is told of a process that wanted its socket`() async throws {
        let lines = Mutex<[String]>([])
        let logger = Logger(label: "test") { _ in
            RememberingLog { line in lines.withLock { $0.append(line) } }
        }
        let server = try await ControlServer.start(at: place.path, node: place.node, logger: logger)
        #expect(throws: Failure.self) { try ControlSocket.claim(place.path) }
        for _ in 0..<600 where lines.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(50)) }
        let line = lines.withLock { $0.first } ?? ""
        #expect(line.contains("another process wanted this node's control socket"))
        #expect(line.contains("\(getpid())"))
        await server.stop()
    }
}

/// Hands lines on.
private struct RememberingLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    let sink: @Sendable (String) -> Void

    init(_ sink: @escaping @Sendable (String) -> Void) { self.sink = sink }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { sink("\(event.message) \(event.metadata ?? [:])") }
}
