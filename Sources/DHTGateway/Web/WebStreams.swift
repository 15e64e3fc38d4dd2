import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Server-sent events: the state of the node once a second, until the client goes.
struct WebStreams: Sendable {
    /// A stream's place among those that may be open.
    private final class Place: Sendable {
        private let open: OpenStreams

        init?(_ open: OpenStreams, _ capacity: Int) {
            let isFree = open.count.withLock { count in
                guard count < capacity else { return false }
                count += 1
                return true
            }
            guard isFree else { return nil }
            self.open = open
        }

        deinit { open.count.withLock { $0 -= 1 } }
    }

    private final class OpenStreams: Sendable {
        let count = Mutex(0)
    }

    private static let pause = Duration.seconds(1)
    private static let beginning = Array("event: state\ndata: ".utf8)
    private static let end = Array("\n\n".utf8)

    private let open = OpenStreams()
    private let limits: WebLimits

    init(_ limits: WebLimits) { self.limits = limits }

    /// - Parameter event: JSON on one line.
    func answer(_ event: @escaping @Sendable () async throws -> [UInt8]) throws(Problem) -> Response {
        guard let place = Place(open, limits.streams) else {
            var problem = Problem(
                .serviceUnavailable,
                .partial,
                "\(limits.streams) streams are open, which is the limit"
            )
            problem.headers[.retryAfter] = Failure.busyPatience
            throw problem
        }
        let length = limits.eventLength
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream"],
            body: ResponseBody { writer in
                defer { withExtendedLifetime(place) {} }
                while true {
                    let bytes = try await event()
                    guard bytes.count <= length, !bytes.contains(UInt8(ascii: "\n")) else {
                        throw Failure(.internal, "an event of the dashboard is no line")
                    }
                    try await writer.write(ByteBuffer(bytes: Self.beginning + bytes + Self.end))
                    try await Task.sleep(for: Self.pause)
                }
            }
        )
    }
}
