import DHTCore
import DHTEngine
import Testing

/// What becomes of values that users put, read and delete.
struct ValueTests {
    @Test func `a put tells how many copies were made, and they are where they belong`() throws {
        let overlay = Overlay(32)
        overlay.startAll()
        for (number, writer) in [3, 17, 31].enumerated() {
            let key = "key \(number)"
            let (record, outcome) = try #require(overlay.put(key, Array("value".utf8), at: writer))
            // Where one answers late the next closest is asked as well.
            #expect((8...9).contains(outcome.stored))
            let nearest = overlay.hosts
                .sorted { $0.id.distance(to: record.location) < $1.id.distance(to: record.location) }
                .prefix(8).map(\.index)
            let holders = overlay.holders(of: key)
            #expect(holders.count == outcome.stored)
            #expect(Set(nearest).isSubset(of: holders))
        }
    }

    @Test func `a lone node keeps its own values`() {
        let overlay = Overlay(1)
        overlay.startAll()
        #expect(overlay.put("key", "value", at: 0)?.stored == 1)
        #expect(overlay.text("key", at: 0) == "value")
        #expect(overlay.look("other", at: 0)?.found.isEmpty == true)
    }

    @Test func `a get with two of five dead is answered`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        overlay.kill(3)
        overlay.kill(4)
        let begun = overlay.clock
        for index in 0..<3 { #expect(overlay.text("key", at: index) == "value") }
        #expect(overlay.clock.since(begun) < .seconds(3))
        #expect(overlay.put("key", "newer", at: 1)?.stored == 3)
        #expect(overlay.text("key", at: 2) == "newer")
    }

    @Test func `a put while replicas are dead makes eight copies all the same, without waiting for the dead`()
    {
        let overlay = Overlay(32)
        overlay.startAll()
        for number in 0..<5 {
            overlay.put("key", "value \(number)", at: 0)
            let dead = overlay.holders(of: "key").filter { $0 != 0 && overlay[$0].isAlive }.prefix(2)
            for index in dead { overlay.kill(index) }
            let begun = overlay.clock
            #expect((overlay.put("key", "newer \(number)", at: 0)?.stored ?? 0) >= 8)
            #expect(overlay.clock.since(begun) < .seconds(2))
            let reader = overlay.alive.map(\.index).last ?? 0
            #expect(overlay.text("key", at: reader) == "newer \(number)")
        }
    }

    @Test func `a get of what nobody has ends, and says how many answered`() {
        let overlay = Overlay(12)
        overlay.startAll()
        let outcome = overlay.look("nothing", at: 4)
        #expect(outcome?.found.isEmpty == true)
        #expect((outcome?.answered ?? 0) >= 8)
    }

    @Test func `a get over more paths than the node goes by itself asks more nodes`() throws {
        let overlay = Overlay(24)
        overlay.startAll()
        let one = try #require(overlay.look("nothing", at: 4))
        let eight = try #require(overlay.look("nothing", paths: 8, at: 4))
        #expect(eight.asked > one.asked + 4, "\(one.asked), \(eight.asked)")
        overlay.put("key", "value", at: 0)
        #expect(overlay.look("key", paths: 8, at: 9)?.found.count == 1)
    }

    @Test func `a get counts copies`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        #expect(overlay.look("key", replicas: 5, at: 0)?.found.map(\.copies) == [5])
    }

    @Test func `an empty value is a value`() {
        let overlay = Overlay(3)
        overlay.startAll()
        overlay.put("key", "", at: 0)
        #expect(overlay.text("key", at: 2) == "")
    }

    @Test func `a deleted value is gone for everybody`() {
        let overlay = Overlay(12)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        #expect((overlay.delete("key", at: 0)?.stored ?? 0) >= 8)
        for index in 0..<12 { #expect(overlay.text("key", at: index) == nil) }
        #expect(overlay.delete("key", at: 0) == nil)
        #expect(overlay.put("key", "again", at: 0)?.stored == 8)
        #expect(overlay.text("key", at: 7) == "again")
    }

    @Test func `an old copy that comes late does not bring a deleted value back`() {
        let overlay = Overlay(6)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        overlay.kill(5)  // with its copy
        overlay.delete("key", at: 0)
        overlay.start(5, seeds: [0])
        overlay.run(for: .seconds(5))
        for index in 0..<5 { #expect(overlay.text("key", at: index) == nil, "at \(index)") }
        // Whoever leaves offers what it has: nobody takes the old value.
        _ = overlay.leave(5)
        overlay.kill(5)
        for index in 0..<5 { #expect(overlay.text("key", at: index) == nil, "at \(index)") }
    }

    @Test func `nobody deletes another's value`() {
        let overlay = Overlay(4)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        #expect(overlay.delete("key", at: 1) == nil)
        #expect(overlay.text("key", at: 2) == "value")
    }

    @Test func `an expired value is not found, and forgotten`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", lifetime: 60, at: 0)
        overlay.run(for: .seconds(58))
        #expect(overlay.text("key", at: 3) == "value")
        overlay.run(for: .seconds(2))
        #expect(overlay.text("key", at: 3) == nil)
        overlay.run(for: .minutes(1))
        #expect(overlay.holders(of: "key") == [])
        for host in overlay.hosts { #expect(host.engine.core.catalog.count == 0) }
    }

    @Test func `values of two authors under one key live side by side, the newer one first`() throws {
        let overlay = Overlay(6)
        overlay.startAll()
        overlay.put("key", "of 1", at: 1)
        overlay.run(for: .seconds(1))
        overlay.put("key", "of 2", at: 2)
        #expect(overlay.text("key", at: 4) == "of 2")
        #expect(overlay.text("key", author: 1, at: 4) == "of 1")
        #expect(overlay.text("key", author: 2, at: 4) == "of 2")
        #expect(overlay.text("key", author: 3, at: 4) == nil)
        let all = try #require(overlay.look("key", isExhaustive: true, at: 4))
        #expect(all.found.map(\.record.author) == [overlay[2].identity, overlay[1].identity])
        overlay.delete("key", at: 2)
        #expect(overlay.text("key", at: 4) == "of 1")
    }

    @Test func `a value written after the clock was set back is newer all the same`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "first", at: 1)
        overlay[1].clockError = -60_000
        #expect(overlay.put("key", "second", at: 1)?.stored == 5)
        for index in 0..<5 { #expect(overlay.text("key", at: index) == "second") }
    }

    @Test func `an author that restarts with its clock set back signs anew above what stands`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        overlay.put("key", "first", at: 1)
        overlay.kill(1)
        overlay[1].store = .init()
        overlay.run(for: .minutes(11))
        overlay[1].clockError = -14 * 60_000
        overlay.start(1, seeds: [0])
        overlay.run(for: .seconds(5))
        let (record, outcome) = try #require(overlay.put("key", Array("second".utf8), at: 1))
        #expect(outcome.stored == 8)
        #expect(record.revision.unixMilliseconds > overlay.now(at: overlay[1]).unixMilliseconds)
        for index in 0..<12 { #expect(overlay.text("key", at: index) == "second", "at \(index)") }
    }

    @Test func `a reader that fell behind is repaired by the next get`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "old", at: 0)
        overlay.kill(4)
        overlay.put("key", "new", at: 0)
        overlay.start(4, seeds: [0])
        overlay.run(for: .seconds(5))
        #expect(overlay.text("key", replicas: 5, at: 1) == "new")
        overlay.run(for: .seconds(1))
        #expect(
            overlay[4].store.record(at: overlay.location("key"), by: overlay[0].identity)?.value
                .elementsEqual("new".utf8) == true
        )
    }

    @Test func `a replica that lost its records is repaired by the next get`() {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        overlay.kill(4)
        overlay[4].store = .init()
        overlay.start(4, seeds: [0])
        overlay.run(for: .seconds(5))
        #expect(overlay.text("key", replicas: 5, at: 1) == "value")
        overlay.run(for: .seconds(1))
        #expect(overlay.holders(of: "key") == [0, 1, 2, 3, 4])
    }

    @Test func `records survive a restart of every node`() {
        let overlay = Overlay(5)
        overlay.startAll()
        for number in 0..<10 { overlay.put("key \(number)", "value \(number)", at: number % 5) }
        for index in 0..<5 { overlay.kill(index) }
        overlay.run(for: .seconds(10))
        overlay.startAll()
        for number in 0..<10 {
            #expect(overlay.text("key \(number)", at: (number + 2) % 5) == "value \(number)")
        }
    }

    @Test func `records of more authors than one datagram holds are all found`() throws {
        let overlay = Overlay(12)
        overlay.startAll()
        for index in 0..<12 {
            let value = [UInt8](repeating: UInt8(index), count: 640)
            #expect((overlay.put("key", value, at: index)?.outcome.stored ?? 0) >= 8)
        }
        // Copies that came late are there by then.
        overlay.run(for: .seconds(2))
        let all = try #require(overlay.look("key", isExhaustive: true, at: 5))
        #expect(all.found.count == 12)
        #expect(Set(all.found.map(\.record.author)) == Set(overlay.hosts.map(\.identity)))
        #expect(all.found.allSatisfy { $0.copies == 8 })
        #expect(overlay.text("key", author: 3, at: 9) == String(repeating: "\u{3}", count: 640))
    }

    @Test func `a value behind more tombstones than one datagram holds is found`() {
        let overlay = Overlay(12)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        for index in 1..<12 {
            overlay.put("key", "x", at: index)
            overlay.delete("key", at: index)
        }
        for index in 0..<12 { #expect(overlay.text("key", at: index) == "value") }
    }
}
