import Hummingbird
import Logging
import NIOCore
import SecureDHT
import ServiceLifecycle

/// A server that runs until it is stopped.
struct Serving: Sendable {
    /// Connections that are not over so long after the listening socket was closed are cut off. It comes
    /// first: a server that is cancelled while it takes a connection traps in NIO ("Deinited NIOAsyncWriter
    /// without calling finish").
    private static let patience = Duration.milliseconds(100)

    /// The address it is bound to.
    let address: SocketAddress?
    private let group: ServiceGroup
    private let task: Task<Void, Never>

    /// Returns when it takes connections.
    ///
    /// - Parameters:
    ///   - door: What cannot be opened, if so.
    ///   - application: Made with what it is to call when it listens.
    static func start<Responder: HTTPResponder>(
        _ door: String,
        logger: Logger,
        _ application: (@escaping @Sendable (any Channel) async -> Void) -> Application<Responder>
    ) async throws(Failure) -> Serving
    where
        Responder.Context: InitializableFromSource<
            ApplicationRequestContextSource
        >
    {
        let (starts, started) = AsyncStream.makeStream(of: Result<SocketAddress?, any Error>.self)
        let service = application { started.yield(.success($0.localAddress)) }
        var configuration = ServiceGroupConfiguration(services: [.init(service: service)], logger: logger)
        configuration.maximumGracefulShutdownDuration = patience
        let group = ServiceGroup(configuration: configuration)
        let task = Task { do { try await group.run() } catch { started.yield(.failure(error)) } }
        switch await starts.first(where: { _ in true }) {
        case .success(let address): return Serving(address: address, group: group, task: task)
        case .failure(let error): throw Failure(.configuration, "\(door) cannot be opened: \(error)")
        case nil: throw Failure(.internal, "\(door): the server ended before it began")
        }
    }

    func stop() async {
        await group.triggerGracefulShutdown()
        await task.value
    }
}
