import Testing

@testable import DHTCore

/// Transcripts of one node in an 8-bit key space: what it is told, and what it then wants done.
struct KademliaNodeTests {
    var transcript = Transcript(.at(0b0000_0001))
    let pong = Response.pong(observed: .port(1), endpoints: [])

    mutating func receiveRequest(
        _ request: Request,
        by place: UInt8 = 0b1000_0000,
        isLive: Bool = true,
        at seconds: UInt64 = 10
    ) {
        transcript.on(at: now(seconds)) { node, turn in
            let name = RequestID(rawValue: 1)
            node.handleRequest(name, by: .at(place), request, isLive: isLive, in: &turn)
        }
    }

    mutating func submit(_ operation: KademliaOperation, at seconds: UInt64 = 10) {
        transcript.on(at: now(seconds)) { node, turn in
            node.submit(operation, as: OperationID.user(1), in: &turn)
        }
    }

    /// The contact at a place answers what it was asked last.
    mutating func answer(_ call: CallID, _ response: Response, at seconds: UInt64 = 10) {
        transcript.on(at: now(seconds)) { node, turn in node.answered(call, response, in: &turn) }
    }

    mutating func store(
        _ outcome: KademliaNode.StoreOutcome,
        _ ticket: Ticket,
        at seconds: UInt64 = 10
    ) {
        transcript.on(at: now(seconds)) { node, turn in node.applied(ticket, outcome, in: &turn) }
    }

    mutating func load(_ records: [Record]?, _ ticket: Ticket, at seconds: UInt64 = 10) {
        transcript.on(at: now(seconds)) { node, turn in node.loaded(ticket, records, in: &turn) }
    }

    // MARK: Requests

    @Test mutating func `a ping tells the sender where it was seen and where we are`() {
        transcript.node.addresses.bound = [.port(7)]
        receiveRequest(.ping(isLeaving: false))
        #expect(
            transcript.replies == [.pong(observed: Contact.at(0b1000_0000).endpoint, endpoints: [.port(7)])]
        )
    }

    @Test mutating func `a live request makes us ask its sender whether it is there`() {
        receiveRequest(.ping(isLeaving: false))
        #expect(transcript.asked == [0b1000_0000])
        #expect(transcript.node.table.count == 0)
        answer(transcript.requests[0].call, pong)
        #expect(transcript.node.table.count == 1)
    }

    @Test mutating func `a request that is not live changes nothing`() {
        transcript.meet(0b1000_0000)
        receiveRequest(.ping(isLeaving: true), isLive: false)
        #expect(transcript.node.table.count == 1)
        receiveRequest(.store(.sample(), condition: nil), isLive: false)
        #expect(transcript.replies == [.retry])
        #expect(transcript.node.catalog.count == 0)
        receiveRequest(.findNode(target: NodeID(firstByte: 9)), by: 0b0100_0000, isLive: false)
        #expect(transcript.requests.isEmpty)
    }

    @Test mutating func `who leaves is forgotten, and for a while not asked for on hearsay`() {
        transcript.meet(0b1000_0000, 0b1000_0001)
        receiveRequest(.ping(isLeaving: true))
        #expect(transcript.node.table.contacts.map(\.contact).places == [0b1000_0001])
        receiveRequest(.ping(isLeaving: false))
        #expect(transcript.requests.isEmpty)
        receiveRequest(.ping(isLeaving: false), at: 41)
        #expect(transcript.asked == [0b1000_0000])
    }

    @Test mutating func `the closest are named, without the one who asks`() {
        transcript.meet(0b1000_0000, 0b1000_0010, 0b0100_0000, 0b0100_0001)
        receiveRequest(.findNode(target: NodeID(firstByte: 0b1000_0000)))
        #expect(transcript.replies == [.nodes([.at(0b1000_0010), .at(0b0100_0000), .at(0b0100_0001)])])
    }

    @Test mutating func `addresses of this machine are told to those on it`() {
        let here = Endpoint(ipv4: 0x7F00_0001, port: 1)
        var near = Contact.at(0b1000_0010)
        near.endpoint = here
        _ = transcript.node.table.answered(near, at: at(0))
        transcript.node.addresses.bound = [here, .port(7)]
        let requests: [Request] = [
            .ping(isLeaving: false), .findNode(target: near.id),
            .findValue(location: near.id, author: nil, offset: 0),
        ]
        for (asker, isHere) in [(Endpoint.port(9), false), (Endpoint(ipv4: 0x7F00_0001, port: 9), true)] {
            var sender = Contact.at(0b1000_0000)
            sender.endpoint = asker
            let told = requests.map { request in
                transcript.on(at: now(10)) { node, turn in
                    let name = RequestID(rawValue: 1)
                    node.handleRequest(name, by: sender, request, isLive: true, in: &turn)
                }
                return transcript.replies.first
            }
            let contacts = isHere ? [near] : []
            let endpoints = isHere ? [here, .port(7)] : [.port(7)]
            #expect(told[0] == .pong(observed: asker, endpoints: endpoints))
            #expect(told[1] == .nodes(contacts))
            #expect(told[2] == .values([], total: 0, closer: contacts))
        }
    }

    @Test mutating func `a record is acknowledged once the store has it, with the closest we know`() {
        transcript.meet(0b1000_0000, 0b0100_0000)
        let record = Record.sample(at: 0b0100_0001, revision: 10, lifetime: 100)
        receiveRequest(.store(record, condition: nil), by: 0b0100_0000)
        #expect(transcript.replies.isEmpty)
        store(.done, transcript.tickets[0], at: 20)
        let prefixes = [0b0100_0000, 0b1000_0000].map { NodeID(firstByte: $0).prefix }
        #expect(transcript.replies == [.stored(.init(lifetime: 90, closest: prefixes))])
    }

    @Test mutating func `a record the store has no room for is refused and not claimed`() {
        receiveRequest(.store(.sample(), condition: nil))
        store(.failed(.quota), transcript.tickets[0])
        #expect(transcript.replies == [.refused(.quota)])
        #expect(transcript.node.catalog.count == 0)
    }

    @Test mutating func `whoever offers an older record is told the newer`() {
        let newer = Record.sample(revision: 5)
        transcript.node.restore(newer)
        receiveRequest(.store(.sample(revision: 4), condition: nil))
        load([newer], transcript.tickets[0])
        #expect(transcript.replies == [.conflict(newer)])
    }

    @Test mutating func `values are told newest first from the offset on, expired ones left out`() {
        let records = [
            Record.sample(by: 1, revision: 1), .sample(by: 2, revision: 2), .sample(by: 3, revision: 3),
            .sample(by: 4, revision: 4, lifetime: 1),
        ]
        for record in records { transcript.node.restore(record) }
        receiveRequest(.findValue(location: records[0].location, author: nil, offset: 1))
        load(records, transcript.tickets[0])
        #expect(transcript.replies == [.values([records[1], records[0]], total: 3, closer: [])])
    }

    @Test mutating func `of what we do not have the store is not asked`() {
        transcript.meet(0b1000_0000)
        transcript.node.restore(.sample(at: 1, by: 1))
        receiveRequest(
            .findValue(location: NodeID(firstByte: 1), author: .numbered(2), offset: 0),
            by: 0b0100_0000
        )
        #expect(transcript.replies == [.values([], total: 0, closer: [.at(0b1000_0000)])])
    }

    @Test mutating func `a store that cannot be read is not an empty one: who asked is to ask again`() {
        transcript.node.restore(.sample())
        receiveRequest(
            .findValue(location: Record.sample().location, author: nil, offset: 0),
            by: 0b0100_0000
        )
        let ticket = transcript.tickets[0]
        transcript.on(at: now(10)) { node, turn in node.storeFailed(ticket, in: &turn) }
        #expect(transcript.replies == [.retry])
    }

    // MARK: Time

    @Test mutating func `what has expired is swept from the store`() {
        let record = Record.sample(revision: 1, lifetime: 9)
        transcript.node.restore(record)
        transcript.on(at: now(9)) { node, turn in node.advance(in: &turn) }
        #expect(transcript.actions.isEmpty)
        transcript.on(at: now(39)) { node, turn in node.advance(in: &turn) }
        let remove = RecordChange.remove(location: record.location, author: record.author)
        #expect(transcript.actions == [.apply(transcript.tickets[0], [remove])])
    }

    @Test mutating func `the next deadline lies ahead after every advance`() {
        transcript.meet(0b1000_0000, 0b0100_0000)
        for second in stride(from: 1, to: 4000, by: 7) as StrideTo<UInt64> {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            for (call, _, _) in transcript.requests { answer(call, pong, at: second) }
            #expect(transcript.node.nextDeadline > at(second))
        }
    }
}
