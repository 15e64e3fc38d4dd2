import Hummingbird
import Logging
import SecureDHT

/// Flags over HTTP: `README.md` lists the requests and their answers.
struct FlagRoutes {
    let flags: Flags

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: Failures())
        router.get("flags/:name", use: get)
        router.put("flags/:name", use: put)
        router.delete("flags/:name", use: delete)
        router.get("health", use: health)
        return router
    }

    @Sendable private func get(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        guard let entry = try await flags.entry(of: name(context)) else {
            throw HTTPError(.notFound, message: "there is no such flag")
        }
        return try await request.ifNoneMatch(eTag: eTag(entry.revision), context: context) { entry.flag }
    }

    @Sendable private func put(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let (name, condition) = (try name(context), try condition(of: request))
        let flag = try await request.decode(as: Flag.self, context: context)
        guard (0...100).contains(flag.percentage) else {
            throw HTTPError(.badRequest, message: "a percentage is 0 to 100")
        }
        return try await answer(request, context) {
            let receipt = try await flags.write(flag, as: name, under: condition)
            try check(receipt)
            return EditedResponse(
                status: condition == .absent ? .created : .ok,
                headers: [.eTag: eTag(receipt.revision)],
                response: flag
            )
        }
    }

    @Sendable private func delete(_ request: Request, _ context: BasicRequestContext) async throws -> Response
    {
        let (name, condition) = (try name(context), try condition(of: request))
        return try await answer(request, context) {
            try check(await flags.remove(name, under: condition))
            return HTTPResponse.Status.noContent
        }
    }

    @Sendable private func health(_ request: Request, _ context: BasicRequestContext) async throws -> Response
    {
        let status = await flags.node.status()
        let isWell = status.peersUp > 0 && status.complaints.isEmpty
        let health = Health(peersUp: status.peersUp, complaints: status.complaints.map(\.description))
        return try EditedResponse(status: isWell ? .ok : .serviceUnavailable, response: health)
            .response(from: request, context: context)
    }

    // MARK: Requests

    private func name(_ context: BasicRequestContext) throws -> FlagName {
        guard let name = context.parameters.get("name", as: FlagName.self) else {
            throw HTTPError(.badRequest, message: "a name has 1 to 100 characters, of A-Z a-z 0-9 . _ -")
        }
        return name
    }

    private func condition(of request: Request) throws -> PutOptions.Condition? {
        switch (request.headers[.ifMatch], request.headers[.ifNoneMatch]) {
        case (nil, nil): return nil
        case (nil, "*"): return .absent
        case (let tag?, nil):
            if let revision = revision(tag) { return .revision(revision) }
            fallthrough
        default:
            throw HTTPError(
                .badRequest,
                message: "a condition is either If-Match with one ETag, or If-None-Match: *"
            )
        }
    }

    private func revision(_ tag: String) -> Revision? {
        guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else { return nil }
        return Revision(String(tag.dropFirst().dropLast()))
    }

    // MARK: Answers

    private func eTag(_ revision: Revision) -> String { "\"\(revision)\"" }

    /// The answer to a write; if its condition does not hold, the flag that stands there, without a read.
    private func answer(
        _ request: Request,
        _ context: BasicRequestContext,
        to write: () async throws -> some ResponseGenerator
    ) async throws -> Response {
        do { return try await write().response(from: request, context: context) } catch let error as DHTError
        {
            guard error.code == .conflict else { throw error }
            guard let standing = error.standing, let value = standing.value,
                let entry = try Flags.Entry(value, standing.revision)
            else { throw HTTPError(.preconditionFailed, message: "there is no such flag") }
            return try EditedResponse(
                status: .preconditionFailed,
                headers: [.eTag: eTag(entry.revision)],
                response: entry.flag
            ).response(from: request, context: context)
        }
    }

    /// Refuses to call a success what no reader sees.
    private func check(_ receipt: PutReceipt) throws {
        guard receipt.hiddenBy != nil else { return }
        throw HTTPError(.conflict, message: "another node wrote a newer value, or its clock is ahead")
    }
}

/// How the node is.
private struct Health: ResponseEncodable {
    /// Nodes that answered when they were last asked.
    let peersUp: Int
    /// Its faults, a sentence each.
    let complaints: [String]
}

/// Failures of the table, as statuses of HTTP.
private struct Failures: RouterMiddleware {
    /// When to try again, in seconds.
    private static let pause = "1"

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do { return try await next(request, context) } catch let error as DHTError {
            context.logger.warning("a request failed", metadata: ["reason": "\(error.reason)"])
            let status = status(error.code)
            let headers: HTTPFields = status == .serviceUnavailable ? [.retryAfter: Self.pause] : [:]
            throw HTTPError(status, headers: headers, message: error.reason)
        }
    }

    private func status(_ code: DHTError.Code) -> HTTPResponse.Status {
        switch code {
        case .invalidArgument: .badRequest
        case .denied: .forbidden
        case .conflict: .conflict
        case .unreachable, .partial, .timedOut, .stopped: .serviceUnavailable
        default: .internalServerError
        }
    }
}
