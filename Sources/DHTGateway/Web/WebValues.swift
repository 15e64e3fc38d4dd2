import DHTCore
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes

/// `/v1/kv`: values by their keys, with the conditions and ranges of HTTP. `docs/http.md` is its contract.
struct WebValues<Node: NodeControl>: Sendable {
    static var path: String { "/v1/kv" }

    private let node: Node
    private let connections = ControlConnections()
    private let values: ValueRoutes<Node>

    init(_ node: Node, _ limits: ControlLimits) {
        self.node = node
        values = ValueRoutes(node, connections, limits)
    }

    func answer(_ request: Request, _ target: WebTarget, on channel: any Channel) async throws -> Response {
        switch request.method {
        case .get, .head: try await get(request, target, on: channel)
        case .put: try await put(request, target, on: channel)
        default: try await delete(request, target, on: channel)
        }
    }

    /// The key: the rest of the path, or the parameter `key` as base64url.
    private func key(_ target: WebTarget) throws -> [UInt8] {
        let rest = target.path.dropFirst(Self.path.count + 1)
        let named = try target["key"]
        guard named == nil || rest.isEmpty else {
            throw Failure(.invalidArgument, "the key is in the path or in ?key=, not in both")
        }
        let key = named.map { Base64URL.decode($0) } ?? PercentEncoding.bytes(rest)
        guard let key else {
            throw Failure(
                .invalidArgument,
                named == nil ? "the key in the path is not percent-encoded" : "key is no base64url"
            )
        }
        try ValueLimits.check(key: key)
        return key
    }

    // MARK: Reading

    private func get(
        _ request: Request,
        _ target: WebTarget,
        on channel: any Channel
    ) async throws -> Response {
        try target.refuseUnknown(besides: ["key", "author"])
        let query = GetQuery(author: try target["author"])
        let conditions = try Conditions(request.headers)
        return try await values.newest(try key(target), query, on: channel) { opened, start in
            guard let value = opened.reply.values.first else {
                throw Failure(.internal, "an answer without a value")
            }
            var response = try head(value, start, request, conditions)
            if opened.reply.isIsolated { response.headers[Self.isolated] = "true" }
            guard let range = response.range, request.method != .head else {
                start.source.cancel()
                return Response(status: response.status, headers: response.headers)
            }
            return Response(
                status: response.status,
                headers: response.headers,
                body: values.body(start, range, on: channel)
            )
        }
    }

    private struct Head {
        var status: HTTPResponse.Status
        var headers: HTTPFields
        /// `nil`: nothing of the value is sent.
        var range: Range<Int>?
    }

    private func head(
        _ value: ValueReply,
        _ start: ValueStart,
        _ request: Request,
        _ conditions: Conditions
    ) throws -> Head {
        let (revision, length) = (value.revision, start.source.length)
        if let tags = conditions.match, !tags.name(revision, weakly: false) {
            start.source.cancel()
            throw Problem(.preconditionFailed, .conflict, "the newest revision is \(revision)")
        }
        var headers: HTTPFields = [
            .eTag: EntityTags.text(of: revision), .acceptRanges: "bytes", .contentType: ControlRoutes.octets,
        ]
        headers[Self.author] = value.author.id
        headers[Self.expires] = "\(value.expires)"
        headers[.contentLength] = "\(length)"
        if let tags = conditions.noneMatch, tags.name(revision, weakly: true) {
            return Head(status: .notModified, headers: headers)
        }
        // Of another revision than the client has the beginning of, it gets all.
        let isSame = request.headers[.ifRange].map { $0 == EntityTags.text(of: revision) } ?? true
        // A range is of what GET alone sends.
        let wanted = isSame && request.method == .get ? request.headers[.range] : nil
        switch ByteRange(wanted, length: length) {
        case .whole: return Head(status: .ok, headers: headers, range: 0..<length)
        case .part(let range):
            headers[.contentLength] = "\(range.count)"
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
            return Head(status: .partialContent, headers: headers, range: range)
        case .unsatisfiable:
            start.source.cancel()
            var problem = Problem(
                .rangeNotSatisfiable,
                .invalidArgument,
                "nothing of the value is in the range: it has \(length) bytes"
            )
            problem.headers[.contentRange] = "bytes */\(length)"
            throw problem
        }
    }

    // MARK: Writing

    private func put(
        _ request: Request,
        _ target: WebTarget,
        on channel: any Channel
    ) async throws -> Response {
        try target.refuseUnknown(besides: ["key", "ttl", "min-copies"])
        let key = try key(target)
        guard request.headers[.contentRange] == nil else {
            throw Failure(.invalidArgument, "a value is written as a whole: no Content-Range")
        }
        var query = PutQuery()
        if let text = try target["ttl"] {
            query.lifetime = try DurationText.seconds(text, in: ValueLimits.lifetimes, for: "ttl")
        }
        if let text = try target["min-copies"] {
            let copies: Int = try ControlRoutes.number(text, for: "min-copies")
            try ValueLimits.check(copies: copies, for: "min-copies")
            query.minimumCopies = copies
        }
        query.condition = try Conditions(request.headers).ofWrite
        if request.headers[.expect]?.lowercased() == "100-continue" {
            let go = HTTPResponsePart.head(HTTPResponse(status: .continue))
            try await channel.writeAndFlush(go).get()
        }
        do {
            let reply = try await values.put(key, query, request, on: channel)
            var response = ControlRoutes.reply(reply)
            response.headers[.eTag] = EntityTags.text(of: reply.revision)
            return response
        } catch let failure as Failure where failure.code == .conflict && query.condition != nil {
            throw Problem(.preconditionFailed, .conflict, failure.message)
        }
    }

    private func delete(
        _ request: Request,
        _ target: WebTarget,
        on channel: any Channel
    ) async throws -> Response {
        try target.refuseUnknown(besides: ["key"])
        let key = try key(target)
        let conditions = try Conditions(request.headers)
        guard conditions.match == nil, conditions.noneMatch == nil else {
            throw Problem(
                .badRequest,
                .invalidArgument,
                "a deletion has no conditions: nothing was deleted. PUT an empty value with If-Match instead"
            )
        }
        let reply = try await connections.whileOpen(channel) { try await node.delete(key) }
        return ControlRoutes.reply(reply)
    }
}

extension WebValues {
    private static var author: HTTPField.Name { name("dht-author") }
    private static var expires: HTTPField.Name { name("dht-expires") }
    private static var isolated: HTTPField.Name { name("dht-isolated") }

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("\(text) names a header") }
        return name
    }
}

/// Conditions without which a request has no effect.
private struct Conditions {
    let match: EntityTags?
    let noneMatch: EntityTags?

    init(_ headers: HTTPFields) throws(Problem) {
        match = try Self.tags(headers[.ifMatch], "If-Match")
        noneMatch = try Self.tags(headers[.ifNoneMatch], "If-None-Match")
    }

    private static func tags(_ header: String?, _ name: String) throws(Problem) -> EntityTags? {
        guard let header else { return nil }
        guard let tags = EntityTags(header) else {
            throw Problem(
                .badRequest,
                .invalidArgument,
                "\(name) is * or revisions in quotation marks, separated by commas"
            )
        }
        return tags
    }

    /// As the node knows them: one revision, or none at all.
    var ofWrite: PutQuery.Condition? {
        get throws(Problem) {
            switch (match, noneMatch) {
            case (nil, nil): return nil
            case (nil, .any): return .absent
            case (.these(let tags), nil) where tags.count == 1:
                guard let revision = tags[0].revision else {
                    throw Problem(.preconditionFailed, .conflict, "\"\(tags[0].text)\" is no revision")
                }
                return .revision(revision)
            default:
                throw Problem(
                    .badRequest,
                    .invalidArgument,
                    "a write has one condition, If-Match: \"REVISION\" or If-None-Match: *; nothing was "
                        + "written"
                )
            }
        }
    }
}
