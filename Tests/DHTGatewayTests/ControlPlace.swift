import Glibc
import Logging
@_exported import TestKit
import Testing

@testable import DHTGateway

/// A place for a control socket, and a made up node to serve there.
struct ControlPlace {
    let node = FakeNode()
    let folder: Folder
    let path: String
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        folder = try Folder()
        path = folder.file("dht.sock")
    }

    func client() -> ControlClient {
        ControlClient(candidates: [.init(path: path, label: path)], timeout: 120)
    }

    /// Serves the node while `body` runs.
    func served(
        _ limits: ControlLimits = ControlLimits(),
        _ body: (ControlClient) async throws -> Void
    ) async throws {
        let server = try await ControlServer.start(at: path, node: node, limits: limits, logger: logger)
        do { try await body(client()) } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// Sends a question, says that no more will come, and reads to the end.
    func ask(_ question: String) async throws -> String {
        let descriptor = try UnixSocket.connect(to: path)
        defer { close(descriptor) }
        let bytes = Array(question.utf8)
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        shutdown(descriptor, Int32(SHUT_WR))
        var (answer, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
        while true {
            try await somethingToRead(at: descriptor)
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: answer, as: UTF8.self) }
            answer += buffer[..<count]
        }
    }
}

/// Returns when there is something to read, if only the end. The thread is free meanwhile: the node that is
/// to answer needs it.
func somethingToRead(at descriptor: Int32) async throws {
    try await eventually("something comes", within: 600) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) > 0
    }
}
