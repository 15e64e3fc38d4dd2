import DHTCore
import DHTEngine
import DHTEnvelope
import Testing

/// What those get who do not belong: nothing.
struct OutsiderTests {
    private func isKnownToAnyMember(_ outsider: Int, of overlay: Overlay) -> Bool {
        overlay.hosts.contains { host in
            host.index != outsider && host.engine.core.table.entry(for: overlay[outsider].id) != nil
        }
    }

    @Test func `an unlisted node gets not one byte and is in nobody's table`() {
        let overlay = Overlay(6, outsiders: 1)
        overlay.startAll(5)
        overlay.start(5, seeds: [0, 1, 2, 3, 4])
        overlay.run(for: .minutes(2))
        overlay.put("key", "value", at: 0)
        #expect(overlay.get("key", at: 5) == nil)
        #expect(overlay.put("mine", "value", at: 5)?.stored == 1)
        #expect(!overlay.flights.filter { $0.source == overlay[5].endpoint }.isEmpty)
        #expect(overlay.flightsTo(5).isEmpty)
        #expect(!isKnownToAnyMember(5, of: overlay))
        #expect(overlay[0].engine.counters.rejected.first { $0.reason == .admission }?.count ?? 0 > 0)
    }

    @Test func `an unlisted node that a member names as a contact gets nothing from the others`() {
        // Host 1 alone admits the outsider and, being asked, names it to everybody.
        let overlay = Overlay(6, outsiders: 1)
        overlay.admit(.list(overlay.hosts.map(\.identity)), at: 1)
        overlay.start(1)
        overlay.start(5, seeds: [1])
        overlay.run(for: .seconds(2))
        #expect(overlay.knows(1, 5))
        for index in [0, 2, 3, 4] { overlay.start(index, seeds: [1]) }
        overlay.run(for: .minutes(1))
        overlay.put("key", "value", at: 0)
        #expect(overlay.flightsTo(5).allSatisfy { $0.source == overlay[1].endpoint })
        for index in [0, 2, 3, 4] {
            #expect(overlay[index].engine.core.table.entry(for: overlay[5].id) == nil)
            #expect(overlay[index].engine.core.table.count == 4)
        }
        #expect(overlay[0].engine.counters.struckOut > 0)
    }

    @Test func `a node with another network key gets not one byte`() {
        let overlay = Overlay(4)
        overlay.startAll(3)
        overlay.start(3, seeds: [0, 1, 2], networkSeed: [UInt8](repeating: 7, count: 32))
        overlay.run(for: .minutes(2))
        #expect(!overlay.flights.filter { $0.source == overlay[3].endpoint }.isEmpty)
        #expect(overlay.flightsTo(3).isEmpty)
        #expect(!isKnownToAnyMember(3, of: overlay))
        #expect(overlay[0].engine.counters.rejected.first { $0.reason == .header }?.count ?? 0 > 0)
    }

    @Test func `a revoked member is forgotten and gets nothing more`() {
        let overlay = Overlay(6)
        overlay.startAll()
        overlay.put("key", "value", at: 5)
        let remaining = AdmissionPolicy.list(overlay.hosts.prefix(5).map(\.identity))
        for index in 0..<5 { overlay.admit(remaining, at: index) }
        #expect(!isKnownToAnyMember(5, of: overlay))
        let before = overlay.flightsTo(5).count
        overlay.run(for: .seconds(1))
        #expect(overlay.get("key", at: 2) == nil)
        #expect(overlay.put("other", "value", at: 1)?.stored == 5)
        overlay.run(for: .minutes(20))
        #expect(overlay.flightsTo(5).count == before)
        #expect(!isKnownToAnyMember(5, of: overlay))
        #expect(overlay.put("more", "value", at: 5)?.stored == 1)
    }

    @Test func `addresses that never answered get two small datagrams in any 30 seconds`() {
        let overlay = Overlay(5)
        overlay.startAll(4)
        // Host 3 dies unnoticed; host 4, newly come, is told of it by the others.
        overlay.kill(3)
        overlay.start(4, seeds: [0])
        overlay.run(for: .seconds(2))
        for number in 0..<5 { overlay.put("key \(number)", "value", at: 4) }
        overlay.run(for: .minutes(5))
        let sent = overlay.flightsTo(3).filter { $0.source == overlay[4].endpoint }
        #expect(!sent.isEmpty)
        #expect(sent.allSatisfy { $0.length == 256 })
        for flight in sent {
            let soonAfter = sent.count { $0.sent >= flight.sent && $0.sent.since(flight.sent) < .seconds(30) }
            #expect(soonAfter <= 2)
        }
    }

    @Test func `noise of every length is dropped without an answer`() {
        let overlay = Overlay(2)
        overlay.startAll()
        let stranger = Endpoint(ipv4: 0xC0A8_0101, port: 9)
        var chance = SplitMix64(seed: 3)
        for _ in 0..<300 {
            let length =
                Bool.random(using: &chance)
                ? Datagram.lengths.randomElement(using: &chance) ?? 0
                : Int.random(in: 0...1500, using: &chance)
            overlay.inject(chance.bytes(length), from: stranger, to: overlay[0].endpoint)
        }
        overlay.run(for: .seconds(1))
        #expect(!overlay.flights.contains { $0.destination == stranger })
        #expect(overlay.ping(0, at: 1) != nil)
    }

    @Test func `a member beyond its budget is dropped before its signature, and the others are answered`() {
        let overlay = Overlay(3)
        // Nothing is overtaken by a thousand others, which would make it too old.
        overlay.conditions.delay = .uniform(5...5)
        overlay.startAll()
        let again = overlay[2].engine.counters.retransmissions
        let (node, other) = (overlay[0].endpoint, overlay[2].endpoint)
        var answered = 0
        overlay.wiretap = { _, source, destination in
            if source == node, destination == overlay[1].endpoint { answered += 1 }
        }
        for index in 0..<30_000 {
            overlay.ask(.ping(isLeaving: false), of: 0, by: 1)
            if index % 1000 == 0 {
                #expect(overlay.ping(0, at: 2) != nil)
                overlay.run(for: .milliseconds(1))
            }
        }
        overlay.run(for: .seconds(1))
        let dropped = overlay[0].engine.counters.rejected.first { $0.reason == .budget }?.count ?? 0
        // 10,000 at once and 5,000 a second, which went by while they came.
        #expect(dropped > 0)
        #expect(dropped + UInt64(answered) >= 30_000)
        #expect(overlay.flights.contains { $0.source == node && $0.destination == other })
        #expect(overlay[2].engine.counters.retransmissions == again)
    }
}
