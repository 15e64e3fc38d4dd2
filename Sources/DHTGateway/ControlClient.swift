import NIOCore
import NIOHTTP1
import NIOPosix

/// A running node as its control socket shows it. One connection a request: a node that went away is noticed
/// at once.
package struct ControlClient: NodeControl {
    private let candidates: [ControlSocket.Candidate]
    private let timeout: TimeAmount
    private let group: MultiThreadedEventLoopGroup

    /// - Parameter timeout: Seconds within which a request is answered.
    package init(candidates: [ControlSocket.Candidate], timeout: UInt32 = 30) {
        self.candidates = candidates
        self.timeout = .seconds(Int64(timeout))
        group = .singleton
    }

    package func identity() async throws(Failure) -> IdentityReply { try await ask(.GET, "id") }
    package func status() async throws(Failure) -> StatusReply { try await ask(.GET, "status") }
    package func peers() async throws(Failure) -> PeersReply { try await ask(.GET, "peers") }
    package func reload() async throws(Failure) -> ReloadReply { try await ask(.POST, "reload") }

    package func get(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> GetReply {
        var parameters: [String] = []
        if let author = query.author { parameters.append("author=\(PercentEncoding.encode(author))") }
        if let replicas = query.replicas { parameters.append("replicas=\(replicas)") }
        if let paths = query.paths { parameters.append("paths=\(paths)") }
        if query.all { parameters.append("all=true") }
        return try await ask(.GET, try path(key), parameters)
    }

    package func put(_ key: [UInt8], _ value: [UInt8], _ query: PutQuery) async throws(Failure) -> PutReply {
        var parameters: [String] = []
        if let lifetime = query.lifetime { parameters.append("ttl=\(lifetime)") }
        switch query.condition {
        case nil: break
        case .absent: parameters.append("if-absent=true")
        case .revision(let revision): parameters.append("if-rev=\(revision)")
        }
        if let copies = query.minimumCopies { parameters.append("min-copies=\(copies)") }
        if query.isKept { parameters.append("keep=true") }
        return try await ask(.PUT, try path(key), parameters, body: value)
    }

    package func delete(_ key: [UInt8]) async throws(Failure) -> DeleteReply {
        try await ask(.DELETE, try path(key))
    }

    package func ping(_ peer: String) async throws(Failure) -> PingReply {
        try await ask(.POST, "ping/\(PercentEncoding.encode(peer))")
    }

    package func stop() async throws(Failure) -> StopReply { try await ask(.POST, "stop") }

    /// As ``stop()``, but returns when the node is gone: when its end of the connection closes.
    package func stopAndWait() async throws(Failure) {
        let connection = try await connect()
        do throws(Failure) {
            _ = try await exchange(connection, .POST, "stop", body: [], keepOpen: true, as: StopReply.self)
        } catch {
            // A node with nobody to say goodbye to may be gone before its answer is on its way.
            if error.code == .unreachable, !connection.isActive { return }
            throw error
        }
        do { try await connection.closeFuture.orFail(after: timeout, on: connection.eventLoop).get() } catch {
            throw Failure(
                .partial,
                "the node was told to stop and still runs after \(timeout.nanoseconds / 1_000_000_000) s"
            )
        }
    }

    private func path(_ key: [UInt8]) throws(Failure) -> String {
        try ValueLimits.check(key: key)
        return "values/" + Base64URL.encode(key)
    }

    private func ask<Reply: Decodable & Sendable>(
        _ method: HTTPMethod,
        _ path: String,
        _ parameters: [String] = [],
        body: [UInt8] = []
    ) async throws(Failure) -> Reply {
        let connection = try await connect()
        let query = parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&")
        return try await exchange(
            connection,
            method,
            path + query,
            body: body,
            keepOpen: false,
            as: Reply.self
        )
    }

    private func exchange<Reply: Decodable>(
        _ connection: any Channel,
        _ method: HTTPMethod,
        _ path: String,
        body: [UInt8],
        keepOpen: Bool,
        as _: Reply.Type
    ) async throws(Failure) -> Reply {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: "/v1/\(path)")
        head.headers.add(name: "host", value: "dht")
        head.headers.add(name: "content-length", value: "\(body.count)")
        if !keepOpen { head.headers.add(name: "connection", value: "close") }
        let question = ControlExchange.Question(head: head, body: ByteBuffer(bytes: body))
        let answer: ControlExchange.Answer
        do {
            answer = try await ControlExchange.run(question, on: connection)
                .orFail(after: timeout, on: connection.eventLoop).get()
        } catch is TimedOut {
            connection.close(promise: nil)
            throw Failure(
                .partial,
                "the node did not answer within \(timeout.nanoseconds / 1_000_000_000) s (--timeout)"
            )
        } catch {
            connection.close(promise: nil)
            throw Failure(.unreachable, "the node went away before it answered")
        }
        if !keepOpen { connection.close(promise: nil) }
        guard answer.status == .ok else {
            throw try ReplyCoding.decode(answer.body, as: FailureReply.self).failure
        }
        return try ReplyCoding.decode(answer.body)
    }

    /// A connection to the first candidate somebody listens on.
    private func connect() async throws(Failure) -> any Channel {
        for path in candidates.compactMap(\.path) {
            try ControlSocket.checkLength(path)
            do {
                return try await ClientBootstrap(group: group)
                    .connectTimeout(timeout)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        }
                    }
                    .connect(unixDomainSocketPath: path).get()
            } catch let error as IOError where error.errnoCode == EACCES || error.errnoCode == EPERM {
                throw Failure(.denied, "the socket \(path) may not be opened: it is another user's")
            } catch { continue }
        }
        throw Failure(
            .unreachable,
            "no node is running. Tried \(candidates.map(\.label).joined(separator: ", ")). "
                + "Start one: dht node"
        )
    }
}

/// A deadline of ours passed.
private struct TimedOut: Error {}

extension EventLoopFuture where Value: Sendable {
    /// This future's outcome, or ``TimedOut`` if it has none after `delay`.
    fileprivate func orFail(after delay: TimeAmount, on loop: any EventLoop) -> EventLoopFuture<Value> {
        let promise = loop.makePromise(of: Value.self)
        let alarm = loop.scheduleTask(in: delay) { promise.fail(TimedOut()) }
        hop(to: loop).whenComplete { outcome in
            alarm.cancel()
            promise.completeWith(outcome)
        }
        return promise.futureResult
    }
}
