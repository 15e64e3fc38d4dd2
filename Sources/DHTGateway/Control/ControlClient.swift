import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// A running node as its control socket shows it. One connection a request: a node that went away is noticed
/// at once.
package struct ControlClient: NodeControl {
    /// Takes what comes of an answer. An error that it throws ends the exchange; it may block.
    package typealias Taker = @Sendable ([UInt8]) throws(Failure) -> Void

    private let candidates: [ControlSocket.Candidate]
    private let timeout: TimeAmount
    private let group: MultiThreadedEventLoopGroup
    /// Told now and then how far a long value that is waited for has come.
    private let onProgress: @Sendable (TransfersReply.Transfer) -> Void

    /// - Parameter timeout: Seconds within which a request is answered, or a long value comes nearer.
    package init(
        candidates: [ControlSocket.Candidate],
        timeout: UInt32 = 30,
        onProgress: @escaping @Sendable (TransfersReply.Transfer) -> Void = { _ in }
    ) {
        self.candidates = candidates
        self.onProgress = onProgress
        self.timeout = .seconds(Int64(timeout))
        group = .singleton
    }

    package func identity() async throws(Failure) -> IdentityReply { try await ask(.GET, "id") }
    package func status() async throws(Failure) -> StatusReply { try await ask(.GET, "status") }
    package func peers() async throws(Failure) -> PeersReply { try await ask(.GET, "peers") }
    package func reload(force: Bool) async throws(Failure) -> ReloadReply {
        try await ask(.POST, target("reload", force ? ["force=true"] : []))
    }

    package func get(_ key: [UInt8], _ query: GetQuery) async throws(Failure) -> GetReply {
        var parameters: [String] = []
        if let author = query.author { parameters.append("author=\(PercentEncoding.encode(author))") }
        if let replicas = query.replicas { parameters.append("replicas=\(replicas)") }
        if let paths = query.paths { parameters.append("paths=\(paths)") }
        if query.all { parameters.append("all=true") }
        let place = target(try path(key), parameters)
        let isWhole = query.all
        return try await watched(key) { (deadline) async throws(Failure) -> GetReply in
            let connection = try await connect()
            guard !isWhole else { return try await exchange(connection, .GET, place, deadline: deadline) }
            return try await newest(connection, place, deadline)
        }
    }

    /// The newest value, its bytes as they are.
    private func newest(
        _ connection: any Channel,
        _ place: String,
        _ deadline: ProgressDeadline
    ) async throws(Failure) -> GetReply {
        let answer = try await answer(
            connection,
            .GET,
            place,
            headers: [("accept", ControlRoutes.octets)],
            deadline: deadline
        )
        var reply: GetReply = try rest(of: answer)
        if !reply.values.isEmpty { reply.values[0].value = Octets(answer.body) }
        return reply
    }

    /// The object that comes with bytes.
    private func rest<Reply: Decodable>(of answer: ControlExchange.Answer) throws(Failure) -> Reply {
        guard let header = answer.headers.first(name: ControlRoutes.replyHeader),
            let rest = Base64URL.decode(header)
        else { throw Failure(.internal, "the node's answer is not understood; is it of another version?") }
        return try ReplyCoding.decode(rest)
    }

    /// Takes a copy of the node's database, piece by piece. An error that `take` throws ends that.
    ///
    /// - Parameter onProgress: Told how many pages of how many the node has copied.
    package func backUp(
        _ take: @escaping Taker,
        onProgress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
    ) async throws(Failure) -> BackupReply {
        let deadline = ProgressDeadline(timeout)
        let watch = Task {
            var last: TransfersReply.Copy?
            while true {
                try await Task.sleep(for: .milliseconds(300))
                let listed: TransfersReply = try await ask(.GET, "transfers", timeout: .seconds(5))
                guard let copy = listed.backup else { continue }
                if copy != last { deadline.renew() }
                last = copy
                onProgress(copy.done, copy.total)
            }
        }
        defer { watch.cancel() }
        let answer = try await answer(try await connect(), .GET, "backup", into: take, deadline: deadline)
        let reply: BackupReply = try rest(of: answer)
        guard answer.taken == reply.bytes else {
            throw Failure(.unreachable, "the answer broke off: the node went away. Try again")
        }
        return reply
    }

    package func transfers() async throws(Failure) -> TransfersReply { try await ask(.GET, "transfers") }
    package func kept() async throws(Failure) -> KeptReply { try await ask(.GET, "kept") }

    /// Waits for something about a key, and asks now and then how far its long value has come: as long as it
    /// gets on, the deadline moves. Nobody asks any more when this returns.
    private func watched<Reply: Sendable>(
        _ key: [UInt8],
        _ body: (ProgressDeadline) async throws(Failure) -> Reply
    ) async throws(Failure) -> Reply {
        let deadline = ProgressDeadline(timeout)
        let watch = Task {
            var done: UInt64?
            while true {
                try await Task.sleep(for: .milliseconds(300))
                let listed: TransfersReply = try await ask(.GET, "transfers", timeout: .seconds(5))
                guard let transfer = listed.transfers.first(where: { $0.key.bytes == key }) else { continue }
                if transfer.done != done { deadline.renew() }
                done = transfer.done
                onProgress(transfer)
            }
        }
        let outcome: Result<Reply, Failure>
        do throws(Failure) { outcome = .success(try await body(deadline)) } catch {
            outcome = .failure(error)
        }
        watch.cancel()
        _ = await watch.result
        return try outcome.get()
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
        let place = target(try path(key), parameters)
        return try await watched(key) { (deadline) async throws(Failure) -> PutReply in
            try await exchange(try await connect(), .PUT, place, body: value, deadline: deadline)
        }
    }

    package func delete(_ key: [UInt8]) async throws(Failure) -> DeleteReply {
        try await ask(.DELETE, try path(key))
    }

    package func ping(_ peer: String) async throws(Failure) -> PingReply {
        try await ask(.POST, "ping/\(PercentEncoding.encode(peer))")
    }

    package func routes() async throws(Failure) -> RoutesReply { try await ask(.GET, "routes") }
    package func trace(_ key: [UInt8]) async throws(Failure) -> TraceReply {
        try ValueLimits.check(key: key)
        return try await ask(.POST, "trace/\(Base64URL.encode(key))")
    }
    package func doctor() async throws(Failure) -> DoctorReply { try await ask(.POST, "doctor") }
    package func why(_ peer: String) async throws(Failure) -> WhyReply {
        try await ask(.POST, "why/\(PercentEncoding.encode(peer))")
    }
    package func rejections(from number: UInt64) async throws(Failure) -> RejectionsReply {
        try await ask(.GET, target("rejections", ["from=\(number)"]))
    }
    package func log(from number: UInt64) async throws(Failure) -> LogReply {
        try await ask(.GET, target("log", ["from=\(number)"]))
    }

    // MARK: Members

    package func members() async throws(Failure) -> MembersReply { try await ask(.GET, "members") }
    package func roster() async throws(Failure) -> RosterReply { try await ask(.GET, "roster") }

    package func admit(
        _ identity: String,
        name: String,
        addresses: [String]
    ) async throws(Failure) -> SpreadReply {
        let parameters =
            ["name=" + PercentEncoding.encode(name)] + addresses.map { "addr=" + PercentEncoding.encode($0) }
        return try await ask(.POST, target("members/" + PercentEncoding.encode(identity), parameters))
    }

    package func revoke(_ member: String) async throws(Failure) -> SpreadReply {
        try await ask(.DELETE, "members/" + PercentEncoding.encode(member))
    }

    package func invite(
        _ name: String,
        seconds: UInt32,
        addresses: [String]
    ) async throws(Failure) -> InviteReply {
        let parameters =
            ["name=" + PercentEncoding.encode(name), "seconds=\(seconds)"]
            + addresses.map { "addr=" + PercentEncoding.encode($0) }
        return try await ask(.POST, target("invitations", parameters))
    }

    package func push(_ roster: [UInt8]) async throws(Failure) -> SpreadReply {
        try await exchange(
            try await connect(),
            .PUT,
            "roster",
            body: roster,
            deadline: ProgressDeadline(timeout)
        )
    }

    package func stop() async throws(Failure) -> StopReply { try await ask(.POST, "stop") }

    /// As ``stop()``, but returns when the node is gone: when its end of the connection closes.
    package func stopAndWait() async throws(Failure) {
        let connection = try await connect()
        do throws(Failure) {
            let deadline = ProgressDeadline(timeout)
            let _: StopReply = try await exchange(
                connection,
                .POST,
                "stop",
                keepOpen: true,
                deadline: deadline
            )
        } catch {
            // A node with nobody to say goodbye to may be gone before its answer is on its way.
            if error.code == .unreachable, !connection.isActive { return }
            throw error
        }
        do {
            try await connection.closeFuture.orFail(when: ProgressDeadline(timeout), on: connection.eventLoop)
                .get()
        } catch {
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

    private func target(_ path: String, _ parameters: [String]) -> String {
        parameters.isEmpty ? path : path + "?" + parameters.joined(separator: "&")
    }

    private func ask<Reply: Decodable & Sendable>(
        _ method: HTTPMethod,
        _ path: String,
        timeout: TimeAmount? = nil
    ) async throws(Failure) -> Reply {
        try await exchange(
            try await connect(),
            method,
            path,
            deadline: ProgressDeadline(timeout ?? self.timeout)
        )
    }

    private func exchange<Reply: Decodable>(
        _ connection: any Channel,
        _ method: HTTPMethod,
        _ path: String,
        body: [UInt8] = [],
        keepOpen: Bool = false,
        deadline: ProgressDeadline
    ) async throws(Failure) -> Reply {
        let answer = try await answer(
            connection,
            method,
            path,
            body: body,
            keepOpen: keepOpen,
            deadline: deadline
        )
        return try ReplyCoding.decode(answer.body)
    }

    private func answer(
        _ connection: any Channel,
        _ method: HTTPMethod,
        _ path: String,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        keepOpen: Bool = false,
        into take: Taker? = nil,
        deadline: ProgressDeadline
    ) async throws(Failure) -> ControlExchange.Answer {
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: "/v1/\(path)")
        head.headers.add(name: "host", value: "dht")
        head.headers.add(name: "content-length", value: "\(body.count)")
        head.headers.add(contentsOf: headers)
        if !keepOpen { head.headers.add(name: "connection", value: "close") }
        let question = ControlExchange.Question(head: head, body: ByteBuffer(bytes: body))
        let answer: ControlExchange.Answer
        do {
            answer = try await ControlExchange.run(question, on: connection, into: take) { deadline.renew() }
                .orFail(when: deadline, on: connection.eventLoop).get()
        } catch let failure as Failure {
            connection.close(promise: nil)
            throw failure
        } catch is TimedOut {
            connection.close(promise: nil)
            throw Failure(
                .partial,
                "the node did not answer within \(timeout.nanoseconds / 1_000_000_000) s (--timeout)"
            )
        } catch {
            connection.close(promise: nil)
            if let error = error as? ControlExchange.Broken, error.isHalfway {
                throw Failure(
                    .unreachable,
                    "the answer broke off halfway: the node went away, or nobody who has the rest of the "
                        + "value answers. Try again"
                )
            }
            throw Failure(.unreachable, "the node went away before it answered")
        }
        if !keepOpen { connection.close(promise: nil) }
        guard answer.status == .ok else {
            throw try ReplyCoding.decode(answer.body, as: FailureReply.self).failure
        }
        return answer
    }

    /// Speaks only with a node of root's, of our own, or of the owner of the directory it listens in: whoever
    /// else listens there could take what is put and make up what is got.
    private func check(_ channel: any Channel, _ path: String) async throws(Failure) {
        let listener: ControlSocket.Listener
        do {
            guard let options = channel as? any SocketOptionProvider else {
                throw ChannelError.operationUnsupported
            }
            listener = try await options.unsafeGetSocketOption(
                level: NIOBSDSocket.OptionLevel(rawValue: SOL_SOCKET),
                name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
            ).get()
        } catch {
            channel.close(promise: nil)
            throw Failure(.unreachable, "the node went away before it was asked")
        }
        guard !ControlSocket.trusts(listener.user, at: path) else { return }
        channel.close(promise: nil)
        throw Failure(
            .denied,
            "\(path): user \(listener.user) listens there, who is neither you, nor root, nor the owner of "
                + "the directory. Nothing was sent; choose the node's socket: --socket PATH"
        )
    }

    /// A connection to the first candidate somebody listens on.
    private func connect() async throws(Failure) -> any Channel {
        for path in candidates.compactMap(\.path) {
            try ControlSocket.checkLength(path)
            let channel: any Channel
            do {
                channel = try await ClientBootstrap(group: group)
                    .connectTimeout(timeout)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        }
                    }
                    .connect(unixDomainSocketPath: path).get()
            } catch let error as IOError where error.errnoCode == EACCES || error.errnoCode == EPERM {
                throw Failure(
                    .denied,
                    "the socket \(path) may not be opened: no permission, for it is another user's. "
                        + "Be that user, or start the node with --socket-group"
                )
            } catch { continue }
            try await check(channel, path)
            return channel
        }
        throw Failure(
            .unreachable,
            "no node is running. Tried \(candidates.map(\.label).joined(separator: ", ")). "
                + "Start one: dht node"
        )
    }
}
