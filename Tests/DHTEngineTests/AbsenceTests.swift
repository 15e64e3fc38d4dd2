import DHTCore
import Testing

/// A list of which nearly nobody is there.
struct AbsenceTests {
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
