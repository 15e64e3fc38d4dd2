import DHTCore
import DHTEnvelope
import DHTStorage
import Testing

@testable import DHTEngine

/// Values too long for a record, from put to get, on a virtual network.
struct ContentTests {
    /// Bytes that look like nothing else.
    static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SplitMix64(seed: seed)
        return generator.bytes(count)
    }

    @Test(arguments: [641, 1000, 1001, 63_999, 64_000, 64_001, 128_000, 300_007])
    func `a long value arrives at its replicas, and at whoever reads it`(count: Int) throws {
        let overlay = Overlay(10)
        overlay.startAll()
        let value = Self.bytes(count)
        let (record, outcome) = try #require(overlay.putLong("long", value, at: 3))
        #expect(outcome.stored == 8)
        let reference = try #require(record.reference)
        #expect(Int(reference.length) == count)
        let holders = overlay.holders(of: "long")
        #expect(holders.count == 8)
        for index in holders { #expect(overlay[index].engine.transfers.inventory.isComplete(reference)) }
        for index in 0..<10 { #expect(overlay.getLong("long", at: index) == value) }
    }

    @Test func `a long value survives loss, and datagrams that come twice`() throws {
        let overlay = Overlay(6)
        overlay.startAll()
        overlay.conditions = .init(delays: 20...120, loss: 0.1, duplication: 0.05)
        let value = Self.bytes(150_000)
        let (_, outcome) = try #require(overlay.putLong("long", value, at: 0, patience: .seconds(600)))
        // Two fewer than all are enough; the rest is waited for a moment, and has it soon after.
        #expect(outcome.stored >= 4)
        #expect(overlay.getLong("long", at: 4, patience: .seconds(600)) == value)
        overlay.run(for: .minutes(3))
        #expect(overlay.holders(of: "long").count == 6)
    }

    @Test func `the replicas that still live are enough`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        let value = Self.bytes(200_000)
        overlay.putLong("long", value, at: 0)
        let holders = overlay.holders(of: "long")
        for index in holders.prefix(7) { overlay.kill(index) }
        let reader = try #require(overlay.alive.last { !holders.contains($0.index) }?.index)
        #expect(overlay.getLong("long", at: reader, patience: .seconds(120)) == value)
    }

    @Test func `a replica that dies while it serves is replaced by another`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        let value = Self.bytes(2_000_000)
        overlay.putLong("long", value, at: 0, patience: .seconds(600))
        let holders = overlay.holders(of: "long")
        let reader = try #require(overlay.hosts.last { !holders.contains($0.index) }?.index)
        let record = try #require(overlay.look("long", at: reader)?.found.first?.record)
        let contacts = overlay.look("long", at: reader)?.contacts ?? []
        let name = overlay.submit(.fetch(record, from: contacts), at: reader)
        overlay.run(for: .milliseconds(300))
        let progress = overlay[reader].engine.transferStates.first
        #expect((progress?.done ?? 0) > 0)
        #expect((progress?.done ?? .max) < 2_000_000)
        for index in holders.dropFirst() { overlay.kill(index) }
        guard case .fetched(let bytes?)? = overlay.finish(name, at: reader, patience: .seconds(120)) else {
            Issue.record("nothing was fetched")
            return
        }
        #expect(bytes == value)
    }

    @Test func `a reference whose content comes late does not displace what was written since`() throws {
        let overlay = Overlay(3)
        overlay.startAll()
        overlay.kill(2)
        let (old, _) = try #require(overlay.putLong("key", Self.bytes(2_000_000), at: 0))
        overlay.start(2, seeds: [0])
        overlay.run(for: .seconds(1))
        #expect(overlay.look("key", at: 2)?.found.first?.record == old)
        #expect(overlay.holders(of: "key") == [0, 1], "it came to see the record, and brings the content")
        #expect(overlay.put("key", "short", at: 0)?.stored == 3)
        overlay.run(for: .seconds(60))
        #expect(overlay[2].engine.transfers.incoming.isEmpty)
        let kept = overlay[2].store.records(at: overlay.location("key"), by: [overlay[0].identity])
        #expect(kept.map { String(decoding: $0.value, as: UTF8.self) } == ["short"])
    }

    @Test func `what was broken off goes on with what came`() throws {
        let overlay = Overlay(9)
        overlay.startAll()
        let value = Self.bytes(1_000_000)
        overlay.putLong("long", value, at: 0, patience: .seconds(600))
        let holders = overlay.holders(of: "long")
        let reader = try #require((0..<9).first { !holders.contains($0) })
        let look = try #require(overlay.look("long", at: reader))
        let record = try #require(look.found.first?.record)
        let name = overlay.submit(.fetch(record, from: look.contacts), at: reader)
        overlay.run(until: overlay.clock + .seconds(60)) {
            (overlay[reader].engine.transferStates.first?.done ?? 0) > 500_000
        }
        for index in holders { overlay.kill(index) }
        let outcome = overlay.finish(name, at: reader, patience: .seconds(300))
        guard case .fetched(nil)? = outcome else {
            Issue.record("the fetch did not end with nothing: \(String(describing: outcome))")
            return
        }
        let served = overlay[reader].engine.counters.chunksFetched
        for index in holders { overlay.start(index, seeds: [reader]) }
        overlay.run(for: .seconds(30))
        #expect(overlay.getLong("long", at: reader, patience: .seconds(300)) == value)
        #expect(overlay[reader].engine.counters.chunksFetched - served <= 500)
    }

    @Test func `a replica goes on after a restart with the pieces it had`() throws {
        let overlay = Overlay(2)
        overlay.startAll()
        let value = Self.bytes(1_500_000)
        let name = overlay.submitLong("long", value, at: 0)
        overlay.run(until: overlay.clock + .seconds(60)) {
            (overlay[1].store.contents().first?.pieces.count ?? 0) >= 10
        }
        let before = overlay[1].store.contents().first?.pieces.count ?? 0
        #expect(before < 24)
        overlay.kill(1)
        overlay.run(for: .seconds(1))
        overlay.start(1, seeds: [0])
        guard case .put(_, let outcome)? = overlay.finish(name, at: 0, patience: .seconds(300)) else {
            Issue.record("the put did not end")
            return
        }
        #expect(outcome.stored == 2)
        #expect(overlay[1].engine.counters.chunksFetched <= UInt64(1500 - before * 64 + 9))
        #expect(overlay.getLong("long", at: 1) == value)
    }

    @Test func `the same content under two keys is brought and kept once`() throws {
        let overlay = Overlay(4)
        overlay.startAll()
        let value = Self.bytes(100_000)
        overlay.putLong("one", value, at: 0)
        let fetched = overlay.hosts.map { $0.engine.counters.chunksFetched }
        overlay.putLong("two", value, at: 1)
        #expect(overlay.hosts.map { $0.engine.counters.chunksFetched } == fetched)
        for host in overlay.hosts { #expect(host.store.contents().count == 1) }
        #expect(overlay.getLong("two", at: 2) == value)
    }

    @Test func `content goes when no record refers to it, and not before`() throws {
        let overlay = Overlay(3)
        overlay.startAll()
        let (first, second) = (Self.bytes(70_000), Self.bytes(70_000, seed: 2))
        overlay.putLong("one", first, at: 0)
        overlay.putLong("two", first, at: 0)
        overlay.run(for: .minutes(15))
        overlay.putLong("one", second, at: 0)
        overlay.run(for: .minutes(15))
        for host in overlay.hosts { #expect(host.store.contents().count == 2) }
        overlay.delete("two", at: 0)
        overlay.run(for: .minutes(15))
        for host in overlay.hosts {
            #expect(host.store.contents().map(\.reference) == [Content(second)?.reference])
            #expect(host.engine.transfers.inventory.holdings.count == 1)
        }
        #expect(overlay.getLong("one", at: 2) == second)
    }

    @Test func `content ends with the lifetime of the record that refers to it`() {
        let overlay = Overlay(3)
        overlay.startAll()
        overlay.putLong("one", Self.bytes(70_000), lifetime: 60, at: 0)
        overlay.run(for: .minutes(20))
        for host in overlay.hosts { #expect(host.store.contents().isEmpty) }
    }

    @Test func `who joins and is among the closest gets the content as well`() throws {
        let overlay = Overlay(4)
        overlay.startAll(3)
        let value = Self.bytes(90_000)
        let (record, _) = try #require(overlay.putLong("long", value, at: 0))
        overlay.start(3, seeds: [0])
        overlay.run(for: .minutes(3))
        #expect(overlay.holders(of: "long") == [0, 1, 2, 3])
        let reference = try #require(record.reference)
        #expect(overlay[3].engine.transfers.inventory.isComplete(reference))
        for index in 0..<3 { overlay.kill(index) }
        #expect(overlay.getLong("long", at: 3) == value)
    }

    @Test func `a replica without room refuses the content, and says so`() throws {
        let overlay = Overlay(3)
        overlay.startAll()
        overlay[2].store = MemoryRecordStore(byteCapacity: 50_000)
        let (_, outcome) = try #require(overlay.putLong("long", Self.bytes(200_000), at: 0))
        let verdicts = Dictionary(uniqueKeysWithValues: outcome.replicas.map { ($0.identity, $0.verdict) })
        #expect(verdicts[overlay[2].identity] == .refused(.quota))
        #expect(outcome.stored == 2)
    }

    @Test func `an author's quota counts the content`() throws {
        let overlay = Overlay(2)
        overlay.settings.quota.bytesByAuthor = 100_000
        overlay.startAll()
        #expect(overlay.putLong("one", Self.bytes(60_000), at: 0)?.outcome.stored == 2)
        let (_, outcome) = try #require(overlay.putLong("two", Self.bytes(60_000, seed: 2), at: 0))
        #expect(outcome.replicas.allSatisfy { $0.verdict == .refused(.quota) })
        #expect(overlay.hosts.allSatisfy { $0.store.contents().count <= 2 })
    }

    @Test func `whoever may only read cannot make others bring content`() throws {
        let overlay = Overlay(3, readers: [2])
        overlay.startAll()
        let (_, outcome) = try #require(overlay.putLong("long", Self.bytes(5000), at: 2))
        let others = outcome.replicas.filter { $0.identity != overlay[2].identity }
        #expect(others.allSatisfy { $0.verdict == .refused(.denied) })
        #expect(overlay[0].engine.counters.chunksFetched == 0)
    }
}
