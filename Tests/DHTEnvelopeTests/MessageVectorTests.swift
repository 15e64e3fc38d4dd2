import DHTCore
import DHTCrypto
import Glibc
import Testing

@testable import DHTEnvelope

private struct MessageVectors: Decodable {
    struct Place: Decodable, Sendable {
        let address: String
        let port: UInt16
        /// Of a contact.
        let identity: Hex?
        /// Of a contact that has one of each family.
        let other: Address?

        struct Address: Decodable, Sendable {
            let address: String
            let port: UInt16

            var endpoint: Endpoint? { Endpoint(text: address, port: port) }
        }
    }

    /// A message and the fields of it that there are.
    struct Good: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let operation: UInt8
        let status: UInt8
        let payload: Hex
        let leaving: Bool?
        let target: Hex?
        let location: Hex?
        let offset: UInt16?
        let author: Hex?
        let condition: UInt64?
        let record: Hex?
        let records: [Hex]?
        let contacts: [Place]?
        let total: UInt16?
        let observed: Place?
        let view: View?
        let endpoints: [Place]?
        let lifetime: UInt32?
        let prefixes: [UInt32]?
        let hiddenBy: UInt32?
        let time: UInt64?
        let content: Hex?
        let part: UInt16?
        let chunk: UInt8?
        let held: UInt32?
        let bytes: Hex?
        let roster: Mark?
        let head: Head?
        let networkKey: Hex?
        let called: String?
        let administrators: [Hex]?

        var testDescription: String { "\(name), operation \(operation)" }
    }

    struct Mark: Decodable, Sendable {
        let serial: UInt64
        let stamp: UInt32

        var mark: RosterMark { RosterMark(serial: serial, stamp: stamp) }
    }

    struct Head: Decodable, Sendable {
        struct Text: Decodable, Sendable {
            let length: UInt32
            let digest: Hex
        }

        let serial: UInt64
        let time: UInt64
        let administrator: Hex
        let text: Text
        let signature: Hex

        var head: RosterHead? {
            guard let administrator = Identity(administrator.bytes),
                let digest = Digest(text.digest.bytes[...]),
                let text = ContentReference(rosterLength: text.length, digest: digest)
            else { return nil }
            return RosterHead(
                serial: serial,
                time: time,
                administrator: administrator,
                text: text,
                signature: signature.bytes
            )
        }
    }

    struct View: Decodable, Sendable {
        let clock: UInt64
        let state: UInt8
        let answered: UInt32
        let roundTrip: UInt32
    }

    struct Bad: Decodable, Sendable, CustomTestStringConvertible {
        let kind: UInt8
        let operation: UInt8
        let status: UInt8
        let payload: Hex
        let why: String

        var testDescription: String { why }
    }

    let requests: [Good]
    let responses: [Good]
    let bad: [Bad]

    static let all: MessageVectors = VectorFile.read("messages")
}

extension MessageVectors.Place {
    var endpoint: Endpoint? { Endpoint(text: address, port: port) }

    var contact: Contact? {
        guard let endpoint, let identity = identity.flatMap({ Identity($0.bytes) }) else { return nil }
        return Contact(
            identity: identity,
            id: identity.nodeID,
            endpoint: endpoint,
            other: other?.endpoint
        )
    }
}

extension Endpoint {
    init?(text: String, port: UInt16) {
        let isIPv6 = text.contains(":")
        var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
        self.init(addressBytes: bytes, port: port)
    }
}

extension MessageVectors.View {
    var view: Response.View {
        let grades: [Reachability.Grade?] = [nil, .good, .questionable, .bad]
        return Response.View(
            clock: clock,
            state: grades[Int(state)],
            lastAnswered: answered == .max ? nil : .seconds(UInt64(answered)),
            roundTrip: roundTrip == 0 ? nil : .microseconds(UInt64(roundTrip))
        )
    }
}

extension MessageVectors.Good {
    var request: Request? {
        switch operation {
        case 1: leaving.map { .ping(isLeaving: $0, roster: roster?.mark) }
        case 16: .findRoster
        case 17: .join
        case 2: target.flatMap { NodeID($0.bytes) }.map { .findNode(target: $0) }
        case 3:
            location.flatMap { NodeID($0.bytes) }.map {
                .findValue(location: $0, author: author.flatMap { Identity($0.bytes) }, offset: offset ?? 0)
            }
        case 5:
            content.flatMap { Digest($0.bytes[...]) }.map {
                let number = part ?? 0
                let part = number == .max ? ContentPart.outline : .piece(Int(number))
                return .findChunk(content: $0, part: part, chunk: chunk ?? 0)
            }
        default:
            record.flatMap { RecordCodec.decode($0.bytes) }.map {
                operation == 6
                    ? .passOn($0, condition: condition.map(named))
                    : .store($0, condition: condition.map(named))
            }
        }
    }

    private func named(_ condition: UInt64) -> Request.Condition {
        switch condition {
        case 0: .absent
        case .max: .anything
        default: .revision(Revision(rawValue: condition))
        }
    }

    private var welcome: Welcome? {
        guard let networkKey, let called, let administrators else { return nil }
        return Welcome(
            networkKey: networkKey.bytes,
            name: called,
            administrators: administrators.compactMap { Identity($0.bytes) }
        )
    }

    private var receipt: Response.Receipt {
        let hider = (hiddenBy ?? 0) == 0 ? nil : hiddenBy.map { Response.Receipt.Hider.place($0) }
        return .init(lifetime: lifetime ?? 0, hiddenBy: hider, closest: prefixes ?? [])
    }

    var response: Response? {
        switch (operation, status) {
        case (_, 1): .retry
        case (1, _):
            observed?.endpoint.map {
                .pong(
                    observed: $0,
                    endpoints: (endpoints ?? []).compactMap(\.endpoint),
                    view: view?.view,
                    roster: roster?.mark
                )
            }
        case (2, _): .nodes((contacts ?? []).compactMap(\.contact))
        case (3, _):
            .values(
                (records ?? []).compactMap { RecordCodec.decode($0.bytes) },
                total: total ?? 0,
                closer: (contacts ?? []).compactMap(\.contact)
            )
        case (5, 0): bytes.map { .chunk($0.bytes) }
        case (16, 0): head?.head.map { .roster($0) }
        case (17, 0): welcome.map { .welcome($0.encoded) }
        case (5, _), (16, _), (17, _): .absent
        case (_, 0): .stored(receipt)
        case (_, 2): .conflict(record.flatMap { RecordCodec.decode($0.bytes) })
        case (_, 3): .refused(.quota)
        case (_, 4): .refused(.expired)
        case (_, 5): time.map { .refused(.clock(unixMilliseconds: $0)) }
        case (_, 6): .refused(.denied)
        case (_, 8): held.map { .wanted(held: $0) }
        default: .refused(.unavailable)
        }
    }
}

@Suite struct MessageVectorTests {
    @Test(arguments: MessageVectors.all.requests)
    fileprivate func `a request of another implementation is read and made alike`(
        vector: MessageVectors.Good
    ) throws {
        let request = try #require(vector.request)
        #expect(MessageCodec.encode(request) == vector.payload.bytes)
        for payload in paddings(vector.payload.bytes) + [vector.payload.bytes] {
            #expect(decodeRequest(vector.operation, payload) == request)
        }
    }

    @Test(arguments: MessageVectors.all.responses)
    fileprivate func `a response of another implementation is read and made alike`(
        vector: MessageVectors.Good
    ) throws {
        let response = try #require(vector.response)
        let (status, payload) = MessageCodec.encode(response, room: Datagram.maximumPayload)
        #expect(status == vector.status)
        #expect(payload == vector.payload.bytes)
        for payload in paddings(vector.payload.bytes) + [vector.payload.bytes] {
            #expect(decodeResponse(vector.operation, vector.status, payload) == response)
        }
    }

    @Test(arguments: MessageVectors.all.bad)
    fileprivate func `a bad message is malformed, however it is padded`(vector: MessageVectors.Bad) {
        for payload in paddings(vector.payload.bytes) + [vector.payload.bytes] {
            if vector.kind == 1 {
                #expect(decodeRequest(vector.operation, payload, status: vector.status) == nil)
            } else {
                #expect(decodeResponse(vector.operation, vector.status, payload) == nil)
            }
        }
    }
}
