import DHTCore
import DHTCrypto

/// Payloads of requests and responses: `docs/protocol.md`, sections 6 and 7.
///
/// Decoding is strict: whatever decodes encodes to the same bytes again.
package enum MessageCodec {
    /// Status codes on the wire.
    enum Status {
        static let ok: UInt8 = 0
        static let retry: UInt8 = 1
        static let conflict: UInt8 = 2
        static let quota: UInt8 = 3
        static let expired: UInt8 = 4
        static let clock: UInt8 = 5
        static let denied: UInt8 = 6
        static let unavailable: UInt8 = 7
        static let wanted: UInt8 = 8
        static let absent: UInt8 = 9
    }

    // MARK: Requests

    /// The payload of `request`.
    package static func encode(_ request: Request) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 + (request.record?.bytes.count ?? 0))
        switch request {
        case .ping(let isLeaving, let roster):
            bytes.append((isLeaving ? 1 : 0) | (roster == nil ? 0 : 2))
            if let roster { RosterCodec.append(roster, to: &bytes) }
        case .findNode(let target): target.append(to: &bytes)
        case .findValue(let location, let author, let offset):
            location.append(to: &bytes)
            bytes.appendBigEndian(offset)
            bytes.append(author == nil ? 0 : 1)
            author?.append(to: &bytes)
        case .store(let record, let condition), .passOn(let record, let condition):
            bytes.append(condition == nil ? 0 : 1)
            switch condition {
            case nil: break
            case .absent: bytes.appendBigEndian(UInt64(0))
            case .revision(let revision): bytes.appendBigEndian(revision.rawValue)
            case .anything: bytes.appendBigEndian(UInt64.max)
            }
            bytes.append(contentsOf: record.bytes)
        case .findChunk(let content, let part, let chunk):
            bytes.append(contentsOf: content.bytes)
            bytes.appendBigEndian(number(of: part))
            bytes.append(chunk)
        case .findRoster, .join: break
        }
        return bytes
    }

    /// The outline's number among the parts of content; pieces have their index.
    private static let outlineNumber = UInt16.max

    private static func number(of part: ContentPart) -> UInt16 {
        switch part {
        case .outline: outlineNumber
        case .piece(let index): UInt16(index)
        }
    }

    /// The request a body carries; `nil` if it is malformed.
    package static func decodeRequest(_ body: Body) -> Request? {
        guard body.status == 0, let operation = OperationCode(rawValue: body.operation) else { return nil }
        var reader = ByteReader(body.payload)
        return try? request(operation, &reader)
    }

    private static func request(
        _ operation: OperationCode,
        _ reader: inout ByteReader
    ) throws(Malformed) -> Request {
        let request: Request
        switch operation {
        case .ping:
            let flags = try flags(&reader, known: 3)
            let roster = flags & 2 == 0 ? nil : try RosterCodec.readMark(&reader)
            request = .ping(isLeaving: flags & 1 == 1, roster: roster)
        case .findNode: request = .findNode(target: try reader.nodeID())
        case .findValue:
            let location = try reader.nodeID()
            let offset = try reader.integer(UInt16.self)
            let author = try flag(&reader) ? try reader.identity() : nil
            request = .findValue(location: location, author: author, offset: offset)
        case .store, .passOn:
            var condition: Request.Condition?
            if try flag(&reader) {
                condition =
                    switch try reader.integer(UInt64.self) {
                    case 0: .absent
                    case .max: .anything
                    case let revision: .revision(Revision(rawValue: revision))
                    }
            }
            let record = try RecordCodec.read(&reader)
            request =
                operation == .store
                ? .store(record, condition: condition) : .passOn(record, condition: condition)
        case .findChunk: request = try chunkRequest(&reader)
        case .findRoster: request = .findRoster
        case .join: request = .join
        }
        try reader.expectPadding()
        return request
    }

    private static func chunkRequest(_ reader: inout ByteReader) throws(Malformed) -> Request {
        guard let content = Digest(try reader.take(ContentLayout.digestLength)) else { throw Malformed() }
        let number = try reader.integer(UInt16.self)
        let chunk = try reader.integer(UInt8.self)
        guard number == outlineNumber || number < ContentLayout.maximumPieceCount else { throw Malformed() }
        let part = number == outlineNumber ? ContentPart.outline : .piece(Int(number))
        return .findChunk(content: content, part: part, chunk: chunk)
    }

    /// A flags byte of which only the lowest bit is defined.
    private static func flag(_ reader: inout ByteReader) throws(Malformed) -> Bool {
        try flags(&reader, known: 1) == 1
    }

    /// A flags byte of which only the `known` bits are defined.
    private static func flags(_ reader: inout ByteReader, known: UInt8) throws(Malformed) -> UInt8 {
        let flags = try reader.integer(UInt8.self)
        guard flags & ~known == 0 else { throw Malformed() }
        return flags
    }

    // MARK: Responses

    /// A response's status and payload, with as much of it as fits in `room` bytes.
    ///
    /// Lists lose their tail. When something was to be told and none of it fits, the answer is `retry`.
    package static func encode(_ response: Response, room: Int) -> (status: UInt8, payload: [UInt8]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(room)
        switch response {
        case .pong(let observed, let endpoints, let view, let roster):
            let reserved = roster == nil ? 1 : 1 + RosterMark.length
            append(observed, to: &bytes)
            appendList(endpoints, to: &bytes, room: room - reserved, limit: 255) { append($0, to: &$1) }
            let told = bytes.count + reserved + ViewCodec.length <= room ? view : nil
            bytes.append((told == nil ? 0 : 1) | (roster == nil ? 0 : 2))
            if let roster { RosterCodec.append(roster, to: &bytes) }
            if let told { ViewCodec.append(told, to: &bytes) }
        case .nodes(let contacts):
            let sent = appendList(contacts, to: &bytes, room: room, limit: Kademlia.namedLimit, append)
            if sent == 0, !contacts.isEmpty { return (Status.retry, []) }
        case .values(let records, let total, let closer):
            bytes.appendBigEndian(total)
            var sent = appendList(records, to: &bytes, room: room - 1, limit: 255) {
                $1.append(contentsOf: $0.bytes)
            }
            let missed = sent == 0 && !records.isEmpty
            sent += appendList(closer, to: &bytes, room: room, limit: Kademlia.namedLimit, append)
            if missed || (sent == 0 && !closer.isEmpty) { return (Status.retry, []) }
        case .stored(let receipt):
            bytes.appendBigEndian(receipt.lifetime)
            bytes.appendBigEndian(receipt.hiddenBy?.prefix { $0.nodeID } ?? 0)
            // A node whose prefix is 0 goes unnamed: a zero ends the list.
            let closest = receipt.closest.filter { $0 != 0 }
            for index in 0..<Response.Receipt.closestLimit {
                bytes.appendBigEndian(index < closest.count ? closest[index] : 0)
            }
        case .conflict(let record):
            // A requester without room for it is not live, so is told to retry before it comes to this.
            if let record, record.bytes.count <= room { bytes = record.bytes }
            return (Status.conflict, bytes)
        case .refused(let refusal): return encode(refusal)
        case .wanted(let held):
            bytes.appendBigEndian(held)
            return (Status.wanted, bytes)
        case .chunk(let chunk):
            if chunk.count + 2 > room { return (Status.retry, []) }
            bytes.appendBigEndian(UInt16(chunk.count))
            bytes.append(contentsOf: chunk)
        case .roster(let head):
            if RosterCodec.headLength > room { return (Status.retry, []) }
            RosterCodec.append(head, to: &bytes)
        case .welcome(let welcome):
            if welcome.count > room { return (Status.retry, []) }
            bytes.append(contentsOf: welcome)
        case .absent: return (Status.absent, [])
        case .retry: return (Status.retry, [])
        }
        return (Status.ok, bytes)
    }

    private static func encode(_ refusal: Response.Refusal) -> (status: UInt8, payload: [UInt8]) {
        switch refusal {
        case .quota: return (Status.quota, [])
        case .expired: return (Status.expired, [])
        case .clock(let unixMilliseconds):
            var bytes: [UInt8] = []
            bytes.appendBigEndian(unixMilliseconds)
            return (Status.clock, bytes)
        case .denied: return (Status.denied, [])
        case .unavailable: return (Status.unavailable, [])
        }
    }

    /// Appends a count and as many elements as `room` bytes of the whole buffer allow; tells how many.
    @discardableResult
    private static func appendList<Element>(
        _ elements: [Element],
        to bytes: inout [UInt8],
        room: Int,
        limit: Int,
        _ append: (Element, inout [UInt8]) -> Void
    ) -> Int {
        let countOffset = bytes.count
        bytes.append(0)
        var count = 0
        for element in elements.prefix(limit) {
            let before = bytes.count
            append(element, &bytes)
            if bytes.count > room {
                bytes.removeSubrange(before...)
                break
            }
            count += 1
        }
        bytes[countOffset] = UInt8(count)
        return count
    }

    private static func append(_ endpoint: Endpoint, to bytes: inout [UInt8]) {
        bytes.append(endpoint.family.rawValue)
        endpoint.appendAddress(to: &bytes)
        bytes.appendBigEndian(endpoint.port)
    }

    private static func append(_ contact: Contact, to bytes: inout [UInt8]) {
        contact.identity.append(to: &bytes)
        bytes.append(contact.other == nil ? 1 : 2)
        append(contact.endpoint, to: &bytes)
        if let other = contact.other { append(other, to: &bytes) }
    }

    /// The response a body carries; `nil` if it is malformed. `members`: those whose places are known.
    package static func decodeResponse(_ body: Body, members: AdmissionPolicy = .open) -> Response? {
        guard let operation = OperationCode(rawValue: body.operation) else { return nil }
        var reader = ByteReader(body.payload)
        return try? response(operation, status: body.status, &reader, members)
    }

    private static func response(
        _ operation: OperationCode,
        status: UInt8,
        _ reader: inout ByteReader,
        _ members: AdmissionPolicy
    ) throws(Malformed) -> Response {
        let response: Response
        switch (status, operation) {
        case (Status.retry, _): response = .retry
        case (Status.ok, .ping):
            let observed = try endpoint(&reader)
            let endpoints = try list(&reader, limit: 255, endpoint)
            let flags = try flags(&reader, known: 3)
            let roster = flags & 2 == 0 ? nil : try RosterCodec.readMark(&reader)
            let view = flags & 1 == 0 ? nil : try ViewCodec.read(&reader)
            response = .pong(observed: observed, endpoints: endpoints, view: view, roster: roster)
        case (Status.ok, .findNode): response = .nodes(try contacts(&reader, of: members))
        case (Status.ok, .findValue):
            let total = try reader.integer(UInt16.self)
            let records = try list(&reader, limit: 255, RecordCodec.read)
            let closer = try contacts(&reader, of: members)
            guard Int(total) >= records.count else { throw Malformed() }
            response = .values(records, total: total, closer: closer)
        case (Status.ok, .store), (Status.ok, .passOn):
            response = .stored(try receipt(&reader))
        case (Status.wanted, .store): response = .wanted(held: try reader.integer())
        case (_, .store), (_, .passOn): response = try refusal(status, &reader)
        case (Status.ok, .findChunk):
            let length = Int(try reader.integer(UInt16.self))
            guard 1...ContentLayout.chunkLength ~= length else { throw Malformed() }
            response = .chunk(Array(try reader.take(length)))
        case (Status.ok, .findRoster): response = .roster(try RosterCodec.readHead(&reader))
        case (Status.ok, .join): response = .welcome(try Welcome(&reader).encoded)
        case (Status.absent, .findChunk), (Status.absent, .findRoster), (Status.absent, .join):
            response = .absent
        default: throw Malformed()
        }
        try reader.expectPadding()
        return response
    }

    private static func receipt(_ reader: inout ByteReader) throws(Malformed) -> Response.Receipt {
        let lifetime = try reader.integer(UInt32.self)
        let hider = try reader.integer(UInt32.self)
        var closest: [UInt32] = []
        var ended = false
        for _ in 0..<Response.Receipt.closestLimit {
            let prefix = try reader.integer(UInt32.self)
            if prefix != 0, ended { throw Malformed() }
            if prefix == 0 { ended = true } else { closest.append(prefix) }
        }
        return .init(lifetime: lifetime, hiddenBy: hider == 0 ? nil : .place(hider), closest: closest)
    }

    private static func refusal(_ status: UInt8, _ reader: inout ByteReader) throws(Malformed) -> Response {
        switch status {
        case Status.conflict:
            // A record begins with its version, padding with a zero.
            var ahead = reader
            if ahead.remaining == 0 { return .conflict(nil) }
            if try ahead.integer(UInt8.self) == 0 { return .conflict(nil) }
            return .conflict(try RecordCodec.read(&reader))
        case Status.quota: return .refused(.quota)
        case Status.expired: return .refused(.expired)
        case Status.clock: return .refused(.clock(unixMilliseconds: try reader.integer()))
        case Status.denied: return .refused(.denied)
        case Status.unavailable: return .refused(.unavailable)
        default: throw Malformed()
        }
    }

    private static func list<Element>(
        _ reader: inout ByteReader,
        limit: Int,
        _ read: (inout ByteReader) throws(Malformed) -> Element
    ) throws(Malformed) -> [Element] {
        let count = Int(try reader.integer(UInt8.self))
        guard count <= limit else { throw Malformed() }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&reader)) }
        return elements
    }

    private static func endpoint(_ reader: inout ByteReader) throws(Malformed) -> Endpoint {
        switch Endpoint.Family(rawValue: try reader.integer()) {
        case .ipv4: return Endpoint(ipv4: try reader.integer(), port: try reader.integer())
        case .ipv6:
            let (high, low): (UInt64, UInt64) = (try reader.integer(), try reader.integer())
            let endpoint = Endpoint(ipv6: high, low, port: try reader.integer())
            guard endpoint.family == .ipv6 else { throw Malformed() }
            return endpoint
        case nil: throw Malformed()
        }
    }

    /// Contacts. Places of members are in the list, and need not be computed.
    private static func contacts(
        _ reader: inout ByteReader,
        of members: AdmissionPolicy
    ) throws(Malformed) -> [Contact] {
        try list(&reader, limit: Kademlia.namedLimit) { (reader: inout ByteReader) throws(Malformed) in
            let identity = try reader.identity()
            let count = try reader.integer(UInt8.self)
            guard count == 1 || count == 2 else { throw Malformed() }
            let first = try endpoint(&reader)
            let other = count == 2 ? try endpoint(&reader) : nil
            guard other?.family != first.family else { throw Malformed() }
            return Contact(
                identity: identity,
                id: members.nodeID(of: identity),
                endpoint: first,
                other: other
            )
        }
    }
}
