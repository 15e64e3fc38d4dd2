import DHTCore
import Testing

/// Our own id is 0 in an 8-bit key space, so 128…255 belong in bucket 0, 64…127 in bucket 1, 32…63 in bucket
/// 2.
@Suite struct RoutingTableTests {
    private let own = NodeID(firstByte: 0)

    /// A table with buckets of `capacity` in which these have answered, one a second.
    private func table(_ places: UInt8..., capacity: Int = 3) -> RoutingTable {
        var table = RoutingTable(own: own, capacities: [Int](repeating: capacity, count: NodeID.bitCount))
        for (second, place) in places.enumerated() { _ = table.answered(.at(place), at: at(UInt64(second))) }
        return table
    }

    private func fail(_ place: UInt8, in table: inout RoutingTable, at now: Instant) -> RoutingTable.Failure?
    {
        let contact = Contact.at(place)
        return table.failed(contact.identity, id: contact.id, at: now)
    }

    // MARK: Who enters

    @Test func `a table begins empty`() {
        let table = table()
        #expect(table.count == 0)
        #expect(table.contacts.isEmpty)
        #expect(table.bounds.isEmpty)
        #expect(table.closest(to: own, count: 8).isEmpty)
    }

    @Test func `who answered is in`() {
        var table = table()
        #expect(table.answered(.at(200), at: at(7)) == .inserted)
        let entry = table.entry(for: NodeID(firstByte: 200))
        #expect(entry?.contact == .at(200))
        #expect(entry?.lastAnswered == at(7))
        #expect(entry?.reachability.quietSince == at(7))
    }

    @Test func `who answers again is refreshed`() {
        var table = table(200)
        #expect(table.answered(.at(200), at: at(9)) == .refreshed)
        let entry = table.entry(for: NodeID(firstByte: 200))
        #expect(entry?.lastAnswered == at(9))
        #expect(table.count == 1)
    }

    @Test func `who answers from elsewhere has moved`() {
        var table = table(200)
        let moved = Contact.at(200, port: 5000)
        #expect(table.answered(moved, at: at(9)) == .moved(from: Contact.at(200).endpoint))
        #expect(table.contacts.map(\.contact) == [moved])
    }

    @Test func `our own id never enters`() {
        var table = table()
        #expect(table.answered(.at(0), at: at(0)) == .refused)
        #expect(table.count == 0)
        #expect(table.bucket(of: own) == 160)
        #expect(table.entry(for: own) == nil)
    }

    @Test func `of two identities with one id the first wins`() {
        var table = table(200)
        let twin = Contact(identity: .numbered(999), id: NodeID(firstByte: 200), endpoint: .port(1))
        #expect(table.answered(twin, at: at(9)) == .refused)
        #expect(table.contacts.map(\.contact) == [.at(200)])
        #expect(table.entry(for: twin.identity, id: twin.id) == nil)
        #expect(table.entry(for: .numbered(200), id: twin.id) != nil)
    }

    @Test func `the twin of a waiting contact is refused as well`() {
        var table = table(200, 201, 202, 203)
        let twin = Contact(identity: .numbered(999), id: NodeID(firstByte: 203), endpoint: .port(1))
        #expect(table.answered(twin, at: at(9)) == .refused)
    }

    @Test(arguments: 0..<160)
    func `a contact goes to the bucket of the bits it shares`(bit: Int) {
        var table = RoutingTable(own: NodeID(firstByte: 0b1011_0010))
        let id = NodeID(firstByte: 0b1011_0010).flipping(bit)
        let contact = Contact(identity: .numbered(1), id: id, endpoint: .port(1))
        #expect(table.answered(contact, at: at(0)) == .inserted)
        #expect(table.bounds.map(\.bucket) == [bit])
        #expect(table.entry(for: id)?.contact == contact)
        #expect(table.closest(to: id, count: 1) == [contact])
    }

    @Test func `contacts are listed by bucket, then age`() {
        let table = table(40, 200, 70, 130, 65, 41)
        #expect(table.contacts.map(\.contact).places == [200, 130, 70, 65, 40, 41])
        #expect(table.bounds.map(\.bucket) == [0, 1, 2])
        #expect(table.bounds.map(\.count) == [2, 2, 2])
        #expect(table.count == 6)
    }

    @Test func `standard buckets are big near the root and hold thrice eight further down`() {
        var table = RoutingTable(own: own)
        var generator = SplitMix64(seed: 9)
        for (bucket, capacity) in [(0, 128), (1, 64), (2, 32), (3, 24), (4, 24), (39, 24), (100, 8)] {
            for number in 0..<capacity + 3 {
                let id = table.randomTarget(in: bucket, using: &generator)
                let contact = Contact(
                    identity: .numbered(UInt64(bucket * 1000 + number)),
                    id: id,
                    endpoint: .port(1)
                )
                #expect(table.answered(contact, at: at(0)) == (number < capacity ? .inserted : .cached))
            }
        }
        #expect(table.bounds.map(\.count) == [128, 64, 32, 24, 24, 24, 8])
    }

    // MARK: A full bucket

    @Test func `a full bucket keeps its oldest live contact`() {
        var table = table(200, 201, 202)
        #expect(table.answered(.at(203), at: at(10)) == .cached)
        #expect(table.contacts.map(\.contact).places == [200, 201, 202])
    }

    @Test func `a full bucket does not keep others out of theirs`() {
        var table = table(200, 201, 202)
        #expect(table.answered(.at(100), at: at(10)) == .inserted)
    }

    @Test func `a questionable contact keeps its place`() {
        var table = table(200, 201, 202)
        #expect(fail(200, in: &table, at: at(10)) == .questionable)
        #expect(table.answered(.at(203), at: at(11)) == .cached)
        #expect(table.contacts.map(\.contact).places == [200, 201, 202])
    }

    @Test func `a newcomer takes the place of a bad contact`() {
        var table = table(200, 201, 202)
        _ = fail(201, in: &table, at: at(10))
        #expect(fail(201, in: &table, at: at(12)) == .bad)
        #expect(table.answered(.at(203), at: at(13)) == .replaced(evicted: .at(201)))
        #expect(table.contacts.map(\.contact).places == [200, 202, 203])
    }

    @Test func `a bad contact keeps its place while there is room`() {
        var table = table(200, 201)
        for second in [10, 12] as [UInt64] { _ = fail(200, in: &table, at: at(second)) }
        #expect(table.answered(.at(203), at: at(13)) == .inserted)
        #expect(table.contacts.map(\.contact).places == [200, 201, 203])
    }

    @Test func `of several bad contacts the one quiet for longest goes first`() {
        var table = table(200, 201, 202)
        _ = table.answered(.at(200), at: at(5))
        for place in [200, 201, 202] as [UInt8] {
            for second in [10, 12] as [UInt64] { _ = fail(place, in: &table, at: at(second)) }
        }
        #expect(table.answered(.at(203), at: at(13)) == .replaced(evicted: .at(201)))
        #expect(table.answered(.at(204), at: at(13)) == .replaced(evicted: .at(202)))
        #expect(table.answered(.at(205), at: at(13)) == .replaced(evicted: .at(200)))
        #expect(table.answered(.at(206), at: at(13)) == .cached)
    }

    @Test func `a contact that turns bad gives its place to the newest that waits`() {
        var table = table(200, 201, 202, 203, 204)
        #expect(fail(200, in: &table, at: at(10)) == .questionable)
        #expect(fail(200, in: &table, at: at(12)) == .replaced(by: .at(204)))
        #expect(table.contacts.map(\.contact).places == [201, 202, 204])
        #expect(fail(201, in: &table, at: at(12)) == .questionable)
        #expect(fail(201, in: &table, at: at(14)) == .replaced(by: .at(203)))
        #expect(table.contacts.map(\.contact).places == [202, 204, 203])
    }

    @Test func `who answers while waiting becomes the newest that waits`() {
        var table = table(200, 201, 202, 203, 204)
        let moved = Contact.at(203, port: 5000)
        #expect(table.answered(moved, at: at(10)) == .cached)
        _ = fail(200, in: &table, at: at(10))
        #expect(fail(200, in: &table, at: at(12)) == .replaced(by: moved))
        #expect(table.entry(for: moved.id)?.lastAnswered == at(10))
    }

    @Test func `the eight that answered last wait`() {
        var table = table(200, 201, 202)
        for place in 203...215 as ClosedRange<UInt8> {
            #expect(table.answered(.at(place), at: at(10)) == .cached)
        }
        var replacements: [UInt8] = []
        for round in 0..<9 as Range<UInt64> {
            let oldest = table.contacts[0].contact
            _ = table.failed(oldest.identity, id: oldest.id, at: at(20 + round))
            if case .replaced(let by) = table.failed(oldest.identity, id: oldest.id, at: at(20 + round)) {
                replacements.append(by.id.bytes[0])
            }
        }
        #expect(replacements == [215, 214, 213, 212, 211, 210, 209, 208])
    }

    @Test func `one that waits and fails waits no more`() {
        var table = table(200, 201, 202, 203)
        #expect(fail(203, in: &table, at: at(10)) == nil)
        _ = fail(200, in: &table, at: at(10))
        #expect(fail(200, in: &table, at: at(12)) == .bad)
    }

    // MARK: Failure and return

    @Test func `the failure of a stranger is no news`() {
        var table = table(200)
        #expect(fail(201, in: &table, at: at(10)) == nil)
        #expect(fail(3, in: &table, at: at(10)) == nil)
        #expect(fail(0, in: &table, at: at(10)) == nil)
    }

    @Test func `a bad contact nobody replaces stays listed but is not named`() {
        var table = table(200, 201)
        for second in [10, 12] as [UInt64] { _ = fail(200, in: &table, at: at(second)) }
        #expect(table.entry(for: NodeID(firstByte: 200))?.reachability.grade == .bad)
        #expect(table.contacts.map(\.contact).places == [200, 201])
        #expect(table.closest(to: own, count: 8).places == [201])
    }

    @Test func `a questionable contact is still named`() {
        var table = table(200, 201)
        _ = fail(200, in: &table, at: at(10))
        #expect(table.closest(to: own, count: 8).places == [200, 201])
    }

    @Test func `a bad contact that answers is good again`() {
        var table = table(200, 201)
        for second in [10, 12, 14, 16] as [UInt64] { _ = fail(200, in: &table, at: at(second)) }
        #expect(table.answered(.at(200), at: at(20)) == .refreshed)
        #expect(table.closest(to: own, count: 8).places == [200, 201])
        #expect(table.entry(for: NodeID(firstByte: 200))?.reachability.grade == .good)
    }

    @Test func `a revoked contact is gone, and the newest that waits has its place`() {
        var table = table(200, 201, 202, 203, 204)
        table.remove(Contact.at(204).identity, id: Contact.at(204).id)
        table.remove(Contact.at(200).identity, id: Contact.at(200).id)
        #expect(table.contacts.map(\.contact).places == [201, 202, 203])
        table.remove(Contact.at(200).identity, id: Contact.at(200).id)
        table.remove(Contact.at(77).identity, id: Contact.at(77).id)
        #expect(table.count == 3)
    }

    @Test func `removing one identity spares another with its id`() {
        var table = table(200)
        table.remove(.numbered(999), id: NodeID(firstByte: 200))
        #expect(table.count == 1)
    }

    // MARK: The closest

    @Test(arguments: UInt8.min ... .max)
    func `the closest are those a full sort puts first`(target: UInt8) {
        let table = table(3, 5, 9, 17, 18, 33, 40, 65, 90, 130, 200, 255)
        let target = NodeID(firstByte: target)
        let sorted = table.contacts.map(\.contact).sorted(around: target)
        for count in 0...13 {
            #expect(table.closest(to: target, count: count) == Array(sorted.prefix(count)))
        }
    }

    @Test func `the one that asks is not told of itself`() {
        let table = table(200, 201, 100)
        #expect(
            table.closest(to: NodeID(firstByte: 200), count: 2, excluding: .numbered(200)).places == [
                201, 100,
            ]
        )
    }

    @Test func `fewer are named if fewer are known`() {
        #expect(table(200, 100).closest(to: own, count: 8).places == [100, 200])
        #expect(table(200, 100).closest(to: own, count: 0).isEmpty)
    }

    // MARK: Completeness

    @Test func `a table that never turned anybody away is complete`() {
        let table = table(200, 201, 100, 50)
        #expect(table.isComplete(around: own, count: 8))
        #expect(table.isComplete(around: NodeID(firstByte: 220), count: 2))
        #expect(self.table().isComplete(around: own, count: 8))
    }

    @Test func `around a target only the buckets of the closest matter`() {
        let table = table(200, 201, 202, 203, 100, 101, 50)  // bucket 0 overflowed
        #expect(table.isComplete(around: own, count: 3))
        #expect(!table.isComplete(around: own, count: 4))
        #expect(table.isComplete(around: NodeID(firstByte: 100), count: 3))
        #expect(!table.isComplete(around: NodeID(firstByte: 200), count: 1))
    }

    @Test func `bad contacts do not make a region complete`() {
        var table = table(200, 201, 202, 203, 100, 101, 50)
        for second in [10, 12] as [UInt64] { _ = fail(50, in: &table, at: at(second)) }
        #expect(table.isComplete(around: own, count: 2))
        #expect(!table.isComplete(around: own, count: 3))
    }

    @Test func `a full bucket is not complete, since newcomers are not even asked`() {
        #expect(table(200, 201).isComplete(around: own, count: 8))
        #expect(!table(200, 201, 202).isComplete(around: own, count: 8))
    }

    @Test func `a bucket that turned somebody away is complete no more, even with room again`() {
        var table = table(200, 201, 202)
        for second in [10, 12] as [UInt64] { _ = fail(200, in: &table, at: at(second)) }
        _ = table.answered(.at(203), at: at(13))
        for place in [201, 202, 203] as [UInt8] {
            table.remove(Contact.at(place).identity, id: Contact.at(place).id)
        }
        #expect(table.count == 0)
        #expect(!table.isComplete(around: own, count: 8))
    }

    // MARK: Room and prefixes

    @Test func `there is room in a bucket that is not full, or holds a bad contact`() {
        var table = table(200, 201, 202)
        #expect(!table.hasRoom(for: NodeID(firstByte: 203)))
        #expect(table.hasRoom(for: NodeID(firstByte: 100)))
        #expect(!table.hasRoom(for: own))
        _ = fail(200, in: &table, at: at(10))
        #expect(!table.hasRoom(for: NodeID(firstByte: 203)))
        _ = fail(200, in: &table, at: at(12))
        #expect(table.hasRoom(for: NodeID(firstByte: 203)))
        #expect(table.answered(.at(203), at: at(13)) == .replaced(evicted: .at(200)))
    }

    @Test func `a table tells whether it holds an id that begins so`() {
        var table = table(200, 100, 1)
        for second in [10, 12] as [UInt64] { _ = fail(100, in: &table, at: at(second)) }
        for place in [200, 100, 1] as [UInt8] { #expect(table.holds(prefix: UInt32(place) << 24)) }
        for place in [201, 101, 2, 0] as [UInt8] { #expect(!table.holds(prefix: UInt32(place) << 24)) }
        #expect(!table.holds(prefix: 200 << 24 | 1))
        #expect(!self.table().holds(prefix: 200 << 24))
    }

    @Test(arguments: [32, 40, 159])
    func `a contact that shares more than our prefix is held under it`(bucket: Int) {
        var table = table(200)
        let near = Contact(identity: .numbered(1), id: own.flipping(bucket), endpoint: .port(1))
        #expect(!table.holds(prefix: own.prefix))
        _ = table.answered(near, at: at(0))
        #expect(table.holds(prefix: own.prefix))
    }
}
