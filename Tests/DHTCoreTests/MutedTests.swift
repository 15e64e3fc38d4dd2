import Testing

@testable import DHTCore

/// What those wrote who may not write any more. Transcripts in an 8-bit key space with two replicas.
struct MutedTests {
    private var transcript: Transcript
    private let record = Record.sample(at: 0, by: 7, revision: 10, lifetime: 1_000_000)
    private let other = Record.sample(at: 0, by: 8, revision: 5, lifetime: 1_000_000)

    init() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        settings.quota.records = 3
        transcript = Transcript(.at(1, settings: settings))
        transcript.meet(4, 8, 128, at: 200)
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
        transcript.node.restore(record)
        transcript.node.restore(other)
    }

    private mutating func mute(_ authors: UInt64...) {
        transcript.node.mute { authors.map { Identity.numbered($0) }.contains($0) }
    }

    private mutating func receiveRequest(_ request: Request, at seconds: UInt64 = 300) {
        transcript.on(at: now(seconds)) { node, turn in
            let name = RequestID(rawValue: 1)
            node.handleRequest(name, by: .at(4), request, isLive: true, in: &turn)
        }
    }

    private mutating func read(at seconds: UInt64 = 300) -> Response? {
        receiveRequest(.findValue(location: record.location, author: nil, offset: 0), at: seconds)
        transcript.answerAll(at: seconds, holding: [record, other])
        return transcript.replies.first
    }

    private func conflicts(_ decision: Catalog.Decision) -> Bool {
        if case .conflict = decision { true } else { false }
    }

    // MARK: Nowhere

    @Test mutating func `it stands in nobody's way`() {
        let new = Record.sample(at: 0, by: 9, revision: 20)
        transcript.node.catalog.remove(at: other.location, by: other.author)
        #expect(conflicts(transcript.node.judgement(of: new, .absent, at: now(300)).decision))
        mute(7)
        #expect(transcript.node.judgement(of: new, .absent, at: now(300)).decision == .keep)
        mute()
        #expect(conflicts(transcript.node.judgement(of: new, .absent, at: now(300)).decision))
    }

    @Test mutating func `it is not the newest that a condition is about`() {
        let new = Record.sample(at: 0, by: 9, revision: 20)
        let condition = Request.Condition.revision(other.revision)
        #expect(conflicts(transcript.node.judgement(of: new, condition, at: now(300)).decision))
        mute(7)
        #expect(transcript.node.judgement(of: new, condition, at: now(300)).decision == .keep)
    }

    @Test mutating func `it is neither read nor counted for others`() {
        mute(7)
        transcript.node.catalog.remove(at: other.location, by: other.author)
        receiveRequest(.findValue(location: record.location, author: nil, offset: 0))
        #expect(transcript.tickets.isEmpty, "nothing is read")
        let closest = [8, 128].map { Contact.at($0) }
        #expect(transcript.replies == [.values([], total: 0, closer: closest)])
    }

    @Test mutating func `it is back at once when the next list lets its author write`() {
        mute(7)
        #expect(transcript.node.catalog.entries(at: record.location, unixMilliseconds: 0).count == 1)
        mute(8)
        let entries = transcript.node.catalog.entries(at: record.location, unixMilliseconds: 0)
        #expect(entries.map(\.author) == [record.author])
    }

    // MARK: No work for it

    @Test mutating func `it is given to nobody who comes, moves up or takes over`() {
        mute(7, 8)
        transcript.hear(.at(2), at: 300)
        transcript.lose(4, at: 300)
        #expect(transcript.live(from: 300, through: 400, holding: [record, other]).isEmpty)
    }

    @Test mutating func `it is not put again, and when its author may write again it is`() {
        mute(7)
        let stores = transcript.live(from: 300, through: 2000, holding: [record, other])
        #expect(!stores.isEmpty)
        #expect(stores.allSatisfy { $0.request == .store(other, condition: nil) })
        mute()
        let again = transcript.live(from: 2001, through: 2100, holding: [record, other])
        #expect(again.contains { $0.request == .store(record, condition: nil) })
    }

    @Test mutating func `no peer is asked for it as a sample`() {
        mute(7, 8)
        transcript.on(at: now(300)) { node, turn in node.restarted(.at(4), in: &turn) }
        #expect(transcript.requests.isEmpty)
    }

    @Test mutating func `it is not handed over`() {
        mute(7, 8)
        transcript.on(at: now(300)) { node, turn in
            node.submit(.leave, as: OperationID.user(1), in: &turn)
        }
        #expect(transcript.requests.allSatisfy { $0.request == .ping(isLeaving: true) })
    }

    // MARK: Until it is gone

    @Test mutating func `after a day it is dropped, here and from the store`() {
        mute(7)
        _ = transcript.live(from: 300, through: 340, holding: [record, other])
        let day = Muted.grace.seconds
        _ = transcript.live(from: day, through: day + 200, holding: [record, other])
        #expect(transcript.node.catalog.count == 2)
        var swept: [RecordChange] = []
        for seconds in day + 340...day + 400 {
            transcript.on(at: now(seconds)) { node, turn in node.advance(in: &turn) }
            for case .apply(_, let changes) in transcript.actions { swept += changes }
            transcript.apply(at: seconds)
        }
        #expect(swept == [.remove(location: record.location, author: record.author)])
        #expect(transcript.node.catalog.count == 1)
    }

    @Test mutating func `where room is needed it goes first`() {
        let third = Record.sample(at: 200, by: 9, revision: 10, lifetime: 1000)
        let fourth = Record.sample(at: 202, by: 9, revision: 10, lifetime: 1000)
        receiveRequest(.store(third, condition: nil))
        transcript.apply(at: 300)
        #expect(transcript.node.judgement(of: fourth, nil, at: now(300)).decision == .refuse(.quota))
        mute(7)
        _ = transcript.live(from: 301, through: 340, holding: [record, other, third])
        receiveRequest(.store(fourth, condition: nil), at: 341)
        guard case .apply(_, let changes)? = transcript.actions.first else {
            Issue.record("the record is not kept")
            return
        }
        #expect(changes == [.remove(location: record.location, author: record.author), .put(fourth)])
    }
}
