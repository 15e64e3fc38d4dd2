import HTTPTypes
import Hummingbird
import NIOCore

/// An error as RFC 9457 wants it: `application/problem+json`.
struct Problem: Error, Hashable {
    static let mediaType = "application/problem+json"

    let status: HTTPResponse.Status
    /// As in the table of exit codes, and one line.
    let failure: Failure
    /// Headers besides the usual.
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ code: Failure.Code, _ detail: String) {
        (self.status, failure) = (status, Failure(code, detail))
    }

    init(_ failure: Failure) { (status, self.failure) = (failure.status, failure) }

    /// Any error that an answer may end in.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case is Busy:
            self.init(.serviceUnavailable, Failure.busy.code, Failure.busy.message)
            headers[.retryAfter] = Failure.busyPatience
        case let error as HTTPError:
            self.init(error.status, .invalidArgument, error.body ?? error.status.reasonPhrase)
        default: self.init(Failure(error))
        }
    }

    private struct Text: Encodable {
        /// No page says more of it than the title.
        var type = "about:blank"
        var title: String
        var status: Int
        var detail: String
        var code: Failure.Code
    }

    var response: Response {
        let text = Text(
            title: status.reasonPhrase,
            status: status.code,
            detail: failure.message,
            code: failure.code
        )
        var response = Response(
            status: status,
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: ReplyCoding.encode(text)))
        )
        response.headers[.contentType] = Self.mediaType
        return response
    }
}
