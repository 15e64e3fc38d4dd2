import Testing

@testable import DHTCore

/// Transcripts of leaving, in an 8-bit key space with two replicas.
struct HandoverTests {
    private var transcript: Transcript
    private var records = (0..<3 as Range<UInt8>).map {
        Record.sample(at: $0, revision: 10, lifetime: 3600)
    }

    init() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(1, settings: settings))
        for record in records { transcript.node.restore(record) }
    }

    private mutating func leave() {
        transcript.on(at: now(20)) { node, turn in
            node.submit(.leave, as: OperationID.user(1), in: &turn)
        }
    }

    @Test mutating func `who moves up gets everything first, then the others, then all are told`() {
        transcript.meet(4, 8, 128)
        leave()
        var order: [String] = []
        transcript.performAll(at: now(20)) { action, node, turn in
            switch action {
            case .load(let ticket, let location, _):
                let found = records.filter { $0.location == location }
                node.loaded(ticket, found, in: &turn)
            case .call(let call, let contact, let request, _):
                order.append("\(request.operation) \(contact.id.bytes[0])")
                let receipt = Response.stored(.init(lifetime: 1, closest: []))
                node.answered(call, receipt, in: &turn)
            case .finished(_, let outcome):
                #expect(outcome == .left)
                order.append("left")
            default: break
            }
        }
        #expect(Array(order[0..<3]) == ["store 8", "store 8", "store 8"])
        #expect(Array(order[3..<6]) == ["store 4", "store 4", "store 4"])
        #expect(order[6...].sorted() == ["left", "ping 128", "ping 4", "ping 8"])
        #expect(order.last == "left")
        #expect(transcript.node.replication.counters.handedOver == 6)
    }

    @Test mutating func `what has ended is not handed over`() {
        transcript.meet(4, 8)
        let brief = Record.sample(at: 3, revision: 10, lifetime: 5)
        records.append(brief)
        transcript.node.restore(brief)
        var clone = self
        #expect(clone.leaveAnswering() == 6)
        // So it is its end that makes the difference.
        let lasting = Record.sample(at: 3, revision: 11, lifetime: 3600)
        records[3] = lasting
        transcript.node.restore(lasting)
        #expect(leaveAnswering() == 8)
    }

    @Test mutating func `alone there is nobody to hand over to`() {
        leave()
        #expect(transcript.outcomes == [.left])
    }

    @Test mutating func `a peer that does not answer does not keep us`() {
        transcript.meet(4, 8)
        leave()
        var hasLeft = false
        transcript.performAll(at: now(20)) { action, node, turn in
            switch action {
            case .load(let ticket, _, _): node.storeFailed(ticket, in: &turn)
            case .call(let call, _, _, _): node.failed(call, in: &turn)
            case .finished: hasLeft = true
            default: break
            }
        }
        #expect(hasLeft)
        #expect(transcript.node.isIdle)
    }

    @Test mutating func `who leaves at the same time is neither told nor given anything`() {
        transcript.meet(4, 8)
        leave()
        var (stores, goodbyes, hasLeft) = (0, 0, false)
        transcript.performAll(at: now(20)) { action, node, turn in
            switch action {
            case .load(let ticket, let location, _):
                node.loaded(ticket, records.filter { $0.location == location }, in: &turn)
            case .call(_, let contact, let request, _):
                stores += request.isWrite ? 1 : 0
                goodbyes += request == .ping(isLeaving: true) ? 1 : 0
                // Nobody answers: each leaves as well, and is gone.
                let (name, leaving) = (RequestID(rawValue: UInt64(stores)), Request.ping(isLeaving: true))
                node.handleRequest(name, by: contact, leaving, isLive: true, in: &turn)
            case .finished: hasLeft = true
            default: break
            }
        }
        #expect(hasLeft && transcript.node.isIdle)
        #expect(stores > 0 && goodbyes == 0, "\(stores) stores, \(goodbyes) goodbyes")
    }

    @Test mutating func `who leaves twice leaves once`() {
        transcript.meet(4, 8)
        leave()
        let first = transcript.actions
        leave()
        #expect(transcript.outcomes == [.left])
        #expect(!first.isEmpty)
    }

    private mutating func leaveAnswering() -> Int {
        leave()
        var stores = 0
        transcript.performAll(at: now(20)) { action, node, turn in
            switch action {
            case .load(let ticket, let location, _):
                let found = records.filter { $0.location == location }
                node.loaded(ticket, found, in: &turn)
            case .call(let call, _, let request, _):
                stores += request.isWrite ? 1 : 0
                let receipt = Response.stored(.init(lifetime: 1, closest: []))
                node.answered(call, receipt, in: &turn)
            default: break
            }
        }
        return stores
    }
}
