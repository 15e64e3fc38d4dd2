import DHTCore
import DHTEngine
import Testing

/// The least that must work: a value put at one node is read at every other.
struct FirstWordsTests {
    @Test func `two nodes find each other`() {
        let overlay = Overlay(2)
        overlay.startAll()
        #expect(overlay.knows(0, 1))
        #expect(overlay.knows(1, 0))
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 12, 32])
    func `what one node puts every other reads`(count: Int) throws {
        let overlay = Overlay(count)
        overlay.startAll()
        let value = (0..<640).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let (_, outcome) = try #require(overlay.put("key", value, at: count - 1))
        #expect(outcome.stored >= min(count, 8))
        for index in 0..<count { #expect(overlay.get("key", at: index) == value, "at \(index)") }
    }
}
