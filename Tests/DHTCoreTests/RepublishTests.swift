import Testing

@testable import DHTCore

struct RepublishScheduleTests {
    private let schedule = RepublishSchedule(longestInterval: .minutes(720), salt: 7, startedAt: at(1000))

    private func entry(
        lifetime: UInt32,
        offeredAt: UInt32,
        _ replicationState: Catalog.ReplicationState = .replicated,
        value: UInt8 = 0
    ) -> Catalog.Entry {
        var entry = Catalog.Entry(.sample(revision: 5, lifetime: lifetime, value: [value]))
        (entry.offeredAt, entry.replicationState) = (offeredAt, replicationState)
        return entry
    }

    @Test func `a record is republished around half its lifetime after it was last offered`() {
        for value in 0..<50 as Range<UInt8> {
            let due = schedule.due(entry(lifetime: 3600, offeredAt: 2000, value: value)) ?? at(0)
            #expect((2000 + 1350...2000 + 2250).contains(due.seconds))
        }
    }

    @Test func `the longest interval bounds that of records that live for long`() {
        let due = schedule.due(entry(lifetime: 31_536_000, offeredAt: 2000)) ?? at(0)
        #expect((2000 + 32_400...2000 + 54_000).contains(due.seconds))
    }

    @Test func `replicas come at different times, so that the first does it for all`() {
        let dues = (0..<8 as Range<UInt64>).compactMap { salt in
            RepublishSchedule(
                longestInterval: .minutes(720),
                salt: salt &* 0x1234_5678_9ABC,
                startedAt: at(0)
            )
            .due(entry(lifetime: 86_400, offeredAt: 2000))
        }
        #expect(Set(dues).count == 8)
        #expect((dues.max() ?? at(0)).since(dues.min() ?? at(0)) > .minutes(60))
    }

    @Test func `what lacks copies is republished soon, and what we need not keep never`() {
        let due = schedule.due(entry(lifetime: 3600, offeredAt: 2000, .underReplicated)) ?? at(0)
        #expect((2120...2180).contains(due.seconds))
        #expect(schedule.due(entry(lifetime: 3600, offeredAt: 2000, .surplus)) == nil)
    }

    @Test func `what was found in the store is republished a while after the start`() {
        let dues = (0..<100 as Range<UInt8>).compactMap { value in
            schedule.due(entry(lifetime: 3600, offeredAt: 0, value: value))?.seconds
        }
        #expect(dues.allSatisfy { (1120...2020).contains($0) })
        #expect(Set(dues).count > 50)
    }
}

/// Transcripts of republishing, in an 8-bit key space.
struct RepublishTests {
    private var transcript = Transcript(.at(1))
    private let record = Record.sample(at: 0, revision: 10, lifetime: 3600)

    init() {
        transcript.meet(2, 4, 8)
        transcript.on(at: now(10)) { node, turn in node.advance(in: &turn) }
    }

    private mutating func store(_ record: Record, at seconds: UInt64) {
        transcript.on(at: now(seconds)) { node, turn in
            node.handleRequest(
                RequestID(rawValue: seconds),
                by: .at(2),
                .store(record, condition: nil),
                isLive: true,
                in: &turn
            )
        }
        transcript.apply(at: seconds)
    }

    @Test mutating func `a record nobody offers again goes to the closest once, byte for byte`() {
        store(record, at: 10)
        let stores = transcript.live(from: 11, through: 2300, holding: [record])
        #expect(stores.map(\.contact).places.sorted() == [2, 4, 8])
        #expect(stores.allSatisfy { $0.request == .store(record, condition: nil) })
        #expect((1360...2260).contains(stores.first?.seconds ?? 0))
        #expect(transcript.node.replication.counters.republished == 1)
    }

    @Test mutating func `who sees the record offered meanwhile postpones it`() {
        store(record, at: 10)
        #expect(transcript.live(from: 11, through: 1300, holding: [record]).isEmpty)
        store(record, at: 1301)
        #expect(transcript.live(from: 1302, through: 2600, holding: [record]).isEmpty)
        #expect(!transcript.live(from: 2601, through: 3500, holding: [record]).isEmpty)
    }

    @Test mutating func `a deleted value's tombstone is republished as well`() {
        let tombstone = Record.sample(at: 0, revision: 11, lifetime: 3600, kind: .tombstone)
        store(record, at: 10)
        store(tombstone, at: 11)
        let stores = transcript.live(from: 12, through: 2400, holding: [tombstone])
        #expect(stores.count == 3)
        #expect(stores.allSatisfy { $0.request == .store(tombstone, condition: nil) })
    }

    @Test mutating func `what is about to end is republished no more`() {
        store(.sample(at: 0, revision: 10, lifetime: 200), at: 10)
        #expect(transcript.live(from: 11, through: 400, holding: [record]).isEmpty)
    }

    @Test mutating func `a newer record that another replica has is taken on, and spread`() {
        let newer = Record.sample(at: 0, revision: 20, lifetime: 3600)
        store(record, at: 10)
        transcript.answers[4] = .conflict(newer)
        _ = transcript.live(from: 11, through: 2300, holding: [record, newer])
        #expect(transcript.node.catalog.entry(at: record.location, by: record.author)?.digest == newer.digest)
        transcript.answers[4] = nil
        let stores = transcript.live(from: 2301, through: 2700, holding: [newer])
        #expect(
            stores.filter { $0.request == .store(newer, condition: nil) }.map(\.contact).places.count == 3
        )
    }

    @Test mutating func `as long as one does not take it the record is republished every few minutes`() {
        store(record, at: 10)
        transcript.answers[8] = .refused(.unavailable)
        _ = transcript.live(from: 11, through: 2300, holding: [record])
        #expect(transcript.node.underReplicated == 1)
        #expect(transcript.node.replication.counters.republished > 1)
        transcript.answers[8] = nil
        _ = transcript.live(from: 2301, through: 2500, holding: [record])
        #expect(transcript.node.underReplicated == 0)
    }

    @Test mutating func `a put that got too few copies is completed by who has none itself`() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(0x80, settings: settings))
        transcript.meet(1, 2, 4)
        let record = record
        transcript.on(at: now(10)) { node, turn in
            node.submit(.put(record, condition: nil), as: OperationID.user(1), in: &turn)
        }
        #expect(transcript.asked == [1, 2])
        transcript.answers = [2: .refused(.unavailable), 4: .refused(.unavailable)]
        transcript.answerAll(at: 10)
        #expect(transcript.node.underReplicated == 1)
        transcript.answers = [:]
        let stores = transcript.live(from: 11, through: 200, holding: [])
        #expect(stores.map(\.contact).places == [1, 2])
        #expect(transcript.node.underReplicated == 0)
    }

    @Test mutating func `where a newer record is met instead of a put to be completed that one is completed`()
    {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(0x80, settings: settings))
        transcript.meet(1, 2, 4)
        let (record, newer) = (record, Record.sample(at: 0, revision: 20, lifetime: 3600))
        transcript.on(at: now(10)) { node, turn in
            let name = OperationID.user(1)
            node.submit(.put(record, condition: nil), as: name, in: &turn)
        }
        transcript.answers = [2: .refused(.unavailable), 4: .refused(.unavailable)]
        transcript.answerAll(at: 10)
        transcript.answers[1] = .conflict(newer)
        _ = transcript.live(from: 11, through: 200, holding: [])
        transcript.answers = [:]
        let stores = transcript.live(from: 201, through: 500, holding: [])
        #expect(stores.map(\.contact).places == [1, 2])
        #expect(stores.allSatisfy { $0.request == .store(newer, condition: nil) })
        #expect(transcript.node.underReplicated == 0)
    }

    @Test
    mutating func `a record of which ours is one copy too many is handed over once, then left to expire`() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(0x80, settings: settings))
        transcript.meet(1, 2, 4)
        transcript.on(at: now(10)) { node, turn in node.advance(in: &turn) }
        store(record, at: 10)
        #expect(
            transcript.node.underReplicated == 1,
            "somebody nearer could not be reached, or we were not asked"
        )
        let stores = transcript.live(from: 11, through: 3500, holding: [record])
        #expect(stores.map(\.contact).places == [1, 2])
        let entry = transcript.node.catalog.entry(at: record.location, by: record.author)
        #expect(entry?.replicationState == .surplus)
    }

    @Test mutating func `what the store held at start is republished within the first minutes`() {
        transcript.node.restore(record)
        let stores = transcript.live(from: 11, through: 1200, holding: [record])
        #expect(stores.map(\.contact).places.sorted() == [2, 4, 8])
        #expect((stores.first?.seconds ?? 0) >= 120)
    }
}
