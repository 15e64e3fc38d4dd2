import Foundation
import Logging
import Testing

@testable import DHTGateway

/// Client and server over a real Unix socket.
struct ControlServerTests {
    private let place: ControlPlace

    init() throws { place = try ControlPlace() }

    private func expectIdentity(_ client: ControlClient) async throws {
        let reply = try await client.identity()
        #expect(reply.id == FakeNode.id)
    }

    @Test func `a server that is stopped while it takes connections ends`() async throws {
        for _ in 0..<20 {
            var open: [Int32] = []
            try await place.served { _ in
                for _ in 0..<20 { open.append(try UnixSocket.connect(to: place.path)) }
            }
            open.forEach { close($0) }
        }
    }

    @Test func `what the client asks the node is asked, and the answer is the node's`() async throws {
        try await place.served { client in
            /// Asks both; the answers are the same.
            func compare<Reply: Equatable & Sendable>(_ ask: (any NodeControl) async throws -> Reply)
                async throws
            {
                let (here, there) = (try await ask(place.node), try await ask(client))
                #expect(here == there)
            }
            let key = Array("a/b c?".utf8) + [0xFF]
            let put = PutQuery(lifetime: 90, condition: .revision(.max), minimumCopies: 2, isKept: true)
            let get = GetQuery(author: "ä & b=c", replicas: 8, paths: 3, all: true)
            try await compare { try await $0.put(key, [0, 0xFF], put) }
            try await compare { try await $0.get(key, get) }
            #expect(place.node.state.withLock { $0.puts } == [put, put])
            #expect(place.node.state.withLock { $0.gets } == [get, get])
            try await compare { try await $0.identity() }
            try await compare { try await $0.status() }
            try await compare { try await $0.peers() }
            try await compare { try await $0.reload(force: true) }
            try await compare { try await $0.ping("größe/1") }
            #expect(place.node.state.withLock { $0.pings } == ["größe/1", "größe/1"])
            let deleted = try await client.delete(key)
            #expect(deleted.copies.stored == 3)
        }
    }

    /// Those who clean directories of old files ask the system's list who is still listened on.
    @Test func `the system lists the socket under the name it has`() async throws {
        try await place.served { client in
            // The list may lack a line while others come and go.
            try await eventually("it is listed") {
                try systemList("/proc/net/unix").contains { $0.hasSuffix(" \(place.path)") }
            }
            #expect(place.folder.mode("dht.sock") == 0o600)
            try await expectIdentity(client)
        }
    }

    @Test func `a failure arrives as it was`() async throws {
        try await place.served { client in
            for code in Failure.Code.allCases {
                let failure = Failure(code, "because \"of\" ä")
                place.node.fail(with: failure)
                await #expect(throws: failure) { try await client.status() }
            }
        }
    }

    @Test func `values of every length come back byte for byte`() async throws {
        try await place.served { client in
            for count in [0, 1, 255, 640, 1_000_000, 16_777_216] {
                let value = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
                _ = try await client.put([1], value, PutQuery())
                let reply = try await client.get([1], GetQuery())
                #expect(reply.values.map(\.value.bytes) == [value])
            }
            let failure = Failure(
                .invalidArgument,
                "value is 16777217 bytes, the limit is 16777216 bytes"
            )
            await #expect(throws: failure) {
                try await client.put([1], [UInt8](repeating: 0, count: 16_777_217), PutQuery())
            }
            #expect(try await client.transfers() == place.node.transfers())
            #expect(try await client.kept() == place.node.kept())
        }
    }

    @Test func `the socket is its owner's alone, and gone after the stop`() async throws {
        try await place.served { _ in #expect(place.folder.mode("dht.sock") == 0o600) }
        #expect(place.folder.mode("dht.sock") == nil)
        let server = try await ControlServer.start(
            at: place.path,
            access: .group(getgid()),
            node: place.node,
            logger: place.logger
        )
        #expect(place.folder.mode("dht.sock") == 0o660)
        await server.stop()
    }

    @Test func `a second server is refused, and the first goes on`() async throws {
        try await place.served { client in
            let failure = await #expect(throws: Failure.self) {
                _ = try await ControlServer.start(at: place.path, node: place.node, logger: place.logger)
            }
            #expect(failure?.code == .configuration)
            try await expectIdentity(client)
        }
    }

    @Test func `a crashed server's socket is taken over`() async throws {
        close(try UnixSocket.listen(at: place.path))
        try await place.served { client in try await expectIdentity(client) }
    }

    @Test func `without a node the places that were tried are named`() async throws {
        let nobody = ControlClient(candidates: [
            .init(path: nil, label: "$XDG_RUNTIME_DIR/dht/dht.sock"),
            .init(path: place.path, label: "/run/dht/dht.sock"),
        ])
        let words =
            "no node is running. Tried $XDG_RUNTIME_DIR/dht/dht.sock, /run/dht/dht.sock. Start one: dht node"
        await #expect(throws: Failure(.unreachable, words)) { try await nobody.status() }
    }

    @Test func `the first place with a node behind it is taken`() async throws {
        try await place.served { _ in
            let client = ControlClient(candidates: [
                .init(path: place.folder.file("nobody"), label: "a"), .init(path: place.path, label: "b"),
            ])
            try await expectIdentity(client)
        }
    }

    @Test func `stop and wait returns when the server is gone`() async throws {
        let (server, client) = (
            try await ControlServer.start(at: place.path, node: place.node, logger: place.logger),
            place.client()
        )
        async let stopped: Void = client.stopAndWait()
        while place.node.state.withLock({ $0.stops }) == 0 { await Task.yield() }
        await server.stop()
        try await stopped
        #expect(ControlSocket.occupant(of: place.path) == .nothing)
    }

    @Test func `a client that goes away has what it asked for cancelled`() async throws {
        let server = try await ControlServer.start(at: place.path, node: place.node, logger: place.logger)
        place.node.state.withLock { $0.pause = .seconds(100) }
        let hasty = ControlClient(candidates: [.init(path: place.path, label: place.path)], timeout: 1)
        await #expect(throws: Failure.self) { try await hasty.get([1], GetQuery()) }
        try await eventually("it is cancelled") { place.node.state.withLock { $0.cancelled } == 1 }
        place.node.state.withLock { $0.pause = .zero }
        try await expectIdentity(place.client())
        await server.stop()
    }

    @Test func `a client that ends its side after its request is answered all the same`() async throws {
        try await place.served { client in
            _ = try await client.put([1], [7], PutQuery())
            place.node.state.withLock { $0.pause = .milliseconds(300) }
            let answer = try await place.ask("GET /v1/values/AQ HTTP/1.1\r\nhost: dht\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(place.node.state.withLock { $0.cancelled } == 0)
        }
    }

    @Test func `twenty clients at once are all answered`() async throws {
        try await place.served { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in UInt8(1)...20 {
                    group.addTask {
                        _ = try await client.put([number], [number], PutQuery())
                        let reply = try await client.get([number], GetQuery())
                        #expect(reply.values.map(\.value.bytes) == [[number]])
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
