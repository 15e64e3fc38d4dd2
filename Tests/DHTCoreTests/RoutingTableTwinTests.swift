import DHTCore
import Testing

/// What a routing table must be, written down the slow way and compared after each of thousands of random
/// events.
@Suite struct RoutingTableTwinTests {
    /// Remembers events, and nothing of how a table is built.
    private struct Witness {
        let own: NodeID
        let capacity: Int
        var failures: [Identity: Int] = [:]
        var endpoints: [Identity: Endpoint] = [:]
        var overflowed: Set<Int> = []

        func check(_ before: RoutingTable, _ after: RoutingTable, evictable: Identity? = nil) {
            let entries = after.contacts
            #expect(Set(entries.map(\.contact.identity)).count == entries.count)
            #expect(entries.count == after.count)
            #expect(after.bounds.allSatisfy { (1...capacity).contains($0.count) })
            let buckets = entries.map { own.commonPrefixLength(with: $0.contact.id) }
            #expect(buckets == buckets.sorted())
            #expect(buckets.allSatisfy { $0 < NodeID.bitCount })
            for entry in entries {
                let contact = entry.contact
                #expect(after.entry(for: contact.identity, id: contact.id) == entry)
                #expect(endpoints[contact.identity] == contact.endpoint)
                #expect(entry.reachability.failures == failures[contact.identity])
            }
            let gone = Set(before.contacts.map(\.contact.identity)).subtracting(
                entries.map(\.contact.identity)
            )
            #expect(gone.allSatisfy { $0 == evictable || failures[$0, default: 0] >= 2 })
        }

        /// Sorts everybody.
        func closest(_ table: RoutingTable, to target: NodeID, count: Int, excluding: Identity?) -> [Contact]
        {
            let named = table.contacts.filter {
                failures[$0.contact.identity, default: 0] < 2 && $0.contact.identity != excluding
            }
            return Array(named.map(\.contact).sorted(around: target).prefix(count))
        }

        /// Complete if no bucket that is full or overflowed has a place as near as the last of the closest.
        func isComplete(_ table: RoutingTable, around target: NodeID, count: Int) -> Bool {
            let closest = closest(table, to: target, count: count, excluding: nil)
            let radius = closest.count == count ? closest.last?.id.distance(to: target) : nil
            let full = table.bounds.filter { $0.count == capacity }.map(\.bucket)
            return overflowed.union(full).allSatisfy { bucket in
                guard let radius else { return false }
                return nearestPlace(in: bucket, to: target).distance(to: target) > radius
            }
        }

        /// As the target, but with our own first bits and the one after them turned over.
        func nearestPlace(in bucket: Int, to target: NodeID) -> NodeID {
            var place = target
            for bit in 0...bucket where own.bit(bit) != (place.bit(bit) != (bit == bucket)) {
                place = place.flipping(bit)
            }
            return place
        }
    }

    private func capacities(_ capacity: Int) -> [Int] { [Int](repeating: capacity, count: NodeID.bitCount) }

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func `a table keeps its promises whatever happens`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let capacity = Int.random(in: 1...6, using: &generator)
        let own = NodeID.random(using: &generator)
        var table = RoutingTable(own: own, capacities: capacities(capacity))
        var witness = Witness(own: own, capacity: capacity)
        // Half of them near us, so that deep buckets fill as well.
        var members = (1...60).map { Contact.random($0, using: &generator) }
        for index in 0..<30 {
            let id = table.randomTarget(in: Int.random(in: 2..<10, using: &generator), using: &generator)
            members[index] = Contact(
                identity: members[index].identity,
                id: id,
                endpoint: members[index].endpoint
            )
        }
        var now = at(0)
        for _ in 0..<400 {
            now = now + .milliseconds(UInt64.random(in: 0...3000, using: &generator))
            let index = members.indices.randomElement(using: &generator)!
            let before = table
            switch Int.random(in: 0..<20, using: &generator) {
            case 0:
                table.remove(members[index].identity, id: members[index].id)
                witness.check(before, table, evictable: members[index].identity)
                #expect(table.entry(for: members[index].id) == nil)
            case 1..<9:
                fail(members[index], at: now, table: &table, witness: &witness)
                witness.check(before, table)
            default:
                if generator.oneIn(8) {
                    members[index].endpoint = .port(.random(in: 1...9, using: &generator))
                }
                answer(members[index], at: now, table: &table, witness: &witness)
                witness.check(before, table)
            }
            let target = generator.oneIn(3) ? members[index].id : .random(using: &generator)
            let count = Int.random(in: 1...12, using: &generator)
            let excluding = generator.oneIn(2) ? members.randomElement(using: &generator)!.identity : nil
            #expect(
                table.closest(to: target, count: count, excluding: excluding)
                    == witness.closest(table, to: target, count: count, excluding: excluding)
            )
            #expect(
                table.isComplete(around: target, count: count)
                    == witness.isComplete(table, around: target, count: count)
            )
            let due = table.contacts.filter { $0.reachability.checkAt <= now }.map(\.contact)
            #expect(table.contactsDue(at: now) == due)
        }
    }

    private func answer(
        _ contact: Contact,
        at now: Instant,
        table: inout RoutingTable,
        witness: inout Witness
    ) {
        let before = table
        let known = before.entry(for: contact.id)
        let bucket = table.bucket(of: contact.id)
        let admission = table.answered(contact, at: now)
        witness.failures[contact.identity] = 0
        witness.endpoints[contact.identity] = contact.endpoint
        switch admission {
        case .inserted:
            #expect(known == nil)
            #expect(table.count == before.count + 1)
        case .refreshed: #expect(known?.contact == contact)
        case .moved(let from):
            #expect(known?.contact.endpoint == from)
            #expect(from != contact.endpoint)
        case .cached:
            #expect(known == nil)
            #expect(table.contacts == before.contacts)
            witness.overflowed.insert(bucket)
        case .replaced(let evicted):
            #expect(before.entry(for: evicted.id)?.reachability.grade == .bad)
            #expect(table.entry(for: evicted.id) == nil)
            #expect(table.count == before.count)
            witness.overflowed.insert(bucket)
        case .refused: Issue.record("nobody here has another's id")
        }
        #expect((table.entry(for: contact.id) != nil) == (admission != .cached))
    }

    private func fail(
        _ contact: Contact,
        at now: Instant,
        table: inout RoutingTable,
        witness: inout Witness
    ) {
        let before = table
        let failure = table.failed(contact.identity, id: contact.id, at: now)
        guard before.entry(for: contact.id) != nil else {
            #expect(failure == nil)
            #expect(table.contacts == before.contacts)
            return
        }
        let failures = witness.failures[contact.identity, default: 0] + 1
        witness.failures[contact.identity] = failures
        switch failure {
        case .questionable: #expect(failures == 1)
        case .bad:
            #expect(failures >= 2)
            #expect(table.count == before.count)
        case .replaced(let by):
            #expect(failures >= 2)
            #expect(before.entry(for: by.id) == nil)
            #expect(table.entry(for: by.id)?.contact == by)
            #expect(table.entry(for: contact.id) == nil)
        case nil: Issue.record("a contact that is in the table was not found")
        }
    }

    @Test(arguments: [1, 8, 20, 200])
    func `the closest of a standard table are those a full sort puts first`(population: Int) {
        var generator = SplitMix64(seed: UInt64(population))
        let own = NodeID.random(using: &generator)
        var table = RoutingTable(own: own)
        for number in 1...population { _ = table.answered(.random(number, using: &generator), at: at(0)) }
        let everybody = table.contacts.map(\.contact)
        for round in 0..<300 {
            let target = round == 0 ? own : NodeID.random(using: &generator)
            let sorted = everybody.sorted(around: target)
            #expect(table.closest(to: target, count: 8) == Array(sorted.prefix(8)))
        }
    }
}

extension NodeID {
    fileprivate func bit(_ index: Int) -> Bool { bytes[index / 8] >> UInt8(7 - index % 8) & 1 == 1 }
}
