import HTTPTypes
import Hummingbird
import NIOCore

/// Values over HTTP: no more of one is in memory than its client takes at a time, or than all
/// clients together may have there.
struct ValueRoutes<Node: NodeControl>: Sendable {
    let node: Node
    let connections: ControlConnections
    private let limits: ControlLimits
    /// Apart: whoever reads slowly keeps nobody from writing.
    private let rooms: (puts: ValueRoom, texts: ValueRoom)

    init(_ node: Node, _ connections: ControlConnections, _ limits: ControlLimits) {
        (self.node, self.connections, self.limits) = (node, connections, limits)
        rooms = (
            puts: ValueRoom(limits.putBytes, patience: limits.roomPatience),
            texts: ValueRoom(limits.textBytes, patience: limits.roomPatience)
        )
    }

    // MARK: Reading

    /// `isPlain`: the newest value as it is. As text in JSON a long one would be a third longer, and there
    /// twice.
    func get(
        _ key: [UInt8],
        _ query: GetQuery,
        isPlain: Bool,
        on channel: any Channel
    ) async throws -> Response {
        if isPlain {
            return try await newest(key, query, on: channel) { plain($0, $1, on: channel) }
        }
        let opened = try await connections.whileOpen(channel) { try await node.open(key, query) }
        if opened.sources.contains(where: { $0.length > ValueRoom.leastLength }) {
            return try await text(opened, on: channel)
        }
        let whole = try await connections.whileOpen(channel) { try await opened.whole() }
        return ControlRoutes.json(.ok, ReplyCoding.encode(whole))
    }

    /// Answers with the newest value, whose first bytes are here: one that cannot be had at all is an error
    /// with words of its own.
    func newest(
        _ key: [UInt8],
        _ query: GetQuery,
        on channel: any Channel,
        _ answer: (OpenedReply, ValueStart) throws -> Response
    ) async throws -> Response {
        let opened = try await connections.whileOpen(channel) { try await node.open(key, query) }
        do { return try answer(opened, try await start(opened, on: channel)) } catch let failure as Failure {
            // The value may have been replaced meanwhile, and gone.
            guard failure.code == .unreachable else { throw failure }
            let next = try await connections.whileOpen(channel) { try await node.open(key, query) }
            guard next.reply.values.first?.revision != opened.reply.values.first?.revision else {
                throw failure
            }
            return try answer(next, try await start(next, on: channel))
        }
    }

    private func start(_ opened: OpenedReply, on channel: any Channel) async throws -> ValueStart {
        guard let source = opened.sources.first else { throw Failure(.internal, "an answer without a value") }
        return ValueStart(
            source: source,
            bytes: try await connections.whileOpen(channel) { try await source.next() }
        )
    }

    private func plain(_ opened: OpenedReply, _ start: ValueStart, on channel: any Channel) -> Response {
        var reply = opened.reply
        reply.values = Array(reply.values.prefix(1))
        var headers: HTTPFields = [.contentType: ControlRoutes.octets]
        if let name = HTTPField.Name(ControlRoutes.replyHeader) {
            headers[name] = Base64URL.encode(ReplyCoding.encode(reply))
        }
        let body = body(start, 0..<start.source.length, on: channel)
        return Response(status: .ok, headers: headers, body: body)
    }

    /// A value's bytes at `range`, brought as they are taken. Those before it are brought too.
    func body(_ start: ValueStart, _ range: Range<Int>, on channel: any Channel) -> ResponseBody {
        ResponseBody(contentLength: range.count) { writer in
            begin(on: channel, [start.source])
            defer { connections.end(on: channel) }
            var (piece, place) = (start.bytes, 0)
            while let bytes = piece {
                let wanted = range.clamped(to: place..<place + bytes.count)
                if !wanted.isEmpty {
                    let part = bytes[wanted.lowerBound - place..<wanted.upperBound - place]
                    try await writer.write(ByteBuffer(bytes: part))
                }
                place += bytes.count
                if place >= range.upperBound, range.upperBound < start.source.length {
                    start.source.cancel()
                    break
                }
                piece = try await start.source.next()
            }
            try await writer.finish(nil)
        }
    }

    /// JSON of long values: one after the other is read as a whole, and written.
    private func text(_ opened: OpenedReply, on channel: any Channel) async throws -> Response {
        let (sources, loop) = (opened.sources, channel.eventLoop)
        // A client for whose first value there is no room is told so.
        let (ticket, first) = try await connections.whileOpen(channel) {
            let ticket = try await rooms.texts.enter(sources[0].length, on: loop)
            return (ticket, try await sources[0].whole())
        }
        let held = RestOfValue(first)
        return Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody { writer in
                begin(on: channel, sources)
                defer { connections.end(on: channel) }
                var frame = ValueText.Frame(of: opened.reply, held.bytes)
                try await writer.write(frame.next())
                try await writer.write(held.bytes, as: frame)
                try await writer.write(frame.next())
                try await writer.write(held.bytes, as: frame)
                _ = held.take()
                ticket.leave()
                try await writer.write(frame.next())
                for (value, source) in zip(opened.reply.values, sources).dropFirst() {
                    let ticket = try await rooms.texts.enter(source.length, on: loop)
                    let bytes = try await source.whole()
                    var frame = ValueText.Frame(of: value, bytes)
                    try await writer.write(ValueText.separator + frame.next())
                    try await writer.write(bytes, as: frame)
                    ticket.leave()
                    try await writer.write(frame.next())
                }
                try await writer.write(frame.next())
                try await writer.finish(nil)
            }
        )
    }

    /// An answer's body begins: nobody needs it when the connection closes.
    private func begin(on channel: any Channel, _ sources: [ValueSource]) {
        connections.begin(on: channel) { for source in sources { source.cancel() } }
    }

    // MARK: Writing

    func put(
        _ key: [UInt8],
        _ query: PutQuery,
        _ request: Request,
        on channel: any Channel
    ) async throws -> PutReply {
        try ControlRoutes.checkDeclaredLength(of: request)
        return try await connections.whileOpen(channel) {
            var query = query
            query.turn = await node.takeTurn(of: key)
            defer { if let turn = query.turn { node.giveUp(turn) } }
            let spool = BodySpool(in: limits.spoolDirectory)
            // A client that does not go on has no answer to wait for.
            let alarm = StallAlarm(channel, after: limits.stallTime)
            alarm.moved()
            for try await buffer in request.body {
                alarm.moved()
                try ControlRoutes.check(bodyLength: spool.count + buffer.readableBytes)
                try await spool.append(buffer)
            }
            alarm.end()
            let ticket = try await rooms.puts.enter(spool.count, on: channel.eventLoop)
            defer { ticket.leave() }
            return try await node.put(key, from: spool, query)
        }
    }
}

/// A value of which the first bytes came.
struct ValueStart: Sendable {
    let source: ValueSource
    let bytes: [UInt8]?
}

extension ResponseBodyWriter {
    /// Returns when the connection has room for more.
    fileprivate mutating func write(_ bytes: [UInt8]) async throws {
        try await write(ByteBuffer(bytes: bytes))
    }

    /// Of a value, in the text that the frame is for.
    fileprivate mutating func write(_ value: [UInt8], as frame: ValueText.Frame) async throws {
        for start in stride(from: 0, to: value.count, by: ValueText.step) {
            let part = value[start..<min(start + ValueText.step, value.count)]
            try await write(frame.text(of: part))
        }
    }
}
