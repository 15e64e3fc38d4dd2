import HTTPTypes
import Hummingbird
import NIOCore

/// The control API: ``NodeControl`` over HTTP, for whoever may open the node's Unix socket. `docs/cli.md`
/// lists it.
package enum ControlRoutes {
    /// The most bytes of a request's body that are read at all.
    package static let maximumBodyLength = ValueLimits.valueLength
    /// The media type of a value's bytes: who accepts it gets them as the body of the answer, and the rest of
    /// the reply in the header ``replyHeader``.
    static let octets = "application/octet-stream"
    /// Names the header: base64url of the JSON object of the reply, in which the value is empty.
    static let replyHeader = "dht-reply"

    /// - Parameters:
    ///   - metrics: The metrics of the process as text, ``PrometheusRegistry/mediaType``; `nil`: there are
    ///     none.
    ///   - onRival: Told of a process that wanted the socket for itself, by its number if it gave one.
    package static func router(
        for node: some NodeControl,
        limits: ControlLimits = ControlLimits(),
        metrics: (@Sendable () async -> String)? = nil,
        onRival: @escaping @Sendable (Int32?) -> Void = { _ in }
    ) -> Router<ControlContext> {
        let router = Router(context: ControlContext.self)
        let connections = ControlConnections()
        let values = ValueRoutes(node, connections, limits)
        router.add(middleware: FailureMiddleware())
        let root = router.group("v1")
        root.get("id") { _, _ in try await reply(node.identity()) }
        root.get("status") { _, _ in try await reply(node.status()) }
        root.get("peers") { _, _ in try await reply(node.peers()) }
        if let metrics {
            root.get("metrics") { _, _ in
                Response(
                    status: .ok,
                    headers: [.contentType: PrometheusRegistry.mediaType],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: await metrics()))
                )
            }
        }
        root.post("ping/:peer") { _, context in
            try await reply(node.ping(peer(context)))
        }
        addQuestions(to: root, node)
        addMembers(to: root, node)
        root.post("reload") { request, _ in
            try refuseUnknown(request, besides: ["force"])
            return try await reply(node.reload(force: flag("force", request)))
        }
        root.post("stop") { _, _ in try await reply(node.stop()) }
        root.get("values/:key") { request, context in
            let isPlain = request.headers[.accept] == octets
            return try await values.get(
                key(context),
                getQuery(request),
                isPlain: isPlain,
                on: context.channel
            )
        }
        root.get("transfers") { _, _ in try await reply(node.transfers()) }
        root.get("kept") { _, _ in try await reply(node.kept()) }
        root.get("backup") { _, context in try await values.backUp(on: context.channel) }
        root.put("values/:key") { request, context in
            try await reply(values.put(key(context), putQuery(request), request, on: context.channel))
        }
        root.post("rival") { request, _ in
            onRival(try number("process", request))
            return Response(status: .noContent)
        }
        root.delete("values/:key") { _, context in
            try await reply(connections.whileOpen(context.channel) { try await node.delete(key(context)) })
        }
        return router
    }

    /// Questions for reasons.
    private static func addQuestions(to root: RouterGroup<ControlContext>, _ node: some NodeControl) {
        root.get("routes") { _, _ in try await reply(node.routes()) }
        root.post("trace/:key") { _, context in try await reply(node.trace(key(context))) }
        root.post("doctor") { _, _ in try await reply(node.doctor()) }
        root.post("why/:peer") { _, context in try await reply(node.why(peer(context))) }
        root.get("rejections") { request, _ in
            try refuseUnknown(request, besides: ["from"])
            return try await reply(node.rejections(from: number("from", request) ?? 0))
        }
        root.get("log") { request, _ in
            try refuseUnknown(request, besides: ["from"])
            return try await reply(node.log(from: number("from", request) ?? 0))
        }
    }

    static func reply(_ reply: some Encodable) -> Response { json(.ok, ReplyCoding.encode(reply)) }

    static func json(_ status: HTTPResponse.Status, _ bytes: [UInt8]) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    private static func key(_ context: ControlContext) throws(Failure) -> [UInt8] {
        guard let text = context.parameters.get("key"), let key = Base64URL.decode(text) else {
            throw Failure(.invalidArgument, "the key in the path is no base64url")
        }
        return key
    }

    static func peer(_ context: ControlContext) throws(Failure) -> String {
        guard let text = context.parameters.get("peer"), let peer = PercentEncoding.decode(text) else {
            throw Failure(.invalidArgument, "the peer in the path is not percent-encoded UTF-8")
        }
        return peer
    }

    private static func getQuery(_ request: Request) throws(Failure) -> GetQuery {
        try refuseUnknown(request, besides: ["author", "replicas", "paths", "all"])
        return GetQuery(
            author: request.uri.queryParameters["author"].map { String($0) },
            replicas: try number("replicas", request),
            paths: try number("paths", request),
            all: try flag("all", request)
        )
    }

    private static func putQuery(_ request: Request) throws(Failure) -> PutQuery {
        try refuseUnknown(request, besides: ["ttl", "if-rev", "if-absent", "min-copies", "keep"])
        var query = PutQuery()
        if let text = request.uri.queryParameters["ttl"] {
            query.lifetime = try DurationText.seconds(String(text), in: ValueLimits.lifetimes, for: "ttl")
        }
        if let revision: UInt64 = try number("if-rev", request) { query.condition = .revision(revision) }
        if try flag("if-absent", request) {
            guard query.condition == nil else {
                throw Failure(.invalidArgument, "if-rev and if-absent exclude each other")
            }
            query.condition = .absent
        }
        query.minimumCopies = try number("min-copies", request)
        query.isKept = try flag("keep", request)
        return query
    }

    private static func flag(_ name: String, _ request: Request) throws(Failure) -> Bool {
        switch request.uri.queryParameters[name[...]] {
        case nil, "false": return false
        case "", "true": return true
        default: throw Failure(.invalidArgument, "\(name) is true or false")
        }
    }

    private static func number<Number: FixedWidthInteger>(
        _ name: String,
        _ request: Request
    ) throws(Failure) -> Number? {
        guard let text = request.uri.queryParameters[name[...]] else { return nil }
        return try number(text, for: name)
    }

    static func number<Number: FixedWidthInteger>(
        _ text: some StringProtocol,
        for name: String
    ) throws(Failure) -> Number {
        guard let number = Number(text) else {
            throw Failure(.invalidArgument, "\(name): \"\(text)\" is no number")
        }
        return number
    }

    /// A misspelt parameter must not pass for an absent one.
    static func refuseUnknown(_ request: Request, besides known: [String]) throws(Failure) {
        for (name, _) in request.uri.queryParameters where !known.contains(String(name)) {
            throw .unknownParameter(String(name), among: known)
        }
    }

    /// A body that says that it is too long is not read.
    static func checkDeclaredLength(of request: Request) throws {
        guard let length = request.headers[.contentLength].flatMap({ Int($0) }) else { return }
        do throws(Failure) { try ValueLimits.check(valueLength: length) } catch {
            throw HTTPError(.contentTooLarge, message: error.message)
        }
    }

    static func check(bodyLength length: Int) throws {
        guard length > maximumBodyLength else { return }
        let failure = Failure.valueTooLarge(moreThan: maximumBodyLength)
        throw HTTPError(.contentTooLarge, message: failure.message)
    }
}

extension Failure {
    package static func unknownParameter(_ name: String, among known: [String]) -> Failure {
        Failure(.invalidArgument, "unknown parameter \"\(name)\"" + Suggestion.hint(for: name, among: known))
    }

    /// For a value nobody wants to read to its end.
    package static func valueTooLarge(moreThan count: Int) -> Failure {
        Failure(
            .invalidArgument,
            "value is more than \(count) bytes, which is the limit"
        )
    }
}

/// Every failure as JSON, also those of the router itself.
private struct FailureMiddleware: RouterMiddleware {
    func handle(
        _ request: Request,
        context: ControlContext,
        next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        do { return try await next(request, context) } catch let failure as Failure {
            return ControlRoutes.json(failure.status, ReplyCoding.encode(FailureReply(failure)))
        } catch is Busy {
            var response = ControlRoutes.json(
                .serviceUnavailable,
                ReplyCoding.encode(FailureReply(Failure.busy))
            )
            response.headers[.retryAfter] = Failure.busyPatience
            return response
        } catch let error as HTTPError {
            let failure = Failure(
                .invalidArgument,
                error.body ?? "\(request.method) \(request.uri.path) is not known"
            )
            return ControlRoutes.json(error.status, ReplyCoding.encode(FailureReply(failure)))
        }
    }
}

extension Failure {
    /// Of the answer that tells it: `docs/cli.md`.
    var status: HTTPResponse.Status {
        switch code {
        case .internal, .integrity: .internalServerError
        case .invalidArgument: .badRequest
        case .notFound: .notFound
        case .conflict: .conflict
        case .denied: .forbidden
        case .unreachable: .serviceUnavailable
        case .partial: .gatewayTimeout
        case .configuration: .unprocessableContent
        }
    }

    /// For ``Busy``: a 503, for it passes.
    static let busy = Failure(
        .partial,
        "the node is busy: other clients of it hold all the room for long values. Try again"
    )
    /// Seconds after which to try again.
    static let busyPatience = "10"
}
