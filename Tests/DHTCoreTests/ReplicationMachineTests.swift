import Testing

@testable import DHTCore

/// What a node knows of changes, samples, repairs and unfinished puts, each machine by itself.
struct ReplicationMachineTests {
    private var generator: any RandomNumberGenerator & Sendable = SplitMix64(seed: 1)

    private func change(_ place: UInt8, _ kind: ContactChange.Kind, at second: UInt64) -> ContactChange {
        ContactChange(contact: .at(place), kind: kind, at: at(second), lastHeard: at(second))
    }

    // MARK: Contact changes

    @Test mutating func `the first turn comes after a few seconds, the second half a minute later`() {
        var changes = ContactChanges()
        #expect(changes.record(change(2, .came, at: 10)) == .recorded(isFirst: true))
        #expect(changes.beginTurn(at: at(10), using: &generator) == nil)
        let first = changes.nextTurn
        #expect(first.map { (at(12)...at(14)).contains($0) } == true)
        #expect(changes.record(change(3, .went, at: 11)) == .recorded(isFirst: false))
        let turn = changes.beginTurn(at: at(14), using: &generator)
        #expect(turn?.turn == .nearest)
        #expect(turn?.changes == [change(2, .came, at: 10), change(3, .went, at: 11)])
        #expect(changes.beginTurn(at: at(40), using: &generator) == nil)
        #expect(changes.nextTurn.map { (at(44)...at(74)).contains($0) } == true)
        let second = changes.beginTurn(at: at(74), using: &generator)
        #expect(second?.turn == .farthest && second?.changes == turn?.changes)
        #expect(changes.nextTurn == nil)
    }

    @Test mutating func `a contact that has nothing is not taken for one that came back`() {
        var changes = ContactChanges()
        _ = changes.record(change(2, .emptied, at: 10))
        #expect(changes.record(change(2, .returned(since: 9), at: 11)) == .superseded)
        _ = changes.beginTurn(at: at(10), using: &generator)
        #expect(changes.beginTurn(at: at(20), using: &generator)?.changes.map(\.kind) == [.emptied])
    }

    @Test func `what is missing is remembered until it was made up for`() {
        var changes = ContactChanges()
        _ = changes.record(change(2, .returned(since: 7), at: 10))
        _ = changes.record(change(3, .went, at: 10))
        #expect(changes.missingSince(.numbered(2)) == 7)
        #expect(changes.missingSince(.numbered(3)) == nil)
        changes.madeUp(for: .numbered(2))
        #expect(changes.missingSince(.numbered(2)) == nil)
    }

    // MARK: Restarts

    @Test func `a peer in doubt is asked again after pauses that double, five times at most`() {
        var sampling = RestartSampling()
        var (now, pauses) = (UInt64(100), [UInt64]())
        for _ in 0..<8 {
            sampling.postpone(.numbered(2), lastHeard: at(50), at: at(now))
            let due = (now...now + 1000).first { sampling.lastHeardIfDue(.numbered(2), at: at($0)) != nil }
            guard let due else { break }
            pauses.append(due - now)
            now = due
        }
        #expect(pauses == [30, 60, 120, 240, 480])
    }

    @Test func `each answer for a record counts, and none beyond`() {
        var sampling = RestartSampling()
        sampling.begin(.numbered(2), records: 2)
        #expect((1...3).map { _ in sampling.answered(.numbered(2)) } == [true, true, false])
        #expect(!sampling.isSampled(.numbered(2)))
    }

    // MARK: Repairs

    private let limits = RepairQueue.Limits(parallelism: 8, rate: 4, replicas: 3)

    private func repair(_ number: UInt8, to places: UInt8...) -> RepairQueue.Repair {
        let record = Record.sample(at: number)
        return .init(id: record.id, digest: record.digest, targets: places.map { .at($0) })
    }

    @Test func `a peer is given two of eight at once, the others' copies go ahead`() {
        var (queue, given) = (RepairQueue(), [[UInt8]]())
        for number in 0..<4 as Range<UInt8> { queue.append(repair(number, to: 128, 64 + number)) }
        while case .repair(let next, let weight) = queue.take(limits, at: at(1000)) {
            queue.begin(next, weight: weight)
            given.append(next.targets?.map { $0.id.bytes[0] } ?? [])
        }
        #expect(given == [[128, 64], [128, 65], [66], [67]])
        #expect(queue.count == 2 && queue.inFlight == 6)
        queue.end(1, to: [.at(128)])
        guard case .repair(let next, 1) = queue.take(limits, at: at(1000)) else {
            Issue.record("one is free")
            return
        }
        #expect(next.targets == [.at(128)] && next.id == repair(2).id)
    }

    @Test func `after a burst the pace holds`() {
        var (queue, taken) = (RepairQueue(), 0)
        for number in 0..<200 as Range<UInt8> { queue.append(repair(number, to: number)) }
        for tenth in 0..<100 as Range<UInt64> {
            let now = at(1000) + .milliseconds(tenth * 100)
            while case .repair(let next, let weight) = queue.take(limits, at: now) {
                queue.begin(next, weight: weight)
                queue.end(weight, to: next.targets ?? [])
                taken += weight
            }
        }
        // Eight at once, four a second for ten seconds; the last may begin early by one.
        #expect((47...49).contains(taken))
    }

    // MARK: Incomplete puts

    @Test func `a put is tried again after pauses that double, and given up after five`() {
        var puts = IncompletePuts()
        let record = Record.sample(at: 9, lifetime: 86_400)
        var dues: [UInt64] = []
        for _ in 0..<7 {
            guard let due = puts.add(record, nil, at: at(0)) else { break }
            dues.append(due.seconds)
        }
        #expect(dues == [120, 240, 480, 960, 1920])
        #expect(puts.count == 0)
    }

    @Test func `a newer record takes the place of the older, and not the reverse`() {
        var puts = IncompletePuts()
        let older = Record.sample(at: 9, revision: 1, lifetime: 86_400)
        let newer = Record.sample(at: 9, revision: 2, lifetime: 86_400)
        _ = puts.add(newer, nil, at: at(0))
        #expect(puts.add(older, nil, at: at(0)) == nil)
        #expect(puts.takeDue(at: now(120), mayBegin: true).put?.record == newer)
        puts.remove(at: newer.id)
        #expect(puts.count == 0)
    }

    @Test func `what is due waits while nothing may begin, and goes when it expires`() {
        var puts = IncompletePuts()
        let record = Record.sample(at: 9, revision: 0, lifetime: 200)
        _ = puts.add(record, nil, at: at(0))
        let early = puts.takeDue(at: now(60), mayBegin: true)
        #expect(early.put == nil && early.next == at(120))
        #expect(puts.takeDue(at: now(130), mayBegin: false).put == nil)
        #expect(puts.count == 1)
        #expect(puts.takeDue(at: now(201), mayBegin: true).put == nil)
        #expect(puts.count == 0)
    }

    // MARK: Departure

    @Test func `leaving ends once, when every goodbye was answered or not`() {
        var departure = Departure()
        let name = OperationID.user(1)
        #expect(departure.begin(name, owes: false) == true)
        #expect(departure.begin(OperationID.user(2), owes: false) == false)
        #expect(departure.isUnderWay)
        #expect(departure.end(at: now(1000).instant) == nil)
        let said = (1..<3 as Range<UInt64>).map { departure.saysGoodbye(at: now($0).instant) }
        #expect(said == [true, false])
        for _ in 0..<2 { departure.expectAnswer() }
        for isOver in [false, true] {
            departure.answered()
            #expect(departure.end(at: now(1).instant) == (isOver ? name : nil))
        }
        #expect(departure.end(at: now(1000).instant) == nil)
        #expect(!departure.isUnderWay)
    }

    @Test func `goodbyes are waited for no longer than patience lasts`() {
        var departure = Departure()
        let said = now(1).instant
        #expect(departure.begin(OperationID.user(1), owes: false) == true)
        #expect(departure.saysGoodbye(at: said) == true)
        departure.expectAnswer()
        let deadline = said + Departure.patience
        #expect(departure.deadline == deadline)
        #expect(departure.end(at: said) == nil)
        #expect(departure.end(at: deadline) == OperationID.user(1))
    }

    @Test func `who goes is counted from the beginning of our leave`() {
        var departure = Departure()
        #expect(departure.begin(OperationID.user(1), owes: true) == true)
        #expect(departure.owes)
        for _ in 0..<2 { departure.contactWent() }
        #expect(departure.gone == 2)
        #expect(departure.saysGoodbye(at: now(1).instant) == true)
        #expect(departure.end(at: now(1).instant) != nil)
        #expect(departure.begin(OperationID.user(2), owes: false) == true)
        #expect(departure.gone == 0 && !departure.owes)
    }
}
