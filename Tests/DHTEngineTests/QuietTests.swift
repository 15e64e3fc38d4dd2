import DHTCore
import DHTEngine
import Testing

/// A large overlay in which nothing happens.
struct QuietTests {
    @Test func `after an idle hour a put among 128 nodes is a STORE to each replica, and nothing before`() {
        let overlay = Overlay(128)
        overlay.startAll(settle: .minutes(2))
        overlay.run(for: .minutes(60))
        for putter in [0, 41, 127] {
            let (key, endpoint) = ("key \(putter)", overlay[putter].endpoint)
            let before = overlay.flights.count
            // Short enough for an answer to come to pass within the patience, so that nobody else is asked.
            overlay.weather.delays = 5...10
            let stored = overlay.put(key, [UInt8](repeating: 7, count: 200), at: putter)?.outcome.stored
            let sent = overlay.flights[before...].filter { $0.source == endpoint }
            let replicas = Set(overlay.holders(of: key)).subtracting([putter])
            let keepsOne = overlay.holders(of: key).contains(putter)
            #expect(stored == 8)
            #expect(replicas.count == (keepsOne ? 7 : 8))
            // One each, and none of the length of a PING or a question.
            #expect(sent.count == replicas.count)
            #expect(Set(sent.map(\.destination)) == Set(replicas.map { overlay[$0].endpoint }))
            #expect(sent.allSatisfy { $0.length == 768 })
        }
    }
}
