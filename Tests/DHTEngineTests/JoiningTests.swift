import DHTCore
import DHTEngine
import Testing

/// How nodes find each other and keep each other found.
struct JoiningTests {
    @Test(arguments: [1, 2] as [UInt64])
    func `every node of 32 knows its 8 closest soon after the last start`(seed: UInt64) {
        let overlay = Overlay(32, seed: seed)
        overlay.startAll(settle: .seconds(5))
        for host in overlay.hosts {
            let others = overlay.hosts.filter { $0.index != host.index }
            let nearest = others.sorted { $0.id.distance(to: host.id) < $1.id.distance(to: host.id) }.prefix(
                8
            )
            let known = host.engine.core.table.closest(to: host.id, count: 8).map(\.identity)
            #expect(known == nearest.map(\.identity), "host \(host.index)")
        }
    }

    @Test func `32 nodes that start in the same instant find each other`() {
        let overlay = Overlay(32)
        overlay.start(0)
        for index in 1..<32 { overlay.start(index, seeds: [0]) }
        overlay.run(for: .seconds(30))
        overlay.put("key", "value", at: 3)
        for host in overlay.hosts {
            #expect(host.engine.core.table.count >= 8)
            #expect(overlay.text("key", at: host.index) == "value")
        }
    }

    @Test func `a bootstrap node that is down is found when it comes up`() {
        let overlay = Overlay(3)
        overlay.start(1, seeds: [0])
        overlay.start(2, seeds: [0])
        overlay.run(for: .seconds(60))
        #expect(!overlay.knows(1, 2))
        overlay.start(0)
        overlay.run(for: .seconds(25))
        for (one, other) in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)] {
            #expect(overlay.knows(one, other), "\(one) knows \(other)")
        }
    }

    @Test func `a bootstrap node that answers at its second address is found`() {
        let overlay = Overlay(3)
        overlay.start(0)
        // At the first nobody is: it is given up after 3.5 s, and a pause.
        overlay[1].seedEndpoints = [overlay[2].endpoint, overlay[0].endpoint]
        overlay.start(1, seeds: [0])
        overlay.run(for: .seconds(2))
        #expect(!overlay.knows(1, 0))
        overlay.run(for: .seconds(4))
        #expect(overlay.knows(1, 0))
    }

    @Test func `operations wait no longer than two seconds for a bootstrap node that is down`() {
        let overlay = Overlay(2)
        overlay.start(1, seeds: [0])
        overlay.run(for: .milliseconds(100))
        let begun = overlay.clock
        #expect(overlay.put("key", "value", at: 1)?.stored == 1)
        #expect(overlay.clock.since(begun) <= .seconds(2))
    }

    @Test func `operations begun before the neighbours are known go to them all the same`() {
        let overlay = Overlay(5)
        overlay.startAll(4)
        overlay.start(4, seeds: [0])
        #expect(overlay.put("key", "value", at: 4)?.stored == 5)
    }

    @Test func `a node that is its own seed does not wait for itself`() {
        let overlay = Overlay(1)
        overlay.start(0, seeds: [0])
        let begun = overlay.clock
        #expect(overlay.put("key", "value", at: 0)?.stored == 1)
        #expect(overlay.clock == begun)
        overlay.run(for: .minutes(2))
        #expect(overlay.flights.isEmpty)
    }

    @Test func `a node restarted on another port is found again through others`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.kill(4)
        overlay.run(for: .seconds(20))
        overlay.move(4, toPort: 4999)
        overlay.start(4, seeds: [1])
        overlay.run(for: .seconds(10))
        for index in 0..<4 {
            #expect(overlay.knows(index, 4), "\(index) knows it")
            #expect(overlay.knows(4, index), "it knows \(index)")
        }
        #expect(overlay.ping(4, at: 2) != nil)
    }

    @Test func `a node restarted on another port before anybody missed it is found again`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.kill(4)
        overlay.move(4, toPort: 4999)
        overlay.start(4, seeds: [1])
        overlay.run(for: .seconds(10))
        for index in 0..<4 {
            #expect(overlay.knows(index, 4), "\(index) knows it")
            #expect(overlay.knows(4, index), "it knows \(index)")
        }
    }

    @Test func `a node that notices that its address changed is known at the new one within a second`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.run(for: .milliseconds(500))
        overlay.move(4, toPort: 4999)
        overlay.act(overlay.hosts[4]) { engine, turn in
            engine.networkChanged(hasMoved: true, in: &turn)
        }
        overlay.run(for: .seconds(1))
        let moved = overlay.hosts[4]
        for host in overlay.hosts.prefix(4) {
            let entry = host.engine.core.table.contacts.first { $0.contact.identity == moved.engine.identity }
            #expect(entry?.contact.endpoint == moved.endpoint)
            #expect(entry?.reachability.grade == .good)
        }
    }

    @Test func `a node restarted in its old place is talked to at once`() {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay.kill(3)
        overlay.run(for: .seconds(1))
        overlay.start(3, seeds: [0])
        overlay.run(for: .seconds(3))
        for index in 0..<3 {
            #expect(overlay.knows(3, index))
            #expect(overlay.ping(3, at: index) != nil)
        }
    }

    @Test func `a node restarted with its clock set back is heard at once`() {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay.kill(3)
        overlay[3].clockError = -3_600_000
        overlay.start(3, seeds: [0])
        overlay.run(for: .seconds(5))
        for index in 0..<3 {
            #expect(overlay.knows(index, 3))
            #expect(overlay.ping(index, at: 3) != nil)
        }
        #expect(overlay.look("key", at: 3)?.answered == 3)
    }

    @Test
    func `two halves that lost sight of each other for ten minutes find each other again within a minute`() {
        let overlay = Overlay(12)
        overlay.startAll()
        for index in 6..<12 { overlay.groups[index] = 1 }
        overlay.run(for: .minutes(10))
        #expect(!overlay.knows(2, 8))
        overlay.groups = [:]
        overlay.run(for: .minutes(1))
        for one in 0..<12 {
            for other in 0..<12 where one != other {
                #expect(overlay.knows(one, other), "\(one) knows \(other)")
            }
        }
    }

    @Test func `box keys are rotated every day and nobody notices`() {
        let overlay = Overlay(3)
        overlay.startAll()
        overlay.put("key", "value", lifetime: 1_000_000, at: 0)
        for _ in 0..<7 {
            overlay.run(for: .minutes(12 * 60))
            for index in 0..<3 { #expect(overlay.text("key", at: index) == "value") }
        }
        for host in overlay.hosts {
            #expect(host.engine.counters.timeouts == 0)
            #expect(
                host.engine.counters.retransmissions < 40,
                "only where an answer was slower than ever before"
            )
        }
    }

    @Test func `a node that left is forgotten by all`() {
        let overlay = Overlay(6)
        overlay.startAll()
        #expect(overlay.leave(5))
        overlay.kill(5)
        overlay.run(for: .seconds(30))
        for index in 0..<5 {
            #expect(overlay[index].engine.core.table.entry(for: overlay[5].id) == nil, "\(index) forgot it")
        }
    }

    @Test func `a node that leaves hands its records over`() {
        let overlay = Overlay(12)
        overlay.startAll(1)
        for number in 0..<20 { overlay.put("key \(number)", "value \(number)", at: 0) }
        for index in 1..<12 { overlay.start(index, seeds: [0]) }
        overlay.run(for: .seconds(8))
        #expect(overlay.leave(0))
        overlay.kill(0)
        for number in 0..<20 {
            #expect(overlay.holders(of: "key \(number)").count >= 8)
            #expect(overlay.text("key \(number)", at: 7) == "value \(number)")
        }
    }

    @Test func `a lone node leaves at once`() {
        let overlay = Overlay(1)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        #expect(overlay.leave(0))
        #expect(overlay.leave(0))
    }

    @Test func `a ping finds a peer that is not in the table`() {
        let overlay = Overlay(3)
        overlay.startAll()
        #expect(overlay.ping(2, at: 1) != nil)
        overlay.kill(2)
        #expect(overlay.ping(2, at: 1) == nil)
    }
}
