import Testing

@testable import DHTCore

/// Transcripts of how one node, in an 8-bit key space, comes to know others.
struct MembershipTests {
    private var transcript = Transcript(.at(0b0000_0001))
    private let pong = Response.pong(observed: .port(1), endpoints: [])

    private mutating func setSeeds(_ places: UInt8..., at seconds: UInt64 = 1) {
        let seeds = places.map { (Contact.at($0).identity, Contact.at($0).id) }
        transcript.on(at: now(seconds)) { node, turn in node.setSeeds(seeds, in: &turn) }
    }

    private mutating func resolve(_ seed: Int, _ endpoints: [Endpoint], at seconds: UInt64 = 1) {
        transcript.on(at: now(seconds)) { node, turn in
            node.resolved(seed: seed, endpoints, in: &turn)
        }
    }

    private mutating func answer(
        _ call: CallID,
        _ response: Response,
        at seconds: UInt64 = 1,
        wasLive: Bool = true
    ) {
        transcript.on(at: now(seconds)) { node, turn in
            node.answered(call, response, wasLive: wasLive, in: &turn)
        }
    }

    private mutating func fail(_ call: CallID, at seconds: UInt64) {
        transcript.on(at: now(seconds)) { node, turn in node.failed(call, in: &turn) }
    }

    private mutating func advance(to seconds: UInt64) {
        transcript.on(at: now(seconds)) { node, turn in node.advance(in: &turn) }
    }

    private mutating func expel(_ isGone: (Identity) -> Bool) {
        transcript.on { node, _ in node.forget(where: isGone) }
    }

    // MARK: Seeds

    @Test mutating func `a seed is resolved, asked, and leads to a lookup of our own place`() {
        setSeeds(0x80)
        #expect(transcript.actions == [.resolve(seed: 0)])
        resolve(0, [Contact.at(0x80).endpoint])
        let call = transcript.requests[0].call
        #expect(transcript.actions == [.call(call, .at(0x80), .ping(isLeaving: false), isConfigured: true)])
        transcript.on(at: now(0)) { node, turn in
            node.answered(call, .pong(observed: .port(1), endpoints: []), wasLive: false, in: &turn)
        }
        // The lookup carries the challenge: that is greeting enough.
        #expect(transcript.requests.map(\.request) == [.findNode(target: transcript.node.id)])
    }

    @Test mutating func `a seed that does not answer is asked again, at its other address`() {
        setSeeds(0x80)
        let addresses = [Endpoint.port(1), .port(2)]
        resolve(0, addresses)
        #expect(transcript.requests.map(\.contact.endpoint) == [.port(1)])
        fail(transcript.requests[0].call, at: 5)
        #expect(transcript.node.nextDeadline <= at(8))
        advance(to: 8)
        #expect(transcript.actions == [.resolve(seed: 0)])
        resolve(0, addresses, at: 8)
        #expect(transcript.requests.map(\.contact.endpoint) == [.port(2)])
    }

    @Test mutating func `a seed without a usable address is resolved again, ever more seldom`() {
        setSeeds(0x80)
        var attempts: [UInt64] = []
        for second in 1...200 as ClosedRange<UInt64> {
            if transcript.actions.contains(.resolve(seed: 0)) {
                attempts.append(second)
                resolve(0, [Endpoint(ipv4: 0xE000_0001, port: 1)], at: second)
            }
            advance(to: second + 1)
        }
        let pauses = zip(attempts, attempts.dropFirst()).map { $1 - $0 }
        #expect(attempts.count > 10)
        #expect(pauses.allSatisfy { $0 <= 20 })
        #expect(pauses.last.map { $0 >= 15 } == true)
    }

    @Test mutating func `a seed that is ourselves is never resolved`() {
        setSeeds(0b0000_0001)
        #expect(transcript.actions.isEmpty)
        #expect(transcript.node.membership.isSettled(at: at(1), patience: .seconds(2)))
    }

    @Test mutating func `operations wait for the lookup of our own place, or two seconds`() {
        setSeeds(0x80)
        let get = KademliaOperation.get(
            location: NodeID(firstByte: 1),
            author: nil,
            replicas: 1,
            isExhaustive: false
        )
        transcript.on(at: now(1)) { node, turn in
            node.submit(get, as: OperationID.user(1), in: &turn)
        }
        #expect(transcript.actions.isEmpty)
        #expect(transcript.node.nextDeadline == at(3))
        advance(to: 3)
        #expect(transcript.outcomes == [.got(.init(found: [], answered: 0, asked: 0))])
    }

    // MARK: Hints

    /// A lookup meets `hints` in the answer of the one node known. Returns whom we then ask to verify.
    private mutating func hear(_ hints: [Contact], at seconds: UInt64 = 10) -> [Contact] {
        transcript.on(at: now(seconds)) { node, turn in
            node.beginSearch(.refresh, target: NodeID(firstByte: 0x80), in: &turn)
        }
        answer(transcript.requests[0].call, .nodes(hints), at: seconds)
        return transcript.requests.filter { $0.request == .ping(isLeaving: false) }.map(\.contact)
    }

    @Test mutating func `who is named is asked before it is known`() {
        transcript.meet(0x80)
        #expect(hear([.at(0x40), .at(0xC0)]).places == [0x40, 0xC0])
        #expect(transcript.node.table.count == 1)
    }

    @Test mutating func `who is known is not asked again, who is named again not within 30 seconds`() {
        transcript.meet(0x80, 0x81)
        #expect(hear([.at(0x81), .at(0x40)]).places == [0x40])
        let call = transcript.requests.first {
            $0.contact == .at(0x40) && $0.request == .ping(isLeaving: false)
        }?.call
        fail(call ?? CallID.core(0), at: 14)
        transcript.node.table.remove(.numbered(0x81), id: NodeID(firstByte: 0x81))
        #expect(hear([.at(0x40)], at: 39).isEmpty)
        #expect(hear([.at(0x40)], at: 41).places == [0x40])
    }

    @Test mutating func `a hint does not move a contact that answers`() {
        transcript.meet(0x80, 0x81)
        #expect(hear([.at(0x81, port: 4999)]).isEmpty)
        _ = transcript.node.table.failed(.numbered(0x81), id: NodeID(firstByte: 0x81), at: at(9))
        #expect(hear([.at(0x81, port: 4999)], at: 11) == [.at(0x81, port: 4999)])
    }

    @Test mutating func `one that was given up and is spoken of is asked again in its old place`() {
        transcript.meet(0x80, 0x81)
        for _ in 0..<2 {
            _ = transcript.node.table.failed(.numbered(0x81), id: NodeID(firstByte: 0x81), at: at(9))
        }
        #expect(hear([.at(0x81)]).places == [0x81])
    }

    @Test mutating func `no more than 16 are asked at once and 256 wait, the nearest to us first`() {
        transcript.meet(0x80)
        // Answers hold eight contacts at most on the wire; the bounds hold whatever comes.
        let hints = (2...255 as ClosedRange<UInt8>).filter { $0 != 0x80 }.map { Contact.at($0) }
        let asked = hear(hints)
        #expect(asked.count == 16)
        #expect(transcript.node.membership.verifications.hints.count == hints.count - 16)
        let distances = transcript.node.membership.verifications.hints.waiting.map {
            $0.id.distance(to: transcript.node.id)
        }
        #expect(distances == distances.sorted())
        answer(
            transcript.requests.first { $0.contact == asked[0] }?.call ?? CallID.core(0),
            pong,
            at: 10
        )
        #expect(transcript.node.membership.verifications.count == 16)
    }

    // MARK: Silence

    @Test mutating func `one that falls silent is looked for, twice, and then only asked`() {
        transcript.meet(0x80, 0x81)
        var lookups = 0
        for second in stride(from: 1000, to: 1300, by: 1) as StrideTo<UInt64> {
            advance(to: second)
            var pending = transcript.requests
            while let (call, contact, request) = pending.popLast() {
                if contact == .at(0x81) {
                    fail(call, at: second)
                } else {
                    answer(call, request == .ping(isLeaving: false) ? pong : .nodes([]), at: second)
                }
                lookups += transcript.requests.count {
                    $0.request == .findNode(target: NodeID(firstByte: 0x81))
                }
                pending += transcript.requests
            }
        }
        #expect(transcript.node.table.entry(for: NodeID(firstByte: 0x81))?.reachability.grade == .bad)
        #expect((1...4).contains(lookups))
    }

    @Test mutating func `each judgement is counted once`() {
        transcript.meet(0x80, 0x81)
        for second in 10...13 as ClosedRange<UInt64> {
            transcript.on { node, turn in
                node.call(.at(0x80), .ping(isLeaving: false), .upkeep, in: &turn)
            }
            let call = transcript.requests[0].call
            transcript.on(at: now(second)) { node, turn in node.overdue(call, in: &turn) }
            fail(call, at: second)
        }
        let judgements = transcript.node.judgements
        #expect((judgements.overdue, judgements.questionable, judgements.bad) == (4, 1, 1))
        #expect(judgements.requests >= 4)
    }

    @Test mutating func `when one of those given up answers, all of them are asked at once`() {
        transcript.meet(0x80, 0x81, 0x82, 0x83)
        for place in [0x81, 0x82, 0x83] as [UInt8] {
            for _ in 0..<2 {
                _ = transcript.node.table.failed(
                    .numbered(UInt64(place)),
                    id: NodeID(firstByte: place),
                    at: at(9)
                )
            }
        }
        transcript.on { node, turn in
            node.call(.at(0x81), .ping(isLeaving: false), .upkeep, in: &turn)
        }
        answer(transcript.requests[0].call, pong, at: 20)
        let pinged = transcript.requests.filter { $0.request == .ping(isLeaving: false) }.map(\.contact)
        #expect(pinged.places == [0x82, 0x83])
    }

    @Test mutating func `members expelled are forgotten, those who wait for a place included`() {
        var settings = KademliaNode.Settings()
        settings.bucketCapacities = [8]
        transcript = Transcript(.at(0b0000_0001, settings: settings))
        // The bucket holds eight; two more wait.
        var generator = SplitMix64(seed: 1)
        let own = transcript.node.id
        let crowd = (0..<10).map { number in
            Contact(
                identity: .numbered(UInt64(1000 + number)),
                id: own.flipping(20).flipping(21 + number),
                endpoint: .random(10_000, using: &generator)
            )
        }
        for contact in crowd { _ = transcript.node.table.answered(contact, at: at(1)) }
        #expect(transcript.node.table.count == 8)
        expel { $0 == crowd[0].identity || $0 == crowd[9].identity }
        #expect(
            transcript.node.table.contacts.map(\.contact.identity).sorted()
                == crowd[1...8].map(\.identity).sorted()
        )
        expel { _ in true }
        #expect(transcript.node.table.count == 0)
    }

    // MARK: Being known

    /// Asks the contact at 0x80, as a lookup does, and lets it answer.
    private mutating func converse(at seconds: UInt64, wasLive: Bool) {
        transcript.on { node, turn in
            node.call(.at(0x80), .ping(isLeaving: false), .upkeep, in: &turn)
        }
        let (call, pong) = (transcript.requests[0].call, pong)
        transcript.on(at: now(seconds)) { node, turn in
            node.answered(call, pong, wasLive: wasLive, in: &turn)
        }
    }

    @Test mutating func `a contact that does not know us is greeted, every five seconds at most`() {
        transcript.meet(0x80)
        converse(at: 400, wasLive: false)
        #expect(transcript.requests.map(\.request.isQuestion) == [true])
        #expect(transcript.asked == [0x80])
        converse(at: 404, wasLive: false)
        #expect(transcript.requests.isEmpty)
        converse(at: 405, wasLive: false)
        #expect(transcript.asked == [0x80])
        converse(at: 899, wasLive: true)
        #expect(transcript.requests.isEmpty)
    }

    @Test mutating func `a stranger we just answered is neither greeted nor asked`() {
        func receiveRequest(at seconds: UInt64) {
            transcript.on(at: now(seconds)) { node, turn in
                let ping = Request.ping(isLeaving: false)
                let inbound = RequestID(rawValue: seconds)
                node.handleRequest(inbound, by: .at(0x90), ping, isLive: false, in: &turn)
            }
        }
        transcript.meet(0x80)
        receiveRequest(at: 400)
        #expect(hear([.at(0x90)], at: 401).isEmpty)
        #expect(hear([.at(0x90, port: 4999)], at: 401).places == [0x90])
        // It does not make itself known.
        #expect(hear([.at(0x90)], at: 402).places == [0x90])
        let call = transcript.requests[0].call
        receiveRequest(at: 403)
        answer(call, pong, at: 404, wasLive: false)
        #expect(transcript.requests.isEmpty)
        #expect(transcript.node.table.entry(for: Contact.at(0x90).id) != nil)
    }

    @Test mutating func `of two that hear of each other the one with the lesser id asks first`() {
        var hints = Hints(own: NodeID(firstByte: 0x80))
        let ours = [Contact.at(0x90), .at(0xA0), .at(0x90)]
        for contact in ours + [.at(0x10), .at(0x10)] { hints.insert(contact, at: at(0)) }
        #expect(hints.count == 3)
        #expect(hints.popFirst(at: at(0)) == .at(0x90))
        #expect(hints.popFirst(at: at(0)) == .at(0xA0))
        #expect(hints.popFirst(at: at(0)) == nil)
        #expect(hints.nextDue == at(0) + Hints.deference)
        #expect(hints.popFirst(at: at(0) + Hints.deference) == .at(0x10))
        #expect(hints.count == 0)
        for first in UInt8.min..<0x80 { hints.insert(.at(first), at: at(1)) }
        #expect(hints.count == 0x80)
        hints.removeAll { $0 != Contact.at(0x20).identity }
        #expect(hints.popFirst(at: at(9)) == .at(0x20))
    }

    @Test mutating func `who answers a challenge of ours enters the table, and is not asked if it is there`()
    {
        transcript.on(at: now(0)) { node, turn in node.proved(.at(0x80), in: &turn) }
        #expect(transcript.node.table.entry(for: Contact.at(0x80).identity, id: Contact.at(0x80).id) != nil)
        #expect(transcript.requests.map(\.request) == [.findNode(target: transcript.node.id)])
        transcript.on(at: now(1)) { node, turn in
            node.onInbound(.at(0x80), in: &turn)
        }
        #expect(transcript.requests.isEmpty)
    }

    /// It asked the process before ours, and takes our answer for that one's: it will not ask again soon.
    @Test mutating func `a saved contact whose question comes before ours is asked all the same`() {
        transcript.on(at: now(0)) { node, turn in
            node.remember([.at(0x80)])
            let ping = Request.ping(isLeaving: false)
            node.handleRequest(RequestID(rawValue: 1), by: .at(0x80), ping, isLive: false, in: &turn)
            node.setSeeds([], in: &turn)
            node.advance(in: &turn)
        }
        #expect(transcript.asked == [0x80])
    }

    @Test mutating func `a live request is a sign of life of a good contact where it is known to be`() {
        func receiveRequest(_ contact: Contact, at seconds: UInt64) {
            transcript.on(at: now(seconds)) { node, turn in
                let inbound = RequestID(rawValue: seconds)
                node.handleRequest(inbound, by: contact, .ping(isLeaving: false), isLive: true, in: &turn)
            }
        }
        transcript.meet(0x80)
        receiveRequest(.at(0x80), at: 800)
        #expect(transcript.requests.isEmpty)
        advance(to: 1519)
        #expect(!transcript.requests.contains { transcript.node.calls[$0.call]?.purpose == .upkeep })
        advance(to: 1701)
        let asked = transcript.requests.first { transcript.node.calls[$0.call]?.purpose == .upkeep }
        #expect(asked?.request.isQuestion == true)
        let call = asked?.call
        // Questionable: what it asks of us is no answer to what we asked.
        if let call { fail(call, at: 1704) }
        receiveRequest(.at(0x80), at: 1705)
        #expect(
            transcript.node.table.entry(for: NodeID(firstByte: 0x80))?.reachability.grade == .questionable
        )
    }
}

extension Endpoint {
    fileprivate static func random(_ count: Int, using generator: inout SplitMix64) -> Endpoint {
        .port(UInt16.random(in: 1...UInt16(count), using: &generator))
    }
}

extension Request {
    /// Whether it asks for others.
    fileprivate var isQuestion: Bool { if case .findNode = self { true } else { false } }
}
