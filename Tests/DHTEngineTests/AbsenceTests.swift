import DHTCore
import Testing

/// Lists of which many are not there.
struct AbsenceTests {
    @Test func `a read that misses all replicas says how many of the closest were silent`() throws {
        let overlay = Overlay(14)
        overlay.startAll()
        #expect(overlay.put("key", "value", at: 0)?.stored == 8)
        let holders = overlay.holders(of: "key")
        let reader = try #require(overlay.hosts.indices.first { !holders.contains($0) })
        #expect(overlay.look("key", at: reader)?.found.count == 1)
        #expect(overlay.look("nothing", at: reader)?.silent == 0)
        for holder in holders { overlay.kill(holder) }
        let outcome = try #require(overlay.look("key", at: reader))
        #expect(outcome.found.isEmpty && outcome.answered > 0)
        #expect(outcome.silent == 8 && outcome.closest == 8)
    }

    @Test func `four hundred absent members cost little, and the first that comes is whole in five seconds`()
    {
        let overlay = Overlay(400)
        let everybody = Array(0..<400)
        overlay.start(0, seeds: everybody.filter { $0 != 0 })
        overlay.run(for: .seconds(30))
        let before = overlay.flights.count
        overlay.run(for: .minutes(3))
        #expect(overlay.flights.count - before <= 20 * 180 + 48)
        // What a list of four would cost all the same.
        #expect(overlay.flights.count - before >= 180)
        for newcomer in [399, 7] {
            overlay.start(newcomer, seeds: everybody.filter { $0 != newcomer })
            overlay.run(for: .seconds(5))
            #expect(overlay.knows(0, newcomer) && overlay.knows(newcomer, 0))
            overlay.put("key \(newcomer)", "value", at: newcomer)
            #expect(overlay.text("key \(newcomer)", at: 0) == "value")
        }
        #expect(overlay.knows(399, 7) && overlay.knows(7, 399))
    }
}
