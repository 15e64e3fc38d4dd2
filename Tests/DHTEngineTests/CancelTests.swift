import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine

/// What users wanted and want no more.
struct CancelTests {
    private func cancel(_ name: OperationID, at index: Int, of overlay: Overlay) {
        overlay.act(overlay[index]) { engine, turn in engine.cancel(name, in: &turn) }
    }

    /// Nine hosts, a long value at eight of them, and the ninth, which knows its record.
    private func world(_ value: [UInt8]) throws -> (overlay: Overlay, reader: Int, record: Record, [Contact])
    {
        let overlay = Overlay(9)
        overlay.startAll()
        overlay.putLong("long", value, at: 0)
        let holders = overlay.holders(of: "long")
        let reader = try #require((0..<9).first { !holders.contains($0) })
        let record = try #require(overlay.look("long", at: reader)?.found.first?.record)
        return (overlay, reader, record, holders.map { overlay[$0].contact })
    }

    @Test func `a reading whose user left makes room for the next, and its requests end`() throws {
        let value = ContentTests.bytes(2_000_000)
        let (overlay, reader, record, contacts) = try world(value)
        let names = (0..<6).map { _ in overlay.submit(.fetch(record, from: contacts), at: reader) }
        let host = overlay[reader]
        #expect(host.engine.transfers.readings.count == ContentTransfers.readingLimit)
        #expect(host.engine.transfers.waiting.count == 2)
        overlay.run(for: .milliseconds(100))
        #expect(host.engine.callsInFlight > 0)
        cancel(names[5], at: reader, of: overlay)
        #expect(host.engine.transfers.waiting.map(\.id) == [names[4]])
        cancel(names[0], at: reader, of: overlay)
        #expect(Set(host.engine.transfers.readings.keys) == Set(names[1...4]))
        for name in names[1...4] { cancel(name, at: reader, of: overlay) }
        #expect(host.engine.transfers.readings.isEmpty)
        #expect(host.engine.transfers.calls.isEmpty)
        #expect(host.engine.callsInFlight == 0)
        #expect(host.engine.counters.cancelled == 6)
        overlay.run(for: .seconds(5))
        #expect(host.outcomes.keys.allSatisfy { !names.contains($0) })
        #expect(overlay.getLong("long", at: reader) == value)
    }

    @Test func `a reading that finds nobody ends its requests, and the next counts none of them`() throws {
        let value = ContentTests.bytes(1_000_000)
        let content = try #require(Content(value))
        let (overlay, reader, record, contacts) = try world(value)
        let host = overlay[reader]
        var refused = 0
        for holder in overlay.holders(of: "long") {
            overlay.corrupt(holder) { request, _ in
                guard case .findChunk(_, let part, let chunk) = request else { return nil }
                if part == .outline { return .chunk(Array(content.outline.dropFirst(Int(chunk) * 1000))) }
                refused += 1
                return .absent
            }
        }
        let name = overlay.submit(.fetch(record, from: contacts), at: reader)
        guard case .fetched(nil)? = overlay.finish(name, at: reader) else {
            Issue.record("the reading did not end with nothing")
            return
        }
        #expect(refused > 0)
        #expect(host.engine.transfers.calls.isEmpty)
        var stalled = try #require(host.engine.transfers.stalled?.fetch)
        var fresh = ContentFetch(stalled.reference, outline: stalled.outline)
        for contact in contacts {
            stalled.add(contact, isOffer: true)
            fresh.add(contact)
        }
        let now = overlay.now(at: host).instant
        let chunkRequests = stalled.nextRequests(limit: ContentTransfers.partLimit, at: now)
        #expect(chunkRequests.count >= fresh.nextRequests(limit: ContentTransfers.partLimit, at: now).count)
    }

    @Test func `what came of a reading that was cancelled is there for the next`() throws {
        let value = ContentTests.bytes(1_000_000)
        let (overlay, reader, record, contacts) = try world(value)
        let name = overlay.submit(.fetch(record, from: contacts), at: reader)
        overlay.run(until: overlay.clock + .seconds(60)) {
            (overlay[reader].engine.transferStates.first?.done ?? 0) > 500_000
        }
        cancel(name, at: reader, of: overlay)
        let before = overlay[reader].engine.counters.chunksFetched
        let again = overlay.submit(.fetch(record, from: contacts), at: reader)
        guard case .fetched(let bytes)? = overlay.finish(again, at: reader) else {
            Issue.record("the second reading did not end")
            return
        }
        #expect(bytes == value)
        #expect(overlay[reader].engine.counters.chunksFetched - before < 520)
    }

    @Test func `a long put whose user left asks nobody any more`() throws {
        let overlay = Overlay(8)
        overlay.startAll()
        for index in 1..<8 { overlay.corrupt(index) { _, _ in .wanted(held: 0) } }
        let name = overlay.submitLong("long", ContentTests.bytes(5000), at: 0)
        overlay.run(for: .seconds(1))
        #expect(overlay[0].engine.callsInFlight > 0)
        cancel(name, at: 0, of: overlay)
        #expect(overlay[0].engine.callsInFlight == 0)
        #expect(overlay[0].engine.desk.operations.isEmpty)
        #expect(overlay[0].engine.transferStates.isEmpty)
        overlay.run(for: .seconds(10))
        #expect(overlay[0].outcomes[name] == nil)
        #expect(overlay[0].engine.counters.wantsDisbelieved == 0)
    }

    @Test func `a get, a condition and a deletion end, and the key is kept alive again`() {
        let overlay = Overlay(8)
        overlay.startAll()
        let key = Array("key".utf8)
        let kept = Operation.Put(key: key, value: [1], lifetime: 3600, isKept: true)
        _ = overlay.finish(overlay.submit(.put(kept), at: 0), at: 0)
        let conditional = Operation.Put(key: key, value: [2], lifetime: 3600, condition: .absent)
        for index in 1..<8 { overlay.kill(index) }
        let names = [
            overlay.submit(.get(key: key, author: nil, replicas: 8, isExhaustive: true), at: 0),
            overlay.submit(.put(conditional), at: 0), overlay.submit(.delete(key: key), at: 0),
        ]
        for name in names { cancel(name, at: 0, of: overlay) }
        #expect(overlay[0].engine.desk.operations.isEmpty)
        #expect(overlay[0].engine.desk.kept.entries.values.map(\.users) == [0])
        overlay.run(for: .seconds(10))
        for name in names { #expect(overlay[0].outcomes[name] == nil) }
    }

    @Test func `a short put runs to its end, and what is over cannot be cancelled`() {
        let overlay = Overlay(3)
        overlay.startAll()
        let put = Operation.Put(key: [1], value: [1], lifetime: 60)
        let name = overlay.submit(.put(put), at: 0)
        cancel(name, at: 0, of: overlay)
        guard case .put(_, let outcome)? = overlay.finish(name, at: 0) else {
            Issue.record("the put did not end")
            return
        }
        #expect(outcome.stored == 3)
        cancel(name, at: 0, of: overlay)
        #expect(overlay[0].engine.counters.cancelled == 0)
    }
}
