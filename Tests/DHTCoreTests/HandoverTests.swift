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

    @Test mutating func `what the others have for all we know goes to whoever moves up alone`() {
        transcript.meet(4, 8, 128)
        settle()
        var clone = self
        #expect(clone.leaveAnswering() == 3)
        // Two of the three, in doubt, go to the other replica as well.
        for (record, state) in zip(records, [Catalog.ReplicationState.underReplicated, .allReachable]) {
            transcript.node.catalog.record(state, of: record.digest, at: record.id, second: 20)
        }
        #expect(leaveAnswering() == 5)
    }

    @Test mutating func `where fewer are left than ought to have it, one of them is given all the same`() {
        transcript.meet(4)
        settle()
        #expect(leaveAnswering() == 3)
    }

    @Test mutating func `somebody who came a moment ago is given all`() {
        transcript.meet(4, 8, 128)
        settle()
        transcript.hear(.at(9), at: 20)
        #expect(leaveAnswering() == 6)
    }

    @Test mutating func `somebody who goes while we leave makes others move up`() {
        transcript.meet(4, 8, 128)
        settle()
        // Nobody can tell who moved up in whose place: both replicas are given all, the first once more.
        #expect(leaveAnswering(whileGoes: .at(128)) == 9)
    }

    @Test mutating func `a goodbye that nobody answers delays us by no more than our patience`() {
        transcript = Transcript(.at(1))
        transcript.meet(4, 8)
        leave()
        #expect(transcript.actions.count { if case .call = $0 { true } else { false } } == 2)
        let deadline = transcript.node.nextDeadline
        #expect(deadline == now(20).instant + Departure.patience)
        transcript.on(at: now(20)) { node, turn in node.advance(in: &turn) }
        #expect(transcript.outcomes.isEmpty)
        let late = Now(instant: deadline, unixMilliseconds: now(20).unixMilliseconds + 500)
        transcript.on(at: late) { node, turn in node.advance(in: &turn) }
        #expect(transcript.outcomes == [.left])
    }

    /// All records were taken by all who were to have them, and nothing is left to be done.
    private mutating func settle() {
        transcript.node.replication.changes.abandon()
        transcript.node.replication.queue.removeAll()
        transcript.node.replication.walk = nil
        for record in records {
            transcript.node.catalog.record(.replicated, of: record.digest, at: record.id, second: 10)
        }
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
        var (gone, hasLeft): (Set<Identity>, Bool) = ([], false)
        transcript.performAll(at: now(20)) { action, node, turn in
            switch action {
            case .load(let ticket, let location, _):
                node.loaded(ticket, records.filter { $0.location == location }, in: &turn)
            case .call(_, let contact, _, _) where node.calls.names(to: contact.identity).isEmpty: break
            case .call(_, let contact, let request, _):
                #expect(!gone.contains(contact.identity), "\(request) to one who is gone")
                // Nobody answers: each leaves as well, and is gone.
                gone.insert(contact.identity)
                let (name, leaving) = (RequestID(rawValue: UInt64(gone.count)), Request.ping(isLeaving: true))
                node.handleRequest(name, by: contact, leaving, isLive: true, in: &turn)
            case .finished: hasLeft = true
            default: break
            }
        }
        #expect(hasLeft && transcript.node.isIdle)
        #expect(gone.count == 2)
    }

    @Test mutating func `who leaves twice leaves once`() {
        transcript.meet(4, 8)
        leave()
        let first = transcript.actions
        leave()
        #expect(transcript.outcomes == [.left])
        #expect(!first.isEmpty)
    }

    /// The STOREs that it takes to leave, all of them answered; `other` goes at the first.
    private mutating func leaveAnswering(whileGoes other: Contact? = nil) -> Int {
        leave()
        var stores = 0
        transcript.performAll(at: now(20)) { action, node, turn in
            switch action {
            case .load(let ticket, let location, _):
                let found = records.filter { $0.location == location }
                node.loaded(ticket, found, in: &turn)
            case .call(let call, _, let request, _):
                stores += request.isWrite ? 1 : 0
                if stores == 1, let other {
                    let (name, leaving) = (RequestID(rawValue: 1), Request.ping(isLeaving: true))
                    node.handleRequest(name, by: other, leaving, isLive: true, in: &turn)
                }
                let receipt = Response.stored(.init(lifetime: 1, closest: []))
                node.answered(call, receipt, in: &turn)
            default: break
            }
        }
        return stores
    }
}
