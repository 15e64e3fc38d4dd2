import DHTCore
import DHTCrypto
import DHTEngine
import DHTEnvelope
import Testing

/// What is more than five minutes ahead of everybody's clock, over the wire.
struct FarAheadTests {
    private static let key = Array("key".utf8)

    @Test func `a member that answers with records of the year 2126 is seen by no reader`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", at: 2)
        let draft = RecordCodec.Draft(
            kind: .value,
            key: Self.key,
            revision: Revision(unixMilliseconds: 4_922_899_200_000, above: nil),
            lifetime: 3600,
            value: Array("mine".utf8)
        )
        let record = overlay[1].engine.gate.sign(draft)
        let endpoint = overlay[1].endpoint
        overlay[1].lie = { request, _ in
            switch request {
            case .ping: .pong(observed: endpoint, endpoints: [])
            case .findNode: .nodes([])
            case .findValue: .values([record], total: 1, closer: [])
            case .store, .passOn: .stored(.init(lifetime: 3600, closest: []))
            case .findChunk, .findRoster, .join: .absent
            }
        }
        for index in [0, 2, 3, 4] {
            #expect(overlay.text("key", replicas: 5, at: index) == "value")
            #expect(overlay.get("key", author: 1, at: index) == nil)
            let found = overlay.look("nothing", at: index)?.found
            #expect(found?.isEmpty == true)
        }
        #expect(overlay.conflict("fresh", [1], condition: .absent, at: 3) == nil, "nothing stands in the way")
    }

    /// As a start with a clock that was ahead, or a file that somebody wrote to, has them.
    @Test func `records of the future in a store are read by nobody, nor given away`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        for index in 0..<5 { overlay[index].clockError = 86_400_000 }
        overlay.put("key", "ahead", at: 1)
        #expect(overlay.holders(of: "key").count == 5)
        for index in 0..<5 { overlay[index].clockError = 0 }
        for index in 0..<5 { #expect(overlay.text("key", replicas: 5, at: index) == nil) }
        #expect(overlay.put("key", "now", at: 3)?.stored == 5)
        for index in 0..<5 { #expect(overlay.text("key", replicas: 5, at: index) == "now") }
    }

    @Test func `an author's own records of the future do not raise what it writes now`() throws {
        let overlay = fiveWithOneAhead()
        let (record, outcome) = try #require(overlay.put("key", Array("now".utf8), at: 1))
        #expect(!record.revision.isFarAhead(of: overlay.now(at: overlay[1]).unixMilliseconds))
        #expect(outcome.stored == 5)
        for index in 0..<5 { #expect(overlay.text("key", replicas: 5, at: index) == "now") }
    }

    @Test func `a kept value written ahead of time is read from others by its author alone`() throws {
        let overlay = Overlay(14)
        overlay.startAll()
        for index in 0..<14 { overlay[index].clockError = 86_400_000 }
        // Its author has no copy.
        let key = try #require(
            (0...).lazy.map { "key \($0)" }.first { key in
                let place = overlay.location(key)
                return overlay.hosts.count { $0.id.distance(to: place) < overlay[1].id.distance(to: place) }
                    >= 8
            }
        )
        let put = Operation.Put(key: Array(key.utf8), value: [7], lifetime: 7200, isKept: true)
        _ = overlay.finish(overlay.submit(.put(put), at: 1), at: 1)
        for index in 0..<14 { overlay[index].clockError = 0 }
        #expect(overlay.get(key, at: 3) == nil)
        #expect(overlay.get(key, author: 1, at: 3) == nil)
        overlay.run(for: .minutes(4))
        #expect(overlay.get(key, at: 3) == [7], "it was signed anew, by the clock")
    }

    private func fiveWithOneAhead() -> Overlay {
        let overlay = Overlay(5)
        overlay.startAll()
        for index in 0..<5 { overlay[index].clockError = 86_400_000 }
        overlay.put("key", "ahead", lifetime: 7200, at: 1)
        for index in 0..<5 { overlay[index].clockError = 0 }
        return overlay
    }

    @Test func `what was written ahead of time can be deleted when the clock is right`() throws {
        let overlay = fiveWithOneAhead()
        #expect(overlay.text("key", at: 1) == nil, "nobody sees it")
        #expect(overlay.delete("key", at: 1)?.stored == 5)
        for index in 0..<5 { overlay[index].clockError = 86_400_000 }
        for index in 0..<5 { #expect(overlay.text("key", replicas: 5, at: index) == nil) }
    }
}
