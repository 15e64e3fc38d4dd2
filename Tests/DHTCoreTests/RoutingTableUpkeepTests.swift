import DHTCore
import Testing

/// Refreshes, signs of life, and deadlines. Our own id is 0, as in `RoutingTableTests`.
@Suite struct RoutingTableUpkeepTests {
    private let own = NodeID(firstByte: 0)
    private let hour = Interval.minutes(60)

    private func table(_ places: UInt8...) -> RoutingTable {
        var table = RoutingTable(own: own)
        for place in places { _ = table.answered(.at(place), at: at(0)) }
        return table
    }

    // MARK: Refreshes

    @Test func `an empty table has its first bucket to refresh`() {
        var table = table()
        #expect(table.bucketsDue(at: at(0), interval: hour) == [0])
        table.refreshed(0, at: at(10))
        #expect(table.bucketsDue(at: at(11), interval: hour).isEmpty)
    }

    @Test func `buckets are due down to the deepest that holds somebody`() {
        #expect(table(40).bucketsDue(at: at(0), interval: hour) == [0, 1, 2])
        #expect(table(40, 200).bucketsDue(at: at(0), interval: hour) == [0, 1, 2])
    }

    @Test func `a refreshed bucket is due again after the interval`() {
        var table = table(40)
        for bucket in 0...2 { table.refreshed(bucket, at: at(UInt64(bucket) * 100)) }
        #expect(table.bucketsDue(at: at(3599), interval: hour).isEmpty)
        #expect(table.bucketsDue(at: at(3600), interval: hour) == [0])
        #expect(table.bucketsDue(at: at(3700), interval: hour) == [0, 1])
        #expect(table.bucketsDue(at: at(9999), interval: hour) == [0, 1, 2])
    }

    @Test func `a refresh of a bucket nobody is in is remembered`() {
        var table = table(200)
        table.refreshed(3, at: at(100))
        #expect(table.bucketsDue(at: at(100), interval: hour) == [0])
        _ = table.answered(.at(20), at: at(101))
        #expect(table.bucketsDue(at: at(101), interval: hour) == [0, 1, 2])
    }

    @Test func `buckets deeper than the deepest contact are not due any more`() {
        var table = table(200, 20)
        table.remove(Contact.at(20).identity, id: Contact.at(20).id)
        #expect(table.bucketsDue(at: at(0), interval: hour) == [0])
    }

    @Test(arguments: 0..<160)
    func `a random target lies in its bucket`(bucket: Int) {
        var generator = SplitMix64(seed: UInt64(bucket))
        let table = RoutingTable(own: .random(using: &generator))
        for _ in 0..<20 {
            #expect(table.bucket(of: table.randomTarget(in: bucket, using: &generator)) == bucket)
        }
    }

    @Test func `random targets fill all of their bucket`() {
        var generator = SplitMix64(seed: 10)
        let table = table()
        let first = Set((0..<2000).map { _ in table.randomTarget(in: 0, using: &generator).bytes[0] })
        #expect(first == Set(128...255))
        let last = Set((0..<200).map { _ in table.randomTarget(in: 157, using: &generator).bytes[19] })
        #expect(last == [4, 5, 6, 7])
        #expect(table.randomTarget(in: 159, using: &generator) == own.flipping(159))
    }

    @Test func `the same seed gives the same target`() {
        var (one, other) = (SplitMix64(seed: 11), SplitMix64(seed: 11))
        #expect(table().randomTarget(in: 5, using: &one) == table().randomTarget(in: 5, using: &other))
    }

    // MARK: Signs of life

    @Test func `a good contact is asked after twelve to fifteen quiet minutes`() {
        var table = table(200, 100)
        _ = table.answered(.at(200), at: at(600))
        #expect(table.contactsDue(at: at(719)).isEmpty)
        #expect(table.contactsDue(at: at(900)).places == [100])
        #expect(table.contactsDue(at: at(1319)).places == [100])
        #expect(table.contactsDue(at: at(1500)).places == [200, 100])
    }

    @Test func `contacts that answered at one moment are not all asked at one moment`() {
        let table = table(200, 201, 202, 203, 100, 101, 102, 103)
        let due = stride(from: 720, through: 900, by: 30).map { table.contactsDue(at: at($0)).count }
        #expect(due.first == 0 && due.last == 8)
        #expect(Set(due).count >= 5, "\(due)")
    }

    @Test func `a contact that failed is asked after its back-off`() {
        var table = table(200, 100)
        let contact = Contact.at(100)
        _ = table.failed(contact.identity, id: contact.id, at: at(10))
        #expect(table.contactsDue(at: at(10)).isEmpty)
        #expect(table.contactsDue(at: at(11)).places == [100])
        _ = table.failed(contact.identity, id: contact.id, at: at(11))
        #expect(table.contactsDue(at: at(12)).isEmpty)
        #expect(table.contactsDue(at: at(13)).places == [100])
    }

    @Test func `a contact being asked is not asked again meanwhile`() {
        var table = table(200)
        let contact = Contact.at(200)
        table.probed(contact.identity, id: contact.id, at: at(900))
        #expect(table.contactsDue(at: at(909)).isEmpty)
        #expect(table.contactsDue(at: at(910)).places == [200])
        table.probed(.numbered(999), id: contact.id, at: at(910))
        table.probed(.numbered(3), id: NodeID(firstByte: 3), at: at(910))
        #expect(table.contactsDue(at: at(910)).places == [200])
    }

    @Test func `one that waits for a place is not asked`() {
        var table = RoutingTable(own: own, capacities: [1])
        _ = table.answered(.at(200), at: at(0))
        _ = table.answered(.at(201), at: at(0))
        #expect(table.contactsDue(at: at(900)).places == [200])
    }

    @Test func `a contact with a long back-off is found again within five minutes`() {
        var table = table(200)
        let contact = Contact.at(200)
        var now = at(0)
        for _ in 0..<20 {
            now = table.nextDeadline(refreshInterval: hour)
            table.refreshed(0, at: now)
            guard table.contactsDue(at: now) == [contact] else { continue }
            table.probed(contact.identity, id: contact.id, at: now)
            now = now + .seconds(4)
            _ = table.failed(contact.identity, id: contact.id, at: now)
        }
        #expect(table.entry(for: contact.id)?.reachability.grade == .bad)
        #expect(table.nextDeadline(refreshInterval: hour).since(now) <= .minutes(5))
        #expect(table.answered(contact, at: now + .minutes(5)) == .refreshed)
    }

    // MARK: The next deadline

    @Test func `a bucket never refreshed makes the deadline past`() {
        #expect(table().nextDeadline(refreshInterval: hour) == at(0))
        #expect(table(200).nextDeadline(refreshInterval: hour) == at(0))
    }

    @Test func `the deadline is the earliest refresh or sign of life`() {
        var table = table(200, 100)
        table.refreshed(0, at: at(10))
        table.refreshed(1, at: at(20))
        #expect((at(720)...at(900)).contains(table.nextDeadline(refreshInterval: hour)))
        #expect(table.nextDeadline(refreshInterval: .minutes(1)) == at(70))
        _ = table.failed(Contact.at(200).identity, id: Contact.at(200).id, at: at(30))
        #expect(table.nextDeadline(refreshInterval: .minutes(1)) == at(31))
    }

    @Test func `an empty table waits for its refresh alone`() {
        var table = table()
        table.refreshed(0, at: at(10))
        #expect(table.nextDeadline(refreshInterval: hour) == at(3610))
    }

    @Test func `a bucket far below all contacts sets no deadline`() {
        var table = table(200)
        table.refreshed(0, at: at(500))
        table.refreshed(5, at: at(1))
        #expect(table.nextDeadline(refreshInterval: .minutes(1)) == at(560))
    }
}
