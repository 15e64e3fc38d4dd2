import Testing

@testable import DHTCore

/// What is more than five minutes ahead of our clock is seen nowhere. Transcripts in an 8-bit key space with
/// two replicas.
struct FarAheadTests {
    private var transcript: Transcript
    /// 2126.
    private let far = Record.sample(at: 0, by: 7, revision: 4_922_899_200, lifetime: 1_000_000)
    private let other = Record.sample(at: 0, by: 8, revision: 100, lifetime: 1_000_000)
    private let old = Record.sample(at: 0, by: 7, revision: 90, lifetime: 1_000_000)

    init() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(1, settings: settings))
        transcript.meet(4, 8, 128, at: 200)
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
    }

    private func id(_ number: UInt64) -> Identity { .numbered(number) }

    private func get(by author: Identity? = nil) -> GetOperation {
        GetOperation(location: far.location, author: author, replicas: 2, isExhaustive: false)
    }

    private mutating func receiveRequest(at seconds: UInt64 = 300) {
        let request = Request.findValue(location: far.location, author: nil, offset: 0)
        transcript.on(at: now(seconds)) { node, turn in
            let name = RequestID(rawValue: 1)
            node.handleRequest(name, by: .at(4), request, isLive: true, in: &turn)
        }
    }

    // MARK: Readers

    @Test func `a member that answers with the year 2126 does not own the key`() {
        var get = get()
        get.take([far, other], from: id(10), unixMilliseconds: 300_000)
        get.take([old], from: id(11), unixMilliseconds: 300_000)
        #expect(get.found(unixMilliseconds: 300_000).map(\.record) == [other, old])
        #expect(get.repairs(among: [.at(12)], unixMilliseconds: 300_000).map(\.0) == [other])
    }

    @Test func `five minutes are not too much, and a millisecond more is`() {
        let record = Record.sample(by: 7, revision: 600)
        for (clock, count) in [(300_000, 1), (299_999, 0)] as [(UInt64, Int)] {
            var get = get()
            get.take([record], from: id(10), unixMilliseconds: clock)
            #expect(get.found(unixMilliseconds: clock).count == count)
        }
    }

    @Test func `whoever brings nothing else is asked on, and bears no record`() {
        var get = get()
        #expect(get.nextPage(after: [far], of: 2, from: id(10), unixMilliseconds: 300_000) == 1)
        #expect(!get.isBearing(id(10)))
        _ = get.nextPage(after: [other], of: 2, from: id(10), unixMilliseconds: 300_000)
        #expect(get.isBearing(id(10)))
    }

    @Test func `its author is told of it all the same, to go back behind it`() {
        var get = get(by: id(7))
        get.take([old], from: id(10), unixMilliseconds: 300_000)
        get.take([far], from: id(11), unixMilliseconds: 300_000)
        let found = get.found(unixMilliseconds: 300_000)
        #expect(found.map(\.record) == [old])
        #expect(GetOutcome(found: found, ahead: get.ahead, answered: 2, asked: 2).last == far)
        #expect(GetOutcome(found: found, answered: 2, asked: 2).last == old)
    }

    // MARK: Replicas

    @Test mutating func `what was in the store at start is shown to nobody until its time has come`()
        throws
    {
        let soon = Record.sample(at: 0, by: 7, revision: 1000, lifetime: 1_000_000)
        transcript.node.restore(soon)
        receiveRequest(at: 699)
        #expect(transcript.tickets.isEmpty, "nothing is read")
        #expect(shown == [])
        receiveRequest(at: 700)
        let ticket = try #require(transcript.tickets.first)
        transcript.on(at: now(700)) { node, turn in node.loaded(ticket, [soon], in: &turn) }
        #expect(shown == [soon])
    }

    /// What the last answer brought.
    private var shown: [Record]? {
        guard case .values(let records, let total, _)? = transcript.replies.first,
            Int(total) == records.count
        else { return nil }
        return records
    }

    @Test mutating func `it stands in the way of no condition`() {
        transcript.node.restore(far)
        let new = Record.sample(at: 0, by: 9, revision: 300)
        #expect(transcript.node.judgement(of: new, .absent, at: now(300)).decision == .keep)
        transcript.node.restore(other)
        let condition = Request.Condition.revision(other.revision)
        #expect(transcript.node.judgement(of: new, condition, at: now(300)).decision == .keep)
    }

    @Test mutating func `it is given to nobody, and nobody is spared for refusing it`() {
        transcript.node.restore(far)
        let stores = transcript.live(from: 300, through: 3000, holding: [far])
        #expect(stores.isEmpty)
        #expect(transcript.node.catalog.count == 1, "it is kept: it may be our clock that is wrong")
    }

    @Test mutating func `its author alone may go back behind it`() {
        transcript.node.restore(far)
        func judge(_ sender: UInt64) -> Catalog.Decision {
            transcript.node.judgement(of: old, .anything, from: id(sender), at: now(300)).decision
        }
        #expect(judge(8) == .conflict(author: id(7)))
        #expect(judge(7) == .keep)
    }
}

/// Stores that hold more than they may.
struct TrimmingTests {
    private func node(records: Int = 1000, bytes: Int = 1 << 20) -> KademliaNode {
        var settings = KademliaNode.Settings()
        (settings.quota.records, settings.quota.bytes) = (records, bytes)
        return .at(0, settings: settings)
    }

    /// The removals of the first moment, by place.
    private func removed(by transcript: inout Transcript, at seconds: UInt64 = 10) -> [UInt8] {
        transcript.on(at: now(seconds)) { node, turn in node.advance(in: &turn) }
        return transcript.actions.flatMap { action -> [UInt8] in
            guard case .apply(_, let changes) = action else { return [] }
            return changes.compactMap { change in
                if case .remove(let location, _) = change { location.bytes[0] } else { nil }
            }
        }
    }

    @Test func `a start with too many records drops the farthest`() {
        var transcript = Transcript(node(records: 3))
        for place in [64, 1, 192, 128, 2] as [UInt8] { transcript.node.restore(.sample(at: place)) }
        #expect(removed(by: &transcript) == [192, 128])
        #expect(transcript.node.catalog.locations.map { $0.bytes[0] } == [1, 2, 64])
        #expect(transcript.node.catalog.evictions == 2)
        #expect(removed(by: &transcript, at: 11).isEmpty)
    }

    @Test func `a start with too many bytes drops no more than it must`() {
        let size = Record.sample().bytes.count
        var transcript = Transcript(node(bytes: 2 * size))
        transcript.node.restore(.sample(at: 1))
        transcript.node.restore(.sample(at: 128, value: [UInt8](repeating: 0, count: 100)))
        transcript.node.restore(.sample(at: 64))
        #expect(removed(by: &transcript) == [128])
    }

    @Test func `an author who has too much loses the farthest, and no other does`() {
        var settings = KademliaNode.Settings()
        settings.quota.recordsByAuthor = 2
        var transcript = Transcript(.at(0, settings: settings))
        for place in [64, 1, 128] as [UInt8] { transcript.node.restore(.sample(at: place, by: 7)) }
        for place in [200, 201] as [UInt8] { transcript.node.restore(.sample(at: place, by: 8)) }
        #expect(removed(by: &transcript) == [128])
        #expect(transcript.node.catalog.evictions == 1)
    }

    @Test func `what is over goes first`() {
        var transcript = Transcript(node(records: 2))
        transcript.node.restore(.sample(at: 1, lifetime: 5))
        transcript.node.restore(.sample(at: 128))
        transcript.node.restore(.sample(at: 192))
        #expect(removed(by: &transcript) == [1])
    }

    @Test func `a store within its bounds is left alone`() {
        var transcript = Transcript(node(records: 3))
        for place in [64, 1, 192] as [UInt8] { transcript.node.restore(.sample(at: place)) }
        #expect(removed(by: &transcript).isEmpty)
    }

    @Test func `thousands go in batches, and all of them`() {
        var transcript = Transcript(node(records: 10))
        for number in 0..<3000 as Range<UInt64> {
            transcript.node.restore(.sample(at: UInt8(number % 250), by: number))
        }
        #expect(removed(by: &transcript).count == 2990)
        #expect(transcript.node.catalog.count == 10)
        #expect(transcript.tickets.count == 6)
    }
}
