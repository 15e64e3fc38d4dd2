import Testing

@testable import DHTCore

/// Peers that never say what they make of a record, and those who need not wait for them.
struct PatienceTests {
    private var transcript: Transcript
    private static let name = OperationID.user(1)

    init() {
        var settings = KademliaNode.Settings()
        settings.replicas = 4
        transcript = Transcript(.at(255, settings: settings))
        transcript.meet(1, 2, 3, 4, 5)
    }

    private mutating func put(_ record: Record = .sample(at: 0, revision: 10), copies: Int = 0) {
        transcript.on(at: now(20)) { node, turn in
            let put = KademliaOperation.put(record, condition: nil, copies: copies)
            node.submit(put, as: Self.name, in: &turn)
        }
    }

    /// Those asked by the last event answer, but for these; what else that brings.
    private mutating func answer(besides silent: Set<UInt8>, at seconds: UInt64) -> [KademliaAction] {
        var turn = KademliaTurn(at: now(seconds))
        for (call, contact, _) in transcript.requests where !silent.contains(contact.id.bytes[0]) {
            let receipt = Response.stored(.init(lifetime: 1, closest: []))
            transcript.node.answered(call, receipt, in: &turn)
        }
        return turn.actions
    }

    private mutating func advance(to seconds: UInt64) -> [PutOutcome] {
        transcript.on(at: now(seconds)) { node, turn in node.advance(in: &turn) }
        return transcript.outcomes.compactMap { if case .put(let outcome) = $0 { outcome } else { nil } }
    }

    @Test mutating func `a put with copies enough ends a second later, whoever is still to answer`() {
        put()
        let calls = transcript.requests
        #expect(answer(besides: [3, 4], at: 20).isEmpty)
        #expect(transcript.node.nextDeadline <= at(21))
        #expect(
            calls.allSatisfy { transcript.node.awaits($0.call) == [3, 4].contains($0.contact.id.bytes[0]) }
        )
        let outcome = advance(to: 21)
        #expect(outcome.map(\.stored) == [2])
        #expect(outcome.first?.replicas.map(\.verdict) == [.stored, .stored, .timeout, .timeout])
        #expect(calls.allSatisfy { !transcript.node.awaits($0.call) })
        #expect(transcript.node.underReplicated == 1, "it is completed later")
        #expect(transcript.node.replication.queue.backoff.isBackingOff(.numbered(3), at: at(22)))
        for (call, contact, _) in calls where contact.id.bytes[0] == 3 {
            let receipt = Response.stored(.init(lifetime: 1, closest: []))
            transcript.on(at: now(22)) { node, turn in node.answered(call, receipt, in: &turn) }
            #expect(transcript.actions.isEmpty)
        }
        #expect(!transcript.node.replication.queue.backoff.isBackingOff(.numbered(3), at: at(22)))
        for (call, _, _) in calls { transcript.node.dropped(call) }
        #expect(transcript.node.puts.isEmpty)
    }

    @Test mutating func `a put whose user wants more copies waits for them`() {
        put(copies: 3)
        #expect(answer(besides: [3, 4], at: 20).isEmpty)
        #expect(advance(to: 25).isEmpty)
    }

    @Test mutating func `a put that was cancelled ends without a word`() {
        put()
        let calls = transcript.requests
        #expect(transcript.node.cancel(Self.name) == true)
        #expect(transcript.node.cancel(Self.name) == false)
        #expect(calls.allSatisfy { !transcript.node.awaits($0.call) })
        #expect(answer(besides: [], at: 20).isEmpty)
        #expect(advance(to: 30).isEmpty)
        #expect(transcript.node.puts.isEmpty)
    }

    @Test
    mutating func `a get that was cancelled ends without a word, and what it asked is answered to nobody`() {
        transcript.on(at: now(20)) { node, turn in
            let get = KademliaOperation.get(
                location: NodeID(firstByte: 0),
                author: nil,
                replicas: 4,
                isExhaustive: true
            )
            node.submit(get, as: Self.name, in: &turn)
        }
        let calls = transcript.requests
        #expect(!calls.isEmpty)
        #expect(transcript.node.cancel(Self.name) == true)
        for (call, _, _) in calls {
            transcript.on(at: now(21)) { node, turn in
                node.answered(call, .values([], total: 0, closer: []), in: &turn)
            }
            #expect(transcript.actions.isEmpty)
        }
        #expect(transcript.node.isIdle)
    }

    @Test
    mutating func
        `one peer that is never done takes a quarter of the copies under way, and others get theirs`()
    {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(1, settings: settings))
        transcript.meet(128, 132, at: 200)
        let records = (0..<60 as Range<UInt64>).map {
            Record.sample(at: $0 < 40 ? 0 : 129, by: 10 + $0, revision: 200, lifetime: 86_400)
        }
        for record in records { transcript.node.restore(record) }
        for record in records {
            let target: UInt8 = record.location == NodeID(firstByte: 0) ? 128 : 132
            transcript.node.replication.queue.append(
                .init(id: record.id, digest: record.digest, targets: [.at(target)])
            )
        }
        var (given, held) = ([UInt8: Int](), 0)
        for step in 0..<100 as Range<UInt64> {
            let moment = Now(instant: at(300) + .milliseconds(step * 100), unixMilliseconds: 300_000)
            transcript.on(at: moment) { node, turn in node.sendRepairs(in: &turn) }
            transcript.performAll(at: moment) { action, node, turn in
                switch action {
                case .load(let ticket, _, let authors):
                    let found = records.filter { authors.contains($0.author) }
                    node.loaded(ticket, found, in: &turn)
                case .call(let call, let contact, _, _):
                    let place = contact.id.bytes[0]
                    given[place, default: 0] += 1
                    guard place != 128 else {
                        held += 1
                        return
                    }
                    let receipt = Response.stored(.init(lifetime: 1, closest: []))
                    node.answered(call, receipt, in: &turn)
                default: break
                }
            }
        }
        #expect(held == transcript.node.settings.repairParallelism / RepairQueue.peerShare)
        #expect(given[132] == 20)
        #expect(transcript.node.replication.queue.count == 40 - held)
    }
}
