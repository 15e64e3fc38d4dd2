import DHTCore
import Testing

@testable import DHTEngine
@testable import DHTSimulator

/// Calendars that jump, by anything and in both directions.
struct ClockTests {
    private static let day: Int64 = 86_400_000

    private func started(_ count: Int) -> Overlay {
        let overlay = Overlay(count)
        overlay.startAll()
        return overlay
    }

    /// A key of which host 1 is to keep no copy.
    private func foreignKey(in overlay: Overlay) -> String {
        (0...).lazy.map { "key \($0)" }.first { key in
            let location = overlay.location(key)
            let nearer = overlay.hosts.filter {
                $0.id.distance(to: location) < overlay[1].id.distance(to: location)
            }
            return nearer.count >= Kademlia.replicas
        } ?? ""
    }

    @Test func `what was written ahead of time is written again at once when the clock is right`() throws {
        let overlay = started(5)
        overlay.put("value", "old", at: 1)
        overlay.put("other", "old", at: 1)
        overlay[1].clockError = Self.day
        overlay.put("value", "ahead", at: 1)
        overlay.put("new", "ahead", at: 1)
        overlay.delete("other", at: 1)
        overlay[1].clockError = 0
        for key in ["value", "new", "other"] {
            #expect(overlay.put(key, "right", at: 1)?.stored == 5, "\(key)")
            for index in 0..<5 { #expect(overlay.text(key, at: index) == "right", "\(key) at \(index)") }
        }
        #expect(overlay.delete("value", at: 1)?.stored == 5)
        for index in 0..<5 { #expect(overlay.text("value", at: index) == nil) }
        // Nothing of it comes back when its time has come.
        overlay.run(for: .minutes(59))
        for index in 0..<5 { overlay[index].clockError = Self.day }
        #expect(overlay.look("value", at: 2)?.found.contains { !$0.record.isTombstone } != true)
    }

    @Test func `the next process is not held by what the one before wrote ahead of time`() throws {
        let overlay = started(5)
        overlay[1].clockError = Self.day
        overlay.put("value", "ahead", at: 1)
        overlay.kill(1)
        overlay[1].clockError = 0
        overlay.start(1, seeds: [0])
        overlay.act(overlay[1]) { engine, _ in engine.remember(overlay[1].revisions) }
        overlay.run(for: .seconds(8))
        #expect(overlay.put("value", "right", at: 1)?.stored == 5)
        #expect(overlay.text("value", at: 3) == "right")
    }

    @Test(arguments: [false, true])
    func `who goes back behind a wrong clock stays above what it wrote before`(isRestarted: Bool) throws {
        let overlay = started(5)
        let key = "value"
        overlay[1].clockError = 120_000
        let before = try #require(overlay.put(key, Array("before".utf8), at: 1)).record
        overlay[1].clockError = Self.day
        overlay.put("value", "ahead", at: 1)
        // Nobody has the first one any more who could tell of it; and the clock has not passed it.
        if isRestarted {
            overlay.kill(1)
            overlay[1].clockError = 0
            overlay.start(1, seeds: [0])
            overlay.act(overlay[1]) { engine, _ in engine.remember(overlay[1].revisions) }
            overlay.run(for: .seconds(8))
        }
        overlay[1].clockError = 0
        let (right, outcome) = try #require(overlay.put(key, Array("right".utf8), at: 1))
        #expect(outcome.stored == 5)
        #expect(right.revision > before.revision && right.revision.unixMilliseconds < World.epoch + 240_000)
        #expect(overlay.text("value", at: 3) == "right")
    }

    @Test func `a revision that nobody took is forgotten`() throws {
        let overlay = started(14)
        let key = foreignKey(in: overlay)
        let (_, first) = try #require(overlay.put(key, Array("old".utf8), at: 1))
        #expect(first.stored == 8)
        let remembered = overlay[1].revisions
        overlay[1].clockError = Self.day
        let (record, outcome) = try #require(overlay.put(key, Array("ahead".utf8), at: 1))
        #expect(outcome.stored == 0 && record.revision.isFarAhead(of: World.epoch))
        #expect(overlay[1].revisions == remembered && overlay[1].engine.desk.order.revisions == remembered)
        overlay[1].clockError = 0
        let (again, right) = try #require(overlay.put(key, Array("right".utf8), at: 1))
        #expect(right.stored == 8 && again.revision < record.revision)
        #expect(overlay.text(key, at: 3) == "right")
    }

    @Test func `a clock set back by any time makes no write older than the one before`() throws {
        let overlay = started(5)
        overlay.put("value", "first", at: 1)
        for error in [-3_600_000, -Self.day, -Int64(World.epoch)] {
            overlay[1].clockError = error
            let text = "\(error)"
            #expect(overlay.put("value", text, at: 1)?.stored ?? 0 >= 4)
            for index in [0, 2, 3, 4] { #expect(overlay.text("value", at: index) == text) }
        }
    }

    @Test func `where all clocks are ahead, and then right, the value is written again`() throws {
        let overlay = started(5)
        for index in 0..<5 { overlay[index].clockError = Self.day }
        #expect(overlay.put("value", "ahead", at: 1)?.stored == 5)
        for index in 0..<4 { overlay[index].clockError = 0 }
        // One clock is still ahead: there the new value stands above the old one, or not at all.
        #expect(overlay.put("value", "right", at: 1)?.stored ?? 0 >= 4)
        for index in 0..<5 { #expect(overlay.text("value", replicas: 5, at: index) == "right") }
        overlay[4].clockError = 0
        #expect(overlay.put("value", "last", at: 1)?.stored == 5)
        for index in 0..<5 { #expect(overlay.text("value", replicas: 5, at: index) == "last") }
    }

    @Test func `others cannot bring back what an author wrote before`() throws {
        let overlay = started(5)
        let (old, _) = try #require(overlay.put("value", Array("old".utf8), at: 1))
        overlay.run(for: .minutes(20))
        overlay.put("value", "new", at: 1)
        // Replicas whose clocks are behind hold what is ahead of them.
        overlay[2].clockError = -1_200_000
        let now = overlay.now(at: overlay[2])
        func decision(_ sender: Int, _ condition: Request.Condition?) -> Catalog.Decision {
            overlay[2].engine.core.judgement(of: old, condition, from: overlay[sender].identity, at: now)
                .decision
        }
        #expect(decision(0, .anything) == .conflict(author: overlay[1].identity))
        #expect(decision(1, nil) == .conflict(author: overlay[1].identity), "copies go forward only")
        #expect(decision(1, .anything) == .keep)
        #expect(overlay.text("value", at: 3) == "new")
    }

    @Test func `a kept value that was written ahead of time is signed anew when the clock is right`() throws {
        let overlay = started(5)
        overlay[1].clockError = Self.day
        let put = Operation.Put(key: Array("value".utf8), value: [7], lifetime: 3600, isKept: true)
        _ = overlay.finish(overlay.submit(.put(put), at: 1), at: 1)
        overlay[1].clockError = 0
        overlay.run(for: .minutes(2))
        let found = try #require(overlay.look("value", at: 3)?.found.first)
        #expect(!found.record.revision.isFarAhead(of: overlay.now(at: overlay[3]).unixMilliseconds))
        #expect(overlay.holders(of: "value").count == 5)
    }

    @Test func `a kept value of one whose clock is behind is not signed anew over and over`() throws {
        let overlay = started(5)
        let put = Operation.Put(key: Array("value".utf8), value: [7], lifetime: 3600, isKept: true)
        _ = overlay.finish(overlay.submit(.put(put), at: 1), at: 1)
        overlay[1].clockError = -Self.day
        overlay.run(for: .minutes(1))
        let once = overlay[1].engine.renewedValues.map(\.revision)
        overlay.run(for: .minutes(20))
        #expect(overlay[1].engine.renewedValues.map(\.revision) == once)
        overlay[1].clockError = 0
        overlay.run(for: .minutes(60))
        #expect(overlay.get("value", at: 3) == [7])
    }

    @Test(
        arguments: [
            0, 1, 999, 1 << 32 - 1, 1 << 32, 1 << 32 + 1, (1 << 32) * 1000 - 1, (1 << 32) * 1000, 1 << 48 - 1,
            1 << 48, UInt64(Int64.max) / 1000, UInt64(Int64.max), 1 << 63, .max - 300_000, .max - 1, .max,
        ] as [UInt64]
    )
    func `nothing traps and nothing is locked, whatever the calendar says`(wall: UInt64) {
        let overlay = started(4)
        overlay.put("value", "old", at: 2)
        overlay[1].wall = wall
        overlay.put("value", "odd", at: 1)
        let put = Operation.Put(key: Array("kept".utf8), value: [7], lifetime: 60, isKept: true)
        _ = overlay.finish(overlay.submit(.put(put), at: 1), at: 1)
        _ = overlay.look("value", at: 1)
        overlay.delete("value", at: 1)
        _ = overlay.conflict("value", [1], condition: .absent, at: 1)
        overlay.run(for: .minutes(3))
        overlay[1].wall = nil
        #expect(overlay.put("value", "right", at: 1)?.stored == 4)
        #expect(overlay.text("value", at: 3) == "right")
        overlay.kill(1)
        overlay[1].wall = wall
        overlay.start(1, seeds: [0])
        overlay.act(overlay[1]) { engine, _ in engine.remember(overlay[1].revisions) }
        overlay.run(for: .seconds(30))
        overlay[1].wall = nil
        #expect(overlay.put("value", "again", at: 1)?.stored == 4)
        #expect(overlay.text("value", at: 3) == "again")
        // All calendars at once.
        for index in 0..<4 { overlay[index].wall = wall }
        #expect(overlay.put("value", "odd", at: 1)?.stored ?? 0 > 0 || wall > Revision.latest)
        for index in 0..<4 { overlay[index].wall = nil }
        #expect(overlay.put("value", "last", at: 1)?.stored == 4)
        #expect(overlay.text("value", at: 0) == "last")
    }
}
