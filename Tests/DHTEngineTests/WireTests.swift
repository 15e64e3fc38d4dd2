import DHTCore
import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTEngine

/// What an observer of the network sees: how many datagrams, how long, when, to whom.
struct WireTests {
    @Test func `the same seed gives the same trace twice`() {
        func trace() -> [Flight] {
            let overlay = Overlay(8, seed: 7)
            overlay.conditions = .init(delays: 1...200, loss: 0.1, duplication: 0.1)
            overlay.startAll()
            overlay.put("key", "value", at: 2)
            overlay.kill(3)
            overlay.put("key", "newer", at: 5)
            _ = overlay.look("key", at: 6)
            overlay.run(for: .minutes(20))
            return overlay.flights
        }
        let first = trace()
        #expect(first.count > 500)
        #expect(first == trace())
    }

    @Test func `a put costs 16 datagrams among 32 nodes that know each other, a get 6`() {
        let overlay = Overlay(32)
        overlay.conditions.delay = .uniform(20...24)
        overlay.startAll()
        overlay.run(for: .minutes(1))
        for index in 0..<32 {
            // Fresh tokens: the costs of first words are not those of a conversation.
            for peer in 0..<32 where peer != index { _ = overlay.ping(peer, at: index) }
        }
        var dearer = 0
        /// By chance an answer may be later than four deviations, so that others are asked as well.
        func expect(_ limit: Int, at index: Int, _ name: String, _ operate: () -> Void) {
            overlay.run(for: .milliseconds(100))  // until what the one before asked has come
            let (before, late) = (overlay.flights.count, overlay[index].engine.counters.overdue)
            operate()
            guard overlay.flights.count - before > limit else { return }
            dearer += 1
            #expect(overlay[index].engine.counters.overdue > late, "\(name): nobody was late")
        }
        for number in 0..<16 {
            let (putter, reader) = (2 * number, 31 - 2 * number)
            expect(16, at: putter, "put \(number)") {
                #expect((overlay.put("key \(number)", "value", at: putter)?.stored ?? 0) >= 8)
            }
            expect(6, at: reader, "get \(number)") {
                #expect(overlay.text("key \(number)", at: reader) == "value")
            }
        }
        #expect(dearer <= 1)
    }

    @Test func `32 nodes with nothing to do send few datagrams`() {
        let overlay = Overlay(32)
        overlay.startAll()
        overlay.run(for: .minutes(5))
        let before = overlay.flights.count
        overlay.run(for: .minutes(30))
        // Each 15 minutes: a sign of life of each contact, and a lookup in each occupied bucket.
        #expect((overlay.flights.count - before) / 32 < 400)
        #expect(overlay.flights.count(where: { $0.length > 1232 }) == 0)
    }

    @Test func `an unanswered request is sent at 0, 0.5 and 1.5 seconds and given up at 3.5`() {
        let overlay = Overlay(2)
        overlay.start(0, seeds: [1])
        overlay.run(for: .milliseconds(3400))
        let origin = overlay.flights.first?.sent ?? overlay.clock
        #expect(overlay.flights.map { $0.sent.since(origin).milliseconds } == [0, 500, 1500])
        #expect(overlay[0].engine.callsInFlight == 1)
        overlay.run(for: .milliseconds(200))
        #expect(overlay[0].engine.callsInFlight == 0)
        #expect(overlay[0].engine.counters.timeouts == 1)
        #expect(overlay[0].engine.counters.retransmissions == 2)
    }

    @Test func `once a round trip was measured, time-outs follow it, and double`() throws {
        let overlay = Overlay(2)
        overlay.conditions.delay = .uniform(30...30)
        overlay.startAll()
        for _ in 0..<20 { #expect(overlay.ping(1, at: 0) == .milliseconds(60)) }
        #expect(overlay[0].engine.roundTrip(to: overlay[1].identity)?.milliseconds == 60)
        overlay.kill(1)
        let before = overlay.flights.count
        let begun = overlay.clock
        #expect(overlay.ping(1, at: 0) == nil)
        let times = overlay.flights[before...].prefix(3).map { $0.sent.since(begun).milliseconds }
        let first = times[1]
        #expect((60...90).contains(first))
        #expect(times == [0, first, 3 * first] || times == [0, first, 3 * first + 1])
        #expect((7 * first...7 * first + 4).contains(overlay.clock.since(begun).milliseconds))
    }

    @Test func `a peer farther away than the first time-out is not sent everything twice`() {
        let overlay = Overlay(2)
        overlay.conditions.delay = .uniform(350...350)
        overlay.startAll()
        _ = overlay.ping(1, at: 0)
        let before = overlay[0].engine.counters.retransmissions
        for _ in 0..<10 { #expect(overlay.ping(1, at: 0) == .milliseconds(700)) }
        #expect(overlay[0].engine.counters.retransmissions == before)
    }

    @Test func `nothing is called for ever`() {
        let overlay = Overlay(8)
        overlay.conditions = .init(delays: 5...300, loss: 0.15, duplication: 0.05)
        overlay.startAll()
        for number in 0..<10 {
            overlay.put("key \(number)", "value", at: number % 8)
            _ = overlay.look("key \(number)", isExhaustive: true, at: (number + 3) % 8)
        }
        overlay.kill(7)
        overlay.delete("key 1", at: 1)
        overlay.conditions = .init()
        // The one that is gone is asked now and then whether it is back: the longer it is gone the rarer.
        let isQuiet = overlay.run(until: overlay.clock + .minutes(30)) {
            overlay.alive.allSatisfy { $0.engine.callsInFlight == 0 }
        }
        #expect(isQuiet)
        for host in overlay.alive {
            #expect(host.engine.desk.operations.isEmpty)
            #expect(host.engine.inboundRequests.isEmpty)
            #expect(host.engine.core.isIdle)
        }
    }

    @Test func `a store that stands still does not let requests pile up without end`() throws {
        let overlay = Overlay(2)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        let host = overlay[0]
        host.isStoreStuck = true
        _ = overlay.submit(
            .get(key: Array("key".utf8), author: nil, replicas: 2, isExhaustive: false),
            at: 1
        )
        overlay.run(for: .seconds(1))
        let one = try #require(host.engine.inboundRequests.values.first)
        for number in 0..<UInt64(Engine.inboundCapacity) {
            host.engine.inboundRequests[RequestID(rawValue: .max - number)] = one
        }
        let full = host.engine.inboundRequests.count
        #expect(overlay.ping(0, at: 1) == nil)
        #expect(host.engine.inboundRequests.count == full)
        #expect((host.engine.counters.rejected.first { $0.reason == .capacity }?.count ?? 0) > 0)
    }

    @Test func `datagrams captured and sent again from elsewhere change nothing and are hardly answered`() {
        let overlay = Overlay(4)
        let stranger = Endpoint(ipv4: 0xC0A8_0101, port: 9)
        var captured: [(datagram: [UInt8], destination: Endpoint)] = []
        overlay.wiretap = { datagram, _, destination in captured.append((datagram, destination)) }
        overlay.startAll()
        overlay.put("key", "value", at: 1)
        overlay.put("key", "newer", at: 1)
        overlay.wiretap = nil
        let tables = overlay.hosts.map { $0.engine.core.table.contacts.map(\.contact) }
        overlay.run(for: .seconds(31))
        for (datagram, destination) in captured {
            overlay.inject(datagram, from: stranger, to: destination)
        }
        overlay.run(for: .seconds(5))
        let answers = overlay.flights.filter { $0.destination == stranger }
        #expect(answers.count <= 4 * 3)
        #expect(overlay.hosts.map { $0.engine.core.table.contacts.map(\.contact) } == tables)
        #expect(overlay.text("key", at: 3) == "newer")
    }

    @Test func `an answer to an address that is not proved is no longer than its request`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        let record = try #require(overlay.put("key", [UInt8](repeating: 1, count: 640), at: 0)).record
        let stranger = Endpoint(ipv4: 0xC0A8_0101, port: 9)
        let holder = overlay[overlay.holders(of: "key").first { $0 != 11 } ?? 0]
        let requests: [Request] = [
            .ping(isLeaving: true), .findNode(target: holder.id), .store(record, condition: .absent),
            .findValue(location: record.location, author: nil, offset: 0),
        ]
        for request in requests {
            // A member with code of its own, who never answers a challenge.
            var gate = overlay.gate(of: 11)
            for length in Datagram.lengths {
                let options = Gate.SealOptions(transaction: UInt64(length), answerLength: length)
                let drafted = gate.draft(
                    request,
                    to: holder.identity,
                    at: holder.endpoint,
                    options,
                    now: overlay.clock
                )
                let sealed = drafted.flatMap { gate.finish($0) }
                let datagram = try #require(sealed)
                let before = overlay.flights.count
                overlay.inject(datagram, from: stranger, to: holder.endpoint)
                overlay.run(for: .milliseconds(100))
                let answers = overlay.flights[(before + 1)...].filter { $0.destination == stranger }
                #expect(answers.count == 1)
                #expect(answers.allSatisfy { $0.length <= datagram.count })
            }
        }
        #expect(holder.engine.core.table.entry(for: overlay[11].id) != nil, "it did not leave")
    }
}
