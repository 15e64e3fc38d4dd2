import Hummingbird
import NIOCore
import Synchronization

/// What a request comes with: besides all else the connection it came by.
package struct ControlContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// Open connections, and what is being done for each: when a client goes away before it has its answer,
/// nobody needs that, and the task that makes it is cancelled.
///
/// A client that only says it will send no more, as some do after their request, is still there.
final class ControlConnections: Sendable {
    /// Of each connection that was ever asked something that may take long; `nil` between two requests.
    private let tasks = Mutex<[ObjectIdentifier: Task<Response, any Error>?]>([:])

    /// Makes an answer, as long as the connection it is for is open. A connection has one request at a time.
    func whileOpen(
        _ channel: any Channel,
        _ answer: @escaping @Sendable () async throws -> Response
    ) async throws -> Response {
        let name = ObjectIdentifier(channel)
        let task = Task { try await answer() }
        let isKnown = tasks.withLock { tasks in tasks.updateValue(task, forKey: name) != nil }
        // Once for each connection, for it may have many requests.
        if !isKnown {
            channel.closeFuture.whenComplete { _ in
                self.tasks.withLock { $0.removeValue(forKey: name) ?? nil }?.cancel()
            }
        }
        defer { tasks.withLock { if $0[name] != nil { $0.updateValue(nil, forKey: name) } } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
