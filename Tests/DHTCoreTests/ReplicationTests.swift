import Testing

@testable import DHTCore

/// Transcripts of how records follow the membership, in an 8-bit key space with two replicas.
struct ReplicationTests {
    private var transcript: Transcript
    private let record = Record.sample(at: 0, revision: 10, lifetime: 86_400)

    init() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(1, settings: settings))
        transcript.meet(4, 8, 128, at: 200)
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
        keep(record)
    }

    private mutating func keep(_ record: Record, at seconds: UInt64 = 200) {
        transcript.on { node, turn in
            let offer = node.offer(record, condition: nil, at: now(seconds))
            node.keep(record, displacing: offer.displaced, offer.evicted, for: nil, in: &turn)
        }
        transcript.apply(at: seconds)
    }

    /// Places that STOREs went to.
    private mutating func given(from first: UInt64, through last: UInt64, holding records: [Record]? = nil)
        -> [UInt8]
    {
        transcript.live(from: first, through: last, holding: records ?? [record]).map(\.contact).places
    }

    // MARK: Who comes and goes

    @Test mutating func `a contact that comes among the closest gets the record within seconds`() {
        transcript.hear(.at(2), at: 300)
        #expect(given(from: 300, through: 301).isEmpty, "changes settle first")
        #expect(given(from: 302, through: 310) == [2])
        #expect(given(from: 311, through: 600).isEmpty)
        #expect(transcript.node.replication.counters.repaired == 1)
    }

    @Test mutating func `a contact that comes farther away gets nothing`() {
        transcript.hear(.at(16), at: 300)
        #expect(given(from: 300, through: 400).isEmpty)
    }

    @Test mutating func `when one of the closest falls silent for good the next one gets the record`() {
        transcript.lose(4, at: 300)
        #expect(given(from: 300, through: 400) == [8])
    }

    @Test mutating func `one failed request moves nobody up`() {
        transcript.on { node, turn in
            node.call(.at(4), .ping(isLeaving: false), .upkeep, in: &turn)
        }
        let call = transcript.requests[0].call
        transcript.on(at: now(300)) { node, turn in node.failed(call, in: &turn) }
        #expect(given(from: 300, through: 400).isEmpty)
    }

    @Test mutating func `who leaves in good order is followed by the next one as well`() {
        transcript.on(at: now(300)) { node, turn in
            node.handleRequest(
                RequestID(rawValue: 1),
                by: .at(4),
                .ping(isLeaving: true),
                isLive: true,
                in: &turn
            )
        }
        #expect(given(from: 300, through: 400) == [8])
    }

    @Test mutating func `who is admitted no more is followed by the next one`() {
        transcript.node.forget { $0 == Contact.at(4).identity }
        #expect(transcript.node.nextDeadline <= at(300))
        #expect(given(from: 300, through: 400) == [8])
    }

    @Test mutating func `several changes at once are one walk`() {
        transcript.lose(4, at: 300)
        transcript.hear(.at(2), at: 300)
        let walks = transcript.node.replication.walks
        #expect(given(from: 300, through: 400) == [2])
        // By the nearest and later by the farthest of those who have the record.
        #expect(transcript.node.replication.walks == walks + 2)
    }

    @Test mutating func `changes that are apart are a walk each`() {
        let walks = transcript.node.replication.walks
        transcript.lose(4, at: 300)
        _ = given(from: 300, through: 309)
        #expect(transcript.node.replication.walks == walks + 1)
        transcript.hear(.at(2), at: 310)
        _ = given(from: 310, through: 319)
        #expect(transcript.node.replication.walks == walks + 2)
    }

    @Test mutating func `who comes back gets what it missed, and only that`() {
        transcript.hear(.at(4), at: 250)
        transcript.lose(4, at: 300)
        _ = given(from: 300, through: 400)
        let later = Record.sample(at: 0, by: 2, revision: 400, lifetime: 3600)
        keep(later, at: 400)
        transcript.silent = []
        transcript.hear(.at(4), at: 500)
        let stores = transcript.live(from: 500, through: 600, holding: [record, later])
        #expect(stores.map(\.contact).places == [4])
        #expect(stores.first?.request == .store(later, condition: nil))
    }

    @Test mutating func `who comes and goes and comes gets all it missed since the first time`() {
        transcript.hear(.at(4), at: 250)
        transcript.lose(4, at: 300)
        _ = given(from: 300, through: 400)
        let later = Record.sample(at: 0, by: 2, revision: 400, lifetime: 3600)
        keep(later, at: 400)
        transcript.silent = []
        transcript.hear(.at(4), at: 500)
        transcript.lose(4, at: 500)
        _ = given(from: 500, through: 550, holding: [record, later])
        transcript.silent = []
        transcript.hear(.at(4), at: 551)
        let stores = transcript.live(from: 551, through: 600, holding: [record, later])
        #expect(stores.map(\.request) == [.store(later, condition: nil)])
        #expect(transcript.node.size(of: "contacts that miss records") == 0)
    }

    @Test mutating func `of what ended meanwhile nothing is given`() {
        let brief = Record.sample(at: 0, by: 2, revision: 200, lifetime: 101)
        keep(brief)
        transcript.hear(.at(2), at: 300)
        #expect(given(from: 302, through: 400, holding: [record, brief]) == [2])
    }

    // MARK: Duties

    @Test mutating func `who is not the nearest acts later, if it was the farthest`() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(8, settings: settings))
        transcript.meet(1, 16, at: 200)
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
        keep(record)
        transcript.hear(.at(4), at: 300)
        #expect(given(from: 300, through: 325).isEmpty)
        #expect(given(from: 326, through: 370) == [4])
    }

    @Test mutating func `a copy that was not taken is made up for minutes later`() {
        transcript.answers[2] = .refused(.unavailable)
        transcript.hear(.at(2), at: 300)
        #expect(given(from: 300, through: 400) == [2])
        #expect(transcript.node.underReplicated == 1)
        #expect(transcript.node.replication.counters.failed == 1)
        transcript.answers[2] = nil
        #expect(given(from: 401, through: 600) == [2])
        #expect(transcript.node.underReplicated == 0)
    }

    @Test mutating func `a copy that could not be read when it was to be given is given minutes later`() {
        transcript.hear(.at(2), at: 300)
        for second in 301...310 as ClosedRange<UInt64> {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            for ticket in transcript.tickets {
                transcript.on(at: now(second)) { node, turn in
                    node.storeFailed(ticket, in: &turn)
                }
                #expect(transcript.requests.isEmpty)
            }
        }
        #expect(transcript.node.underReplicated == 1)
        #expect(given(from: 311, through: 600).contains(2))
        #expect(transcript.node.underReplicated == 0)
    }

    @Test mutating func `who falls silent while it is given something is made up for by the others`() {
        transcript.hear(.at(2), at: 300)
        #expect(given(from: 300, through: 301).isEmpty)
        transcript.silent = [2]
        #expect(given(from: 302, through: 1000).starts(with: [2, 4]))
        #expect(transcript.node.underReplicated == 0)
    }

    @Test mutating func `a newer record that the other has is taken on`() {
        let newer = Record.sample(at: 0, revision: 20, lifetime: 86_400)
        transcript.answers[2] = .conflict(newer)
        transcript.hear(.at(2), at: 300)
        _ = given(from: 300, through: 320)
        #expect(transcript.node.catalog.entry(at: record.location, by: record.author)?.digest == newer.digest)
    }

    // MARK: Reads

    private mutating func read(at location: UInt8, finding records: [Record]) {
        transcript.on(at: now(300)) { node, turn in
            let get = KademliaOperation.get(
                location: NodeID(firstByte: location),
                author: nil,
                replicas: 2,
                isExhaustive: true
            )
            node.submit(get, as: OperationID.user(1), in: &turn)
        }
        transcript.answerAll(at: 300, holding: records)
    }

    @Test mutating func `a reader that ought to have the record takes it on`() {
        let other = Record.sample(at: 0, by: 2, revision: 250, lifetime: 3600)
        read(at: 0, finding: [other])
        #expect(transcript.node.catalog.entry(at: other.location, by: other.author)?.digest == other.digest)
    }

    @Test mutating func `a reader with an older record takes on the newer one`() {
        let newer = Record.sample(at: 0, revision: 250, lifetime: 3600)
        read(at: 0, finding: [newer])
        #expect(transcript.node.catalog.entry(at: newer.location, by: newer.author)?.digest == newer.digest)
    }

    @Test mutating func `a reader that is far away keeps nothing of what it reads`() {
        let far = Record.sample(at: 129, by: 2, revision: 250, lifetime: 3600)
        transcript.meet(130, 131, at: 250)
        read(at: 129, finding: [far])
        #expect(transcript.node.catalog.entry(at: far.location, by: far.author) == nil)
    }

    // MARK: Restarts

    /// The contact shows another box key; then it has these of the records it is asked for.
    private mutating func restart(_ place: UInt8, at seconds: UInt64, having records: [Record]) -> [Request] {
        transcript.on(at: now(seconds)) { node, turn in node.restarted(.at(place), in: &turn) }
        return tell(records, at: seconds)
    }

    /// Whoever was just asked has these records.
    private mutating func tell(_ records: [Record], at seconds: UInt64) -> [Request] {
        let requests = transcript.requests
        for (call, _, _) in requests {
            transcript.on(at: now(seconds)) { node, turn in
                let values = Response.values(records, total: UInt16(records.count), closer: [])
                node.answered(call, values, in: &turn)
            }
        }
        return requests.map(\.request)
    }

    @Test mutating func `who started anew is asked for a record it had, and gets all if it has lost that`() {
        transcript.hear(.at(4), at: 250)
        let asked = restart(4, at: 300, having: [])
        #expect(asked == [.findValue(location: record.location, author: record.author, offset: 0)])
        #expect(given(from: 300, through: 400) == [4])
    }

    @Test mutating func `who started anew and did not tell is asked again when it answers anything`() {
        transcript.hear(.at(4), at: 250)
        transcript.on(at: now(300)) { node, turn in node.restarted(.at(4), in: &turn) }
        for (call, _, _) in transcript.requests {
            transcript.on(at: now(305)) { node, turn in node.failed(call, in: &turn) }
        }
        #expect(transcript.node.size(of: "unverified peers") == 1)
        transcript.hear(.at(4), at: 310)
        #expect(transcript.requests.isEmpty, "too soon")
        transcript.hear(.at(4), at: 336)
        let question = Request.findValue(location: record.location, author: record.author, offset: 0)
        #expect(tell([], at: 336) == [question])
        #expect(given(from: 336, through: 350) == [4])
        transcript.hear(.at(4), at: 600)
        #expect(transcript.requests.isEmpty, "it told")
    }

    @Test mutating func `who started anew with its records gets those only that were offered since`() {
        transcript.hear(.at(4), at: 250)
        let later = Record.sample(at: 0, by: 2, revision: 260, lifetime: 3600)
        keep(later, at: 260)
        _ = restart(4, at: 300, having: [record])
        let stores = transcript.live(from: 300, through: 400, holding: [record, later])
        #expect(stores.map(\.request) == [.store(later, condition: nil)])
    }

    @Test mutating func `who started anew and cannot be asked for anything it surely had gets all`() {
        transcript.hear(.at(4), at: 199)
        #expect(restart(4, at: 300, having: []).isEmpty)
        #expect(given(from: 300, through: 330) == [4])
    }

    @Test mutating func `who need have nothing of ours is asked nothing`() {
        #expect(restart(128, at: 300, having: []).isEmpty)
        #expect(restart(64, at: 300, having: []).isEmpty)
    }

    @Test mutating func `those we meet in our first minutes knew what we had before`() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(1, settings: settings))
        transcript.node.restore(record)
        transcript.on(at: now(0)) { node, turn in
            node.setSeeds([(.numbered(9), NodeID(firstByte: 9))], in: &turn)
        }
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
        transcript.hear(.at(3), at: 210)
        #expect(given(from: 210, through: 260).isEmpty)
        let unhandled = Record.sample(at: 0, by: 2, revision: 260, lifetime: 3600)
        keep(unhandled, at: 261)
        transcript.hear(.at(2), at: 270)
        let stores = transcript.live(from: 270, through: 310, holding: [record, unhandled])
        #expect(stores.map(\.request) == [.store(unhandled, condition: nil)])
    }

    // MARK: Bounds

    private static let many = (0..<600 as Range<UInt64>).map {
        Record.sample(at: UInt8($0 % 4), by: 10 + $0, revision: 200, lifetime: 86_400)
    }

    private mutating func fill() {
        for record in Self.many { transcript.node.restore(record) }
    }

    @Test mutating func `a walk through many records goes in slices, no faster than it may`() {
        fill()
        transcript.hear(.at(2), at: 300)
        let records = Dictionary(grouping: Self.many + [record], by: \.author)
        var (longest, sent): (Int, [UInt64]) = (0, [])
        for step in 0..<1200 as Range<UInt64> {
            let moment = Now(instant: at(300) + .milliseconds(step * 10), unixMilliseconds: 300_000)
            guard transcript.node.nextDeadline <= moment.instant else { continue }
            transcript.on(at: moment) { node, turn in node.advance(in: &turn) }
            longest = max(longest, transcript.actions.count)
            transcript.performAll(at: moment) { action, node, turn in
                switch action {
                case .load(let ticket, _, let authors):
                    let found = authors.flatMap { records[$0] ?? [] }
                    node.loaded(ticket, found, in: &turn)
                case .call(let call, _, let request, _):
                    if request.isWrite { sent.append(step / 100) }
                    let receipt = Response.stored(.init(lifetime: 1, closest: []))
                    node.answered(call, receipt, in: &turn)
                default: break
                }
            }
            if step % 50 == 0 { #expect(!transcript.node.bounds.contains { !$0.isWithinBound }) }
        }
        #expect(longest <= transcript.node.settings.repairParallelism)
        #expect(sent.count == Self.many.count + 1)
        let burst = transcript.node.settings.repairParallelism
        for second in Set(sent) { #expect(sent.count { $0 == second } <= 101 + burst) }
    }

    @Test mutating func `no more than so many copies are under way, a quarter to one peer`() {
        fill()
        transcript.hear(.at(2), at: 300)
        var loads = 0
        for second in 300...330 as ClosedRange<UInt64> {
            transcript.on(at: now(second)) { node, turn in node.advance(in: &turn) }
            loads += transcript.tickets.count
        }
        #expect(loads == transcript.node.settings.repairParallelism / RepairQueue.peerShare)
        #expect(transcript.node.size(of: "copies under way") == loads)
        #expect(transcript.node.size(of: "peers given copies") == 1)
        #expect(transcript.node.underReplicated >= RepairQueue.capacity)
    }

    @Test mutating func `more changes than can be remembered are counted`() {
        for number in 0..<1100 as Range<UInt64> {
            let identity = Identity.numbered(1_000_000 + number)
            let contact = Contact(identity: identity, id: NodeID(firstByte: 2), endpoint: .port(1))
            transcript.node.onContactLost(contact, lastHeard: at(300), at: at(300))
        }
        #expect(transcript.node.size(of: "unhandled changes") == ContactChanges.capacity)
        #expect(transcript.node.replication.counters.overlooked == 1100 - UInt64(ContactChanges.capacity))
    }

    @Test mutating func `without records nothing is remembered of who comes and goes`() {
        transcript = Transcript(.at(1))
        transcript.hear(.at(2), at: 300)
        transcript.lose(2, at: 301)
        #expect(transcript.node.size(of: "unhandled changes") == 0)
    }
}
