import Testing

@testable import DHTCore

/// Many members that are on the list and not there.
@Suite struct AbsenceTests {
    /// A node without sockets, whose requests all fail after three transmissions.
    private struct Alone {
        var node: KademliaNode
        var clock = Instant(nanoseconds: 1_000_000_000)
        /// When which peer was asked.
        var asked: [(at: Instant, peer: Identity)] = []
        private var failing: [(at: Instant, call: CallID)] = []

        init(_ node: KademliaNode) { self.node = node }

        mutating func act(_ body: (inout KademliaNode, inout KademliaTurn) -> Void) {
            var turn = KademliaTurn(at: Now(instant: clock, unixMilliseconds: clock.seconds * 1000))
            var next = 0
            body(&node, &turn)
            while next < turn.actions.count {
                switch turn.actions[next] {
                case .resolve(let seed):
                    let endpoint = Endpoint(ipv4: 0x0A00_0000 + UInt32(seed) + 1, port: 4000)
                    node.resolved(seed: seed, [endpoint], in: &turn)
                case .call(let call, let contact, _, _):
                    asked.append((clock, contact.identity))
                    failing.append((clock + .milliseconds(3500), call))
                default: break
                }
                next += 1
            }
        }

        mutating func run(for span: Interval) {
            let end = clock + span
            var turns = 0
            while true {
                let next = min(failing.first?.at ?? end, node.nextDeadline)
                guard next < end else { break }
                turns += 1
                clock = max(clock, next)
                if let first = failing.first, first.at <= clock {
                    failing.removeFirst()
                    act { node, turn in node.failed(first.call, in: &turn) }
                } else {
                    act { node, turn in node.advance(in: &turn) }
                }
            }
            clock = end
            // Each request is begun and fails; besides there is a look now and then.
            #expect(turns < 4 * asked.count + 10_000)
        }

        /// Requests begun in a stretch of time.
        func count(from: Instant, for span: Interval) -> Int {
            asked.count { from <= $0.at && $0.at < from + span }
        }
    }

    private func seeds(_ count: Int) -> [(Identity, NodeID)] {
        var generator = SplitMix64(seed: 7)
        return (0..<count).map { (.numbered(UInt64($0) + 2), .random(using: &generator)) }
    }

    @Test func `what may be asked is five a second and a few at once, whoever asks`() {
        var absence = Absence()
        var clock = Instant(nanoseconds: 0)
        var taken = 0
        for step in 0..<60_000 {
            clock = clock + .milliseconds(10)
            if step == 30_000 { absence.charge(100, at: clock) }
            if absence.take(at: clock) {
                #expect(!(30_000..<31_900).contains(step), "what was charged is paid for first")
                taken += 1
            } else {
                #expect(absence.next > clock)
            }
        }
        #expect((2900...3016).contains(taken + 100), "\(taken)")
    }

    @Test func `thousands of absent members are asked once at once, and then five a second in all`() {
        var alone = Alone(.at(1))
        let seeds = seeds(2000)
        alone.act { node, turn in node.setSeeds(seeds, in: &turn) }
        let begun = alone.clock
        alone.run(for: .seconds(5))
        #expect(Set(alone.asked.map(\.peer)).count == 2000)
        #expect(alone.count(from: begun, for: .seconds(2)) == 2000)
        alone.run(for: .minutes(10))
        for minute in 1..<10 as Range<UInt64> {
            #expect(alone.count(from: begun + .minutes(minute), for: .minutes(1)) <= 300 + 16)
        }
        // Nobody is forgotten: each is asked every 400 seconds.
        let times = Dictionary(grouping: alone.asked, by: \.peer).mapValues(\.count)
        #expect(times.count == 2000 && times.values.allSatisfy { (2...3).contains($0) })
    }

    @Test func `a few absent members are asked as often as ever`() {
        var alone = Alone(.at(1))
        alone.act { node, turn in node.setSeeds(seeds(4), in: &turn) }
        alone.run(for: .minutes(10))
        let times = Dictionary(grouping: alone.asked, by: \.peer).mapValues(\.count)
        #expect(times.values.allSatisfy { $0 >= 25 })
    }

    @Test func `contacts that fell silent are asked out of the same purse, and before the seeds`() {
        var alone = Alone(.at(1))
        let seeds = seeds(600)
        for (index, seed) in seeds.enumerated() {
            let endpoint = Endpoint(ipv4: 0x0B00_0000 + UInt32(index), port: 4000)
            alone.act { node, turn in
                let contact = Contact(identity: seed.0, id: seed.1, endpoint: endpoint)
                node.proved(contact, in: &turn)
            }
        }
        alone.act { node, turn in node.setSeeds(seeds, in: &turn) }
        let contacts = alone.node.table.contacts.count
        #expect(contacts > 60)
        // A quarter of an hour they are believed to be there.
        alone.run(for: .minutes(26))
        #expect(alone.node.table.contacts.allSatisfy { $0.reachability.grade == .bad })
        for minute in 22..<26 as Range<UInt64> {
            let count = alone.count(from: Instant(nanoseconds: 0) + .minutes(minute), for: .minutes(1))
            // Who counts on nobody asks one more every two seconds.
            #expect(count <= 300 + 16 + 30, "minute \(minute): \(count)")
        }
    }
}
