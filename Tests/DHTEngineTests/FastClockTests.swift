import DHTCore
import DHTCrypto
import DHTEngine
import Testing

/// A member whose clock is nearly five minutes ahead.
struct FastClockTests {
    @Test func `it hides nobody who writes meanwhile, and they are told that it will`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay[1].clockError = 290_000
        overlay.put("key", "ahead", at: 1)
        let written = try #require(overlay.put("key", Array("now".utf8), at: 2))
        #expect(written.outcome.stored == 5)
        let prefix = overlay[1].identity.nodeID.prefix
        #expect(written.outcome.hider { $0.nodeID }?.prefix { $0.nodeID } == prefix)
        for index in [0, 2, 3, 4] { #expect(overlay.text("key", at: index) == "now") }
        let newest = written.record.revision
        #expect(overlay.put("key", Array("next".utf8), condition: .revision(newest), at: 3) != nil)
        #expect(overlay.text("key", at: 4) == "next")
        overlay.run(for: .seconds(300))
        #expect(overlay.text("key", at: 4) == "ahead")
    }

    @Test func `nobody is told of anybody where nothing hides the value`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "old", at: 1)
        overlay.run(for: .seconds(1))
        let written = try #require(overlay.put("key", Array("new".utf8), at: 2))
        #expect(written.outcome.hider { $0.nodeID } == nil)
    }
}
