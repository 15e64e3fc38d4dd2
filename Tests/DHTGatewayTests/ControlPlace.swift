import Logging

@testable import DHTGateway

/// A place for a control socket, and a made up node to serve there.
struct ControlPlace {
    let node = FakeNode()
    let scratch: Scratch
    let path: String
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        scratch = try Scratch()
        path = "\(scratch.path)/dht.sock"
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
}
