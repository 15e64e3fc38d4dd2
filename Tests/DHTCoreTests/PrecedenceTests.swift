import Testing

@testable import DHTCore

/// Authors whose clocks are ahead: they hide nobody who writes meanwhile, and whoever is hidden is told.
struct PrecedenceTests {
    private var transcript = Transcript(.at(0b0000_0001))
    private let timely = Record.sample(by: 1, revision: 100)
    private let ahead = Record.sample(by: 2, revision: 106, value: [2])

    private func id(_ number: UInt64) -> Identity { .numbered(number) }

    private func get(isExhaustive: Bool = false) -> GetOperation {
        GetOperation(location: NodeID(firstByte: 1), author: nil, replicas: 3, isExhaustive: isExhaustive)
    }

    // MARK: Readers

    @Test func `what is more than five seconds ahead of the clock comes after what is not`() {
        var get = get()
        get.take([ahead, timely], from: id(10), unixMilliseconds: 100_000)
        #expect(get.found(unixMilliseconds: 100_999).map(\.record) == [timely, ahead])
        #expect(get.found(unixMilliseconds: 101_000).map(\.record) == [ahead, timely])
    }

    @Test func `on either side of that the newest is first`() {
        let later = Record.sample(by: 3, revision: 101)
        let farAhead = Record.sample(by: 4, revision: 107)
        var get = get()
        get.take([timely, later, ahead, farAhead], from: id(10), unixMilliseconds: 100_000)
        #expect(get.found(unixMilliseconds: 100_000).map(\.record) == [later, timely, farAhead, ahead])
    }

    @Test func `of one author the newest stands, however far ahead`() {
        let own = Record.sample(by: 1, revision: 300)
        var get = get()
        get.take([timely], from: id(10), unixMilliseconds: 100_000)
        get.take([own], from: id(11), unixMilliseconds: 100_000)
        #expect(get.found(unixMilliseconds: 100_000).map(\.record) == [own])
    }

    @Test func `a reader asks on behind a page of what is ahead`() {
        var get = get()
        let next = get.nextPage(after: [ahead], of: 2, from: id(10), unixMilliseconds: 100_000)
        #expect(next == 1)
        #expect(get.nextPage(after: [timely], of: 2, from: id(10), unixMilliseconds: 100_000) == nil)
    }

    @Test mutating func `a value that was enough until its author's next one showed is asked on behind`() {
        let before = Record.sample(by: 2, revision: 102)
        let location = timely.location
        transcript.meet(2, 3)
        transcript.on(at: now(100)) { node, turn in
            let get = KademliaOperation.get(
                location: location,
                author: nil,
                replicas: 2,
                isExhaustive: false
            )
            node.submit(get, as: OperationID.user(1), in: &turn)
        }
        #expect(transcript.asked == [3, 2])
        let calls = transcript.requests.map(\.call)
        answer(calls[0], [before], of: 2)
        answer(calls[1], [ahead], of: 1)
        #expect(transcript.outcomes.isEmpty)
        let more = Request.findValue(location: location, author: nil, offset: 1)
        #expect(transcript.requests.map(\.request) == [more])
        #expect(transcript.asked == [3])
        answer(transcript.requests[0].call, [timely], of: 2)
        guard case .got(let outcome)? = transcript.outcomes.first else {
            Issue.record("the get does not end")
            return
        }
        #expect(outcome.found.map(\.record) == [timely, ahead])
        #expect((outcome.answered, outcome.answeredBy) == (2, [id(3), id(2)]))
    }

    private mutating func answer(_ call: CallID, _ records: [Record], of total: UInt16) {
        transcript.on(at: now(100)) { node, turn in
            let response = Response.values(records, total: total, closer: [])
            node.answered(call, response, in: &turn)
        }
    }

    @Test func `a value that its author deleted since hides nothing behind it`() {
        var get = get()
        let (value, deleted) = (
            Record.sample(by: 9, revision: 5), Record.sample(by: 9, revision: 6, kind: .tombstone)
        )
        get.take([value], from: id(10), unixMilliseconds: 100_000)
        #expect(get.nextPage(after: [value], of: 2, from: id(10), unixMilliseconds: 100_000) == nil)
        #expect(get.insufficient(unixMilliseconds: 100_000).isEmpty)
        get.take([deleted], from: id(11), unixMilliseconds: 100_000)
        #expect(get.nextPage(after: [deleted], of: 1, from: id(11), unixMilliseconds: 100_000) == nil)
        #expect(get.insufficient(unixMilliseconds: 100_000).map(\.identity) == [id(10)])
        #expect(get.insufficient(unixMilliseconds: 100_000).isEmpty, "it is asked once")
        get.take([value], from: id(12), unixMilliseconds: 100_000)
        #expect(get.nextPage(after: [value], of: 2, from: id(12), unixMilliseconds: 100_000) == 1)
    }

    @Test func `what is read first is what is repaired`() {
        var get = get()
        get.take([ahead, timely], from: id(10), unixMilliseconds: 100_000)
        let repairs = get.repairs(among: [.at(10), .at(11)], unixMilliseconds: 100_000)
        #expect(repairs.map(\.0) == [timely])
        #expect(repairs.map(\.1).places == [11])
    }

    @Test func `the revision a condition names is that of the first`() {
        var catalog = Catalog()
        for record in [timely, ahead] {
            _ = catalog.offer(record, condition: nil, unixMilliseconds: 100_000)
        }
        let new = Record.sample(by: 3, revision: 100, value: [3])
        let condition = Request.Condition.revision(timely.revision)
        let late = catalog.offer(new, condition: condition, unixMilliseconds: 101_000).decision
        #expect(late == .conflict(author: ahead.author))
        #expect(catalog.offer(new, condition: condition, unixMilliseconds: 100_000).decision == .keep)
    }

    // MARK: Writers

    private mutating func store(_ record: Record) -> Response? {
        transcript.on(at: now(100)) { node, turn in
            let name = RequestID(rawValue: 1)
            let request = Request.store(record, condition: nil)
            node.handleRequest(name, by: .at(4), request, isLive: true, in: &turn)
        }
        if transcript.replies.isEmpty { transcript.apply(at: 100) }
        return transcript.replies.first
    }

    private mutating func hider(of record: Record) -> Response.Receipt.Hider? {
        guard case .stored(let receipt)? = store(record) else { return nil }
        return receipt.hiddenBy
    }

    @Test mutating func `a replica tells whose value hides what it stored`() {
        #expect(hider(of: timely) == nil)
        #expect(hider(of: ahead) == nil)
        #expect(hider(of: timely) == .author(ahead.author))
        #expect(hider(of: .sample(by: 3, revision: 107)) == nil)
        #expect(hider(of: timely) == .author(id(3)))
    }

    @Test mutating func `neither tombstones nor those who may not write hide anything, nor are hidden`() {
        let author = ahead.author
        _ = store(ahead)
        #expect(hider(of: .sample(by: 3, revision: 99, kind: .tombstone)) == nil)
        transcript.node.mute { $0 == author }
        #expect(hider(of: timely) == nil)
        transcript.node.mute { _ in false }
        _ = store(.sample(by: 2, revision: 108, kind: .tombstone))
        #expect(hider(of: timely) == nil)
    }

    @Test mutating func `our own store tells as well`() {
        let timely = timely
        _ = store(ahead)
        transcript.on(at: now(100)) { node, turn in
            let put = KademliaOperation.put(timely, condition: nil)
            node.submit(put, as: OperationID.user(1), in: &turn)
        }
        transcript.apply(at: 100)
        guard case .put(let outcome)? = transcript.outcomes.first else {
            Issue.record("the put does not end")
            return
        }
        #expect(outcome.hider { _ in NodeID(firstByte: 9) } == .author(ahead.author))
    }

    @Test func `a writer is told what two say, or all who stored it`() {
        func hider(_ told: UInt32?..., silent: Int = 0) -> Response.Receipt.Hider? {
            var replicas = told.enumerated().map { index, prefix in
                PutOutcome.Replica(
                    identity: id(UInt64(index)),
                    verdict: .stored,
                    hiddenBy: prefix.map { .place($0) }
                )
            }
            replicas += (0..<silent).map { .init(identity: id(UInt64(100 + $0)), verdict: .timeout) }
            return PutOutcome(replicas: replicas).hider { _ in NodeID(firstByte: 9) }
        }
        #expect(hider(nil, nil, nil) == nil)
        #expect(hider(7, nil, nil) == nil)
        #expect(hider(7, 7, nil) == .place(7))
        #expect(hider(8, 7, 7, 9) == .place(7))
        #expect(hider(7, silent: 7) == .place(7))
        #expect(hider(7, 8) == nil)
        #expect(hider() == nil)
    }
}
