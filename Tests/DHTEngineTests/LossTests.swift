import DHTCore
import DHTEngine
import Testing

/// A disk that lost a record without a word.
struct LossTests {
    /// Takes the record off a host's disk behind its back.
    private func lose(_ key: String, at host: Host, in overlay: Overlay) throws {
        for record in host.store.records(at: overlay.location(key)) {
            try host.store.apply([.remove(location: record.location, author: record.author)])
        }
    }

    @Test func `a copy that a disk lost comes back when somebody reads the value`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        try lose("key", at: overlay[3], in: overlay)
        #expect(overlay.text("key", replicas: 8, at: 0) == "value")
        overlay.run(for: .seconds(2))
        #expect(overlay.holders(of: "key") == [0, 1, 2, 3, 4])
        #expect(overlay[3].engine.counters.losses == 1)
    }

    @Test func `a copy that our own disk lost comes back when we read the value`() throws {
        let overlay = Overlay(5)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        try lose("key", at: overlay[3], in: overlay)
        #expect(overlay.text("key", at: 3) == "value")
        overlay.run(for: .seconds(2))
        #expect(overlay.holders(of: "key") == [0, 1, 2, 3, 4])
    }

    @Test func `records of an author who may not write for a while are not taken for lost`() throws {
        let overlay = Overlay(3)
        overlay.startAll()
        overlay.put("key", "value", at: 0)
        let members = overlay.hosts.map(\.identity)
        for index in 0..<3 { overlay.admit(.list(members, readers: [members[0]]), at: index) }
        #expect(overlay.text("key", replicas: 3, at: 1) == nil)
        for index in 0..<3 { overlay.admit(.list(members), at: index) }
        #expect(overlay.text("key", replicas: 3, at: 1) == "value")
        #expect(overlay.hosts.allSatisfy { $0.engine.counters.losses == 0 })
    }
}
