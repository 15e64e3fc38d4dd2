import Hummingbird
import NIOCore
import Synchronization

/// A request's context: besides all else the connection it came by.
package struct ControlContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// Open connections, and what is being done for each: when a client goes away before it has its answer,
/// nobody needs that, and whatever makes it is ended.
///
/// A client that only says it will send no more, as some do after their request, is still there.
final class ControlConnections: Sendable {
    /// The function that ends the work for each connection that was ever asked something that may take long;
    /// `nil` between two requests.
    private let endings = Mutex<[ObjectIdentifier: (@Sendable () -> Void)?]>([:])

    /// Makes an answer, as long as the connection it is for is open. A connection has one request at a time.
    func whileOpen<Answer: Sendable>(
        _ channel: any Channel,
        _ answer: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let task = Task { try await answer() }
        begin(on: channel) { task.cancel() }
        defer { end(on: channel) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Something is being done for a connection, and this is what ends it: called if it closes before `end`.
    func begin(on channel: any Channel, _ ending: @escaping @Sendable () -> Void) {
        let name = ObjectIdentifier(channel)
        let isKnown = endings.withLock { endings in endings.updateValue(ending, forKey: name) != nil }
        // Once for each connection, for it may have many requests.
        guard !isKnown else { return }
        channel.closeFuture.whenComplete { _ in
            let ending = self.endings.withLock { $0.removeValue(forKey: name) ?? nil }
            ending?()
        }
    }

    func end(on channel: any Channel) {
        let name = ObjectIdentifier(channel)
        endings.withLock { if $0[name] != nil { $0.updateValue(nil, forKey: name) } }
    }
}
