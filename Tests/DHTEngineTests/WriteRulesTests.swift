import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import DHTStorage
import Testing

/// When a record is not taken, and what the author is told.
struct WriteRulesTests {
    private func verdicts(_ written: (record: Record, outcome: PutOutcome)?) -> [PutOutcome.Verdict] {
        written?.outcome.replicas.map(\.verdict) ?? []
    }

    @Test func `of two who each put only if nothing is there, the second learns of the first`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        let first = try #require(overlay.put("key", [1], condition: .absent, at: 1))
        #expect(first.outcome.stored == 5)
        #expect(overlay.conflict("key", [2], condition: .absent, at: 2) == .some(first.record))
        #expect(overlay.get("key", at: 3) == [1])
        overlay.delete("key", at: 1)
        #expect(overlay.put("key", [3], condition: .absent, at: 2)?.outcome.stored == 5)
    }

    @Test func `a put that expects a revision is taken only while that is the newest`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        let first = try #require(overlay.put("key", [1], at: 1)).record
        let second = try #require(overlay.put("key", [2], condition: .revision(first.revision), at: 2))
        #expect(second.outcome.stored == 5)
        #expect(
            overlay.conflict("key", [3], condition: .revision(first.revision), at: 1) == .some(second.record)
        )
        #expect(overlay.get("key", at: 4) == [2])
    }

    @Test func `a put that expects a revision where nothing is conflicts with nothing`() {
        let overlay = Overlay(3)
        overlay.startAll()
        let standing = overlay.conflict("key", [1], condition: .revision(Revision(rawValue: 7)), at: 1)
        #expect(standing == .some(nil))
    }

    @Test func `of two who put at one moment only if nothing is there, no replica takes both`() {
        let overlay = Overlay(6)
        overlay.startAll()
        let names = [1, 2].map { index in
            overlay.submit(.put(.init(key: [1], value: [], lifetime: 60, condition: .absent)), at: index)
        }
        var stored = 0
        for (index, name) in zip([1, 2], names) {
            guard case .put(_, let outcome) = overlay.finish(name, at: index) else { continue }
            stored += outcome.stored
        }
        #expect(stored == 6)
        for host in overlay.hosts { #expect(host.store.count == 1) }
    }

    @Test func `a replica without what a condition names gets the new record from the others' word`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        let first = try #require(overlay.put("key", [1], at: 1)).record
        overlay.kill(4)
        overlay[4].store = .init()
        overlay.start(4, seeds: [0])
        overlay.run(for: .seconds(5))
        let second = try #require(overlay.put("key", [2], condition: .revision(first.revision), at: 1))
        #expect(second.outcome.stored >= 4)
        overlay.run(for: .seconds(2))
        #expect(overlay.holders(of: "key") == [0, 1, 2, 3, 4])
        #expect(
            overlay[4].store.record(at: overlay.location("key"), by: overlay[1].identity) == second.record
        )
    }

    @Test func `records beyond an author's quota are refused, and say so`() {
        let overlay = Overlay(3)
        overlay.settings.quota.recordsByAuthor = 3
        overlay.startAll()
        for number in 0..<3 { #expect(overlay.put("key \(number)", "value", at: 1)?.stored == 3) }
        #expect(verdicts(overlay.put("key 3", [1], at: 1)) == Array(repeating: .refused(.quota), count: 3))
        #expect(overlay.put("key 3", "value", at: 2)?.stored == 3)
        #expect(overlay.put("key 0", "newer", at: 1)?.stored == 3)
        overlay.run(for: .seconds(1))
        #expect(overlay.hosts.allSatisfy { $0.engine.core.catalog.count == 4 })
    }

    @Test func `what a full store refuses, the catalog does not claim to have`() throws {
        let overlay = Overlay(3)
        overlay.startAll()
        let small = try #require(overlay.put("key", [0], at: 1)).record
        overlay[2].store = MemoryRecordStore(byteCapacity: small.bytes.count)
        try overlay[2].store.apply([.put(small)])
        #expect(verdicts(overlay.put("other", [1], at: 1)).count { $0 == .refused(.quota) } == 1)
        #expect(overlay[2].engine.core.catalog.count == overlay[2].store.count)
        #expect(overlay[2].engine.core.catalog.byteCount == overlay[2].store.byteCount)
        #expect(overlay.get("other", at: 2) == [1])
    }

    @Test func `of a replica's refusal for want of room another node hears in its stead`() {
        let overlay = Overlay(12)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        let full = overlay.holders(of: "key")[3]
        overlay.kill(full)
        overlay[full].store = MemoryRecordStore(byteCapacity: 0)
        overlay.start(full, seeds: [(full + 1) % 12])
        overlay.run(for: .seconds(10))
        let writer = overlay.hosts.map(\.index).first { $0 != full } ?? 0
        #expect(overlay.put("key", "newer", at: writer)?.stored == 8)
    }

    @Test func `a replica that had no room gets its copy once it has`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        let replicas = overlay.holders(of: "key")
        let (full, writer) = (replicas[3], replicas[0])
        overlay.kill(full)
        overlay[full].store = MemoryRecordStore(byteCapacity: 0)
        overlay.start(full, seeds: [(full + 1) % 12])
        overlay.run(for: .minutes(5))
        #expect(overlay.put("key", "newer", at: writer)?.stored == 8)
        #expect(!overlay.holders(of: "key").contains(full))
        overlay[full].store = MemoryRecordStore()
        overlay.run(for: .minutes(20))
        #expect(overlay.holders(of: "key").contains(full))
    }

    @Test func `a clock ten minutes ahead is told what the others' clocks say`() throws {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay[1].clockError = 600_000
        let refused = verdicts(overlay.put("key", [1], at: 1)).compactMap { verdict in
            if case .refused(.clock(let time)) = verdict { time } else { nil }
        }
        #expect(refused.count == 3)
        let now = overlay.now(at: overlay[0]).unixMilliseconds
        #expect(refused.allSatisfy { $0 <= now && now - $0 < 1000 })
        #expect(overlay.holders(of: "key") == [1])
    }

    @Test func `a clock four minutes wrong is within tolerance`() {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay[1].clockError = 240_000
        overlay[2].clockError = -50_000
        #expect(overlay.put("ahead", "value", at: 1)?.stored == 4)
        #expect(overlay.put("behind", "value", at: 2)?.stored == 4)
        for index in 0..<4 {
            #expect(overlay.text("ahead", at: index) == "value")
            #expect(overlay.text("behind", at: index) == "value")
        }
    }

    @Test func `a reader may read but not write`() {
        let overlay = Overlay(4, readers: [3])
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        #expect(overlay.text("key", at: 3) == "value")
        let told = verdicts(overlay.put("mine", [1], at: 3))
        #expect(told.count { $0 == .refused(.denied) } == 3)
        for index in 0..<3 { #expect(overlay.get("mine", at: index) == nil) }
    }

    @Test(arguments: [true, false])
    func `what one wrote who may write no more stands in nobody's way`(isExpelled: Bool) throws {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay.put("key", "old", at: 3)
        #expect(overlay.conflict("key", [1], condition: .absent, at: 0) != nil)
        let members = overlay.hosts.map(\.identity)
        for index in 0..<3 {
            let list: AdmissionPolicy =
                isExpelled ? .list(Array(members.dropLast())) : .list(members, readers: [members[3]])
            overlay.admit(list, at: index)
        }
        overlay.kill(3)
        #expect(overlay.get("key", at: 1) == nil)
        let written = try #require(overlay.put("key", [1], condition: .absent, at: 0))
        #expect(written.outcome.stored >= 3)
        #expect(overlay.get("key", at: 1) == [1])
        for index in 0..<3 { overlay.admit(.list(members), at: index) }
        #expect(overlay.look("key", isExhaustive: true, at: 1)?.found.count == 2)
    }

    @Test func `a record that was tampered with on replicas' disks is not passed on by them`() throws {
        let overlay = Overlay(4)
        overlay.startAll()
        let record = try #require(overlay.put("key", Array("value".utf8), at: 0)).record
        var bytes = record.bytes
        bytes[bytes.count - 66] ^= 1  // in the value
        let forged = try #require(RecordCodec.decode(bytes))
        for index in 1..<4 { try overlay[index].store.apply([.put(forged)]) }
        #expect(overlay.look("key", replicas: 4, at: 0)?.found.map(\.record) == [record])
        #expect(overlay[0].engine.counters.struckOut == 0)
        for index in 1..<4 {
            #expect(overlay.look("key", replicas: 4, at: index)?.found.map(\.record) == [record])
        }
    }
}
