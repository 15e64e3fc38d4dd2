import Testing

@testable import DHTCore

/// What users ask a node for.
extension KademliaNodeTests {
    @Test mutating func `alone we keep the record and are done`() {
        submit(.put(.sample(), condition: nil))
        store(.done, transcript.tickets[0])
        let outcome = PutOutcome(replicas: [.init(identity: transcript.node.identity, verdict: .stored)])
        #expect(transcript.outcomes == [.put(outcome)])
        #expect(transcript.node.isIdle)
    }

    @Test mutating func `a put goes to those we know without a lookup, and ends when they answered`() {
        transcript.meet(0b1000_0000, 0b0100_0000)
        submit(.put(.sample(at: 0b0100_0001), condition: nil))
        #expect(transcript.asked == [0b0100_0000, 0b1000_0000])
        let calls = transcript.requests.map(\.call)
        store(.done, transcript.tickets[0])
        for call in calls { answer(call, .stored(.init(lifetime: 1, closest: []))) }
        guard case .put(let outcome)? = transcript.outcomes.first else {
            Issue.record("the put did not end")
            return
        }
        #expect(outcome.stored == 3)
        #expect(transcript.node.isIdle)
    }

    @Test mutating func `what is said late of a record counts for no other that is put under the same name`()
    {
        transcript.meet(0b1000_0000, 0b0100_0000)
        submit(.put(.sample(at: 0b0100_0001), condition: nil))
        let (late, lateTicket) = (transcript.requests.map(\.call), transcript.tickets[0])
        // Signed anew, above what a replica holds.
        submit(.put(.sample(at: 0b0100_0001, revision: 2), condition: nil))
        let (calls, ticket) = (transcript.requests.map(\.call), transcript.tickets[0])
        store(.done, lateTicket)
        for call in late { answer(call, .stored(.init(lifetime: 1, closest: []))) }
        #expect(transcript.outcomes.isEmpty)
        for call in calls { answer(call, .stored(.init(lifetime: 1, closest: []))) }
        #expect(transcript.outcomes.isEmpty)
        store(.done, ticket)
        guard case .put(let outcome)? = transcript.outcomes.first else {
            Issue.record("the put did not end")
            return
        }
        #expect(outcome.stored == 3)
        #expect(transcript.node.isIdle)
    }

    @Test mutating func `a put asks who spoke of a closer node where it is, and waits until that is there`() {
        transcript.meet(0b1000_0000, 0b0100_0000)
        submit(.put(.sample(at: 0b0100_0001), condition: nil))
        let calls = transcript.requests.map(\.call)
        store(.done, transcript.tickets[0])
        let closer = Contact.at(0b0100_0001)
        answer(calls[0], .stored(.init(lifetime: 1, closest: [closer.id.prefix])))
        #expect(transcript.requests.map(\.request) == [.findNode(target: closer.id)])
        #expect(transcript.asked == [0b0100_0000])
        answer(transcript.requests[0].call, .nodes([closer, .at(0b0111_0000)]))
        let ping = transcript.requests.last { $0.contact == closer }
        #expect(ping?.request == .ping(isLeaving: false))
        answer(calls[1], .stored(.init(lifetime: 1, closest: [])))
        #expect(transcript.outcomes.isEmpty)
        answer(ping?.call ?? calls[0], .pong(observed: .port(1), endpoints: []))
        let offer = transcript.requests.last { $0.contact == closer }
        answer(offer?.call ?? calls[0], .stored(.init(lifetime: 1, closest: [])))
        guard case .put(let outcome)? = transcript.outcomes.first else {
            Issue.record("the put did not end")
            return
        }
        #expect(outcome.stored == 4)
    }

    @Test mutating func `a get reads our own store and as many others as copies are wanted`() {
        transcript.meet(0b1000_0000, 0b1000_0001, 0b1000_0010, 0b1000_0011)
        let record = Record.sample(at: 0b1000_0000, revision: 5)
        transcript.node.restore(record)
        submit(.get(location: record.location, author: nil, replicas: 3, isExhaustive: false))
        #expect(transcript.asked == [0b1000_0000, 0b1000_0001])
        let contacts = transcript.requests.map(\.contact)
        let calls = transcript.requests.map(\.call)
        load([record], transcript.tickets[0])
        for call in calls { answer(call, .values([record], total: 1, closer: [])) }
        let outcome = GetOutcome(
            found: [.init(record: record, copies: 3)],
            answered: 3,
            asked: 3,
            closest: 2,
            hops: 1,
            answeredBy: [.numbered(0b1000_0000), .numbered(0b1000_0001), .numbered(0b0000_0001)],
            contacts: contacts
        )
        #expect(transcript.outcomes == [.got(outcome)])
    }

    @Test mutating func `when our own copy cannot be read another is asked for in its stead`() {
        transcript.meet(0b1000_0000)
        let record = Record.sample(at: 0b1000_0000, revision: 5)
        transcript.node.restore(record)
        submit(.get(location: record.location, author: nil, replicas: 1, isExhaustive: false))
        #expect(transcript.requests.isEmpty)
        load(nil, transcript.tickets[0])
        #expect(transcript.asked == [0b1000_0000])
        let contacts = transcript.requests.map(\.contact)
        answer(transcript.requests[0].call, .values([record], total: 1, closer: []))
        let outcome = GetOutcome(
            found: [.init(record: record, copies: 1)],
            answered: 1,
            asked: 1,
            closest: 1,
            hops: 1,
            answeredBy: [.numbered(0b1000_0000)],
            contacts: contacts
        )
        #expect(transcript.outcomes == [.got(outcome)])
    }

    @Test mutating func `our own copy is read, but counts as no replica's where eight are nearer`() {
        transcript.meet(0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87)
        let record = Record.sample(at: 0x80, revision: 5)
        transcript.node.restore(record)
        submit(.get(location: record.location, author: nil, replicas: 1, isExhaustive: false))
        #expect(transcript.asked == [0x80])
        let call = transcript.requests[0].call
        load([record], transcript.tickets[0])
        #expect(transcript.outcomes.isEmpty)
        let newer = Record.sample(at: 0x80, revision: 6)
        answer(call, .values([newer], total: 1, closer: []))
        guard case .got(let outcome)? = transcript.outcomes.first else {
            Issue.record("the get did not end")
            return
        }
        #expect(outcome.found.map(\.record) == [newer])
        #expect(outcome.answered == 1)
    }

    @Test mutating func `who answered a get without the record is given it`() {
        transcript.meet(0b1000_0000, 0b1000_0001)
        let record = Record.sample(at: 0b1000_0000, revision: 5)
        submit(.get(location: record.location, author: nil, replicas: 2, isExhaustive: false))
        let calls = transcript.requests.map(\.call)
        answer(calls[0], .values([], total: 0, closer: []))
        answer(calls[1], .values([record], total: 1, closer: []))
        #expect(transcript.outcomes.count == 1)
        #expect(transcript.requests.map(\.request) == [.store(record, condition: nil)])
        #expect(transcript.asked == [0b1000_0000])
    }

    @Test mutating func `a get tells who answered, nearest first, ourselves among them`() {
        transcript.meet(0b0000_0000, 0b0000_0011)
        let record = Record.sample(at: 0b0000_0000)
        transcript.node.restore(record)
        submit(.get(location: record.location, author: nil, replicas: 3, isExhaustive: false))
        let calls = transcript.requests.map(\.call)
        load([record], transcript.tickets[0])
        for call in calls.reversed() { answer(call, .values([record], total: 1, closer: [])) }
        guard case .got(let outcome)? = transcript.outcomes.first else {
            Issue.record("the get did not end")
            return
        }
        #expect(outcome.answeredBy == [.numbered(0), .numbered(1), .numbered(3)])
    }

    @Test mutating func `a get of what only we have tells of no hops`() {
        let record = Record.sample()
        transcript.node.restore(record)
        submit(.get(location: record.location, author: nil, replicas: 1, isExhaustive: false))
        load([record], transcript.tickets[0])
        guard case .got(let outcome)? = transcript.outcomes.first else {
            Issue.record("the get did not end")
            return
        }
        #expect((outcome.hops, outcome.answeredBy) == (0, [transcript.node.identity]))
    }

    @Test(arguments: [(-1, nil, 3), (1, nil, 3), (5, nil, 5), (100, nil, 8), (5, 1, 3), (1, 6, 6)])
    mutating func `a get goes as many paths as it or the node is set to`(
        setting: Int,
        ofGet: Int?,
        asked: Int
    ) {
        var settings = KademliaNode.Settings()
        settings.paths = setting
        transcript = Transcript(.at(0b0000_0001, settings: settings))
        transcript.meet(0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88)
        let location = NodeID(firstByte: 0x80)
        submit(.get(location: location, author: nil, replicas: 8, isExhaustive: false, paths: ofGet))
        #expect(transcript.asked.count == asked)
        transcript.on(at: now(10)) { $0.beginSearch(.refresh, target: location, in: &$1) }
        #expect(transcript.asked.count == 3, "upkeep goes one path")
    }

    @Test mutating func `a ping of an unknown peer looks for it first`() {
        transcript.meet(0b1000_0000)
        submit(.ping(.numbered(0b1100_0000), id: NodeID(firstByte: 0b1100_0000)))
        #expect(transcript.requests.map(\.request) == [.findNode(target: NodeID(firstByte: 0b1100_0000))])
        answer(transcript.requests[0].call, .nodes([.at(0b1100_0000)]))
        let search = transcript.requests.first { $0.request != .ping(isLeaving: false) }
        #expect(search?.contact == .at(0b1100_0000))
    }

    @Test mutating func `answers to nothing are nothing`() {
        answer(CallID.core(99), pong)
        #expect(transcript.actions.isEmpty)
        store(.done, Ticket.core(99))
        #expect(transcript.actions.isEmpty)
        transcript.on(at: now(1)) { node, turn in node.failed(CallID.core(99), in: &turn) }
        #expect(transcript.actions.isEmpty)
    }
}
