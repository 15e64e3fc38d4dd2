import HTTPTypes
import Hummingbird
import NIOCore
import SecureDHT

// A copy of the database over HTTP: made for one connection, and gone with it.

extension ValueRoutes {
    /// Makes a copy and answers with it. A client that goes away ends that.
    func backUp(on channel: any Channel) async throws -> Response {
        let opened = try await connections.whileOpen(channel) { try await node.backUp() }
        var headers: HTTPFields = [.contentType: ControlRoutes.octets]
        if let name = HTTPField.Name(ControlRoutes.replyHeader) {
            headers[name] = Base64URL.encode(ReplyCoding.encode(opened.reply))
        }
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody(contentLength: opened.source.length) { writer in
                while let bytes = try await opened.source.next() {
                    try await writer.write(ByteBuffer(bytes: bytes))
                }
                try await writer.finish(nil)
            }
        )
    }
}

extension LocalNode {
    package func backUp() async throws(Failure) -> OpenedBackup {
        defer { backup.withLock { $0 = nil } }
        do {
            let copy = try await node.backUp { done, total in
                self.backup.withLock { $0 = .init(done: done, total: total) }
            }
            let source = ValueSource(length: copy.length, cancel: {}) { () throws(Failure) in
                do { return try await copy.next() } catch { throw Failure(error) }
            }
            return OpenedBackup(BackupReply(records: copy.records, bytes: copy.length), source)
        } catch let error as DHTError where error.code == .configuration {
            throw Failure(
                .configuration,
                error.reason + " to back up (--ephemeral). Values live at other members; see: dht status"
            )
        } catch { throw Failure(error) }
    }
}
