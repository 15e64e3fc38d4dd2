import DHTCrypto
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1

/// Everything that is asked over TCP: nobody gets as far as a value without the token, and no page from
/// elsewhere gets anywhere.
struct WebResponder<Node: NodeControl>: HTTPResponder {
    typealias Context = ControlContext

    private static var scheme: String { "Bearer " }
    private static var readers: [HTTPRequest.Method] { [.get, .head] }

    let node: Node
    let hosts: WebHosts
    /// `nil`: there are no values here.
    let token: AccessToken?
    let pages: WebPages
    let values: WebValues<Node>
    let streams: WebStreams
    let limits: WebLimits

    func respond(to request: Request, context: ControlContext) async throws -> Response {
        var response: Response
        do { response = try await answer(request, on: context.channel) } catch let error as HTTPParserError {
            throw error
        } catch {
            response = Problem(error).response
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, on channel: any Channel) async throws -> Response {
        try check(request)
        let target = try WebTarget(request.head.path ?? "")
        let isValue = target.path == WebValues<Node>.path || target.path.hasPrefix(WebValues<Node>.path + "/")
        if isValue {
            try authorize(request)
            try allow(Self.readers + [.put, .delete], request)
            return try await values.answer(request, target, on: channel)
        }
        guard ["/", "/healthz", "/readyz", "/metrics", "/v1/dashboard"].contains(target.path) else {
            throw missing(target)
        }
        try allow(Self.readers, request)
        try target.refuseUnknown(besides: [])
        switch target.path {
        case "/healthz": return text("ok\n", "text/plain; charset=utf-8")
        case "/readyz": return try await readiness()
        case "/metrics":
            guard let metrics = pages.metrics else { throw missing(target) }
            return text(await metrics(), PrometheusRegistry.mediaType)
        case "/v1/dashboard":
            guard let state = pages.state else { throw missing(target) }
            return try streams.answer(state)
        default:
            guard pages.state != nil else { throw missing(target) }
            return Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    .contentSecurityPolicy: DashboardPage.contentSecurityPolicy,
                ],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: DashboardPage.bytes))
            )
        }
    }

    /// Whether the request is one that may be looked at.
    private func check(_ request: Request) throws(Problem) {
        let path = request.head.path ?? ""
        // The first is taken out as the request's; a proxy may have gone by another.
        guard HTTPField.Name("host").flatMap({ request.headers[$0] }) == nil else {
            throw Problem(.badRequest, .invalidArgument, "Host comes twice")
        }
        guard hosts.admit(request.head.authority) else {
            throw Problem(
                .misdirectedRequest,
                .denied,
                "this node is not called that. If it is, say so: --http-host NAME"
            )
        }
        if let origin = request.headers[.origin],
            !WebHosts.admit(origin: origin, at: request.head.authority)
        {
            throw Problem(.forbidden, .denied, "pages from elsewhere may not ask this node")
        }
        guard path.utf8.count <= limits.targetLength else {
            throw Problem(
                .uriTooLong,
                .invalidArgument,
                "path and query have more than \(limits.targetLength) bytes"
            )
        }
    }

    private func allow(_ methods: [HTTPRequest.Method], _ request: Request) throws(Problem) {
        guard !methods.contains(request.method) else { return }
        var problem = Problem(.methodNotAllowed, .invalidArgument, "\(request.method) is not known here")
        problem.headers[.allow] = methods.map(\.rawValue).joined(separator: ", ")
        throw problem
    }

    private func authorize(_ request: Request) throws(Problem) {
        guard let token else {
            throw Problem(
                .forbidden,
                .denied,
                "values are not served here: start the node with --http-token FILE"
            )
        }
        let header = request.headers[.authorization] ?? ""
        let isBearer = header.lowercased().hasPrefix(Self.scheme.lowercased())
        guard isBearer, token.matches(header.dropFirst(Self.scheme.count)) else {
            var problem = Problem(
                .unauthorized,
                .denied,
                "values need the header Authorization: Bearer TOKEN, with the token of --http-token"
            )
            problem.headers[.wwwAuthenticate] = "Bearer"
            throw problem
        }
    }

    private func readiness() async throws -> Response {
        var health = try await node.status().health
        health.findings = nil
        return ControlRoutes.json(health.ok ? .ok : .serviceUnavailable, ReplyCoding.encode(health))
    }

    private func missing(_ target: WebTarget) -> Problem {
        Problem(.notFound, .notFound, "\(target.path) is not here")
    }

    private func text(_ text: String, _ mediaType: String) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: mediaType],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
