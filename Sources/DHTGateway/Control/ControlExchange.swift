import NIOCore
import NIOHTTP1

/// One request over a connection and its one answer.
final class ControlExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Question: Sendable {
        let head: HTTPRequestHead
        let body: ByteBuffer
    }

    struct Answer: Sendable {
        let status: HTTPResponseStatus
        let headers: HTTPHeaders
        let body: [UInt8]
        /// Bytes of the body that somebody else took.
        let taken: Int
    }

    /// The connection ended, or said too much, before the answer was there.
    struct Broken: Error {
        /// Some of it had come.
        var isHalfway = false
    }

    /// More than the peers of a full allowlist.
    private static let maximumAnswerLength = 64 << 20

    private var promise: EventLoopPromise<Answer>?
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []
    private var taken = 0

    private let take: ControlClient.Taker?
    private let onPart: @Sendable () -> Void

    private init(
        _ promise: EventLoopPromise<Answer>,
        _ take: ControlClient.Taker?,
        _ onPart: @escaping @Sendable () -> Void
    ) {
        (self.promise, self.take, self.onPart) = (promise, take, onPart)
    }

    /// Sends `question` and gives its answer; the connection is left open. `onPart`: told whenever some of it
    /// came. `take`: takes the body in place of the answer, and may block.
    static func run(
        _ question: Question,
        on channel: any Channel,
        into take: ControlClient.Taker? = nil,
        onPart: @escaping @Sendable () -> Void
    ) -> EventLoopFuture<Answer> {
        let promise = channel.eventLoop.makePromise(of: Answer.self)
        channel.eventLoop.execute {
            do {
                try channel.pipeline.syncOperations.addHandler(ControlExchange(promise, take, onPart))
            } catch {
                promise.fail(error)
                return
            }
            channel.write(HTTPClientRequestPart.head(question.head), promise: nil)
            channel.write(HTTPClientRequestPart.body(.byteBuffer(question.body)), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }
        return promise.futureResult
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
        case .body(let part):
            if let take, head?.status == .ok {
                do throws(Failure) { try take(Array(part.readableBytesView)) } catch {
                    end(.failure(error))
                    context.close(promise: nil)
                }
                taken += part.readableBytes
                return onPart()
            }
            guard body.count + part.readableBytes <= Self.maximumAnswerLength else {
                return end(.failure(Broken()))
            }
            body.append(contentsOf: part.readableBytesView)
            onPart()
        case .end:
            guard let head else { return end(.failure(Broken())) }
            end(.success(Answer(status: head.status, headers: head.headers, body: body, taken: taken)))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.failure(isHalfway ? Broken(isHalfway: true) : error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { end(.failure(Broken(isHalfway: isHalfway))) }

    private var isHalfway: Bool { !body.isEmpty || taken > 0 }

    private func end(_ outcome: Result<Answer, any Error>) {
        promise?.completeWith(outcome)
        promise = nil
    }
}
