import DHTCore
import Testing

@testable import DHTEnvelope

/// The obvious slow version: all counters ever marked.
private struct ReplayTwin {
    var marked: Set<UInt64> = []
    var top: UInt64?

    func isTooOld(_ counter: UInt64) -> Bool {
        guard let top, counter < top else { return false }
        return top - counter >= 1024
    }

    func contains(_ counter: UInt64) -> Bool { marked.contains(counter) && !isTooOld(counter) }

    mutating func mark(_ counter: UInt64) {
        guard !isTooOld(counter) else { return }
        marked.insert(counter)
        top = max(top ?? counter, counter)
    }
}

@Suite struct ReplayWindowTests {
    /// How far a mark may lie ahead of the last top, one entry for each way to move.
    @Test(arguments: [(1, 3), (2, 40), (3, 700), (4, 1500), (5, 2047), (6, 2048), (7, 2049), (8, 5000)])
    func `it remembers what a set remembers`(seed: UInt64, stride: Int) {
        var generator = SplitMix64(seed: seed)
        var (window, twin) = (ReplayWindow(), ReplayTwin())
        for _ in 0..<4000 {
            let top = twin.top ?? 1_000_000
            let ahead = UInt64(generator.number(0...stride))
            let behind = UInt64(generator.number(0...2200))
            let counter = generator.next() % 3 == 0 ? top + ahead : top - behind
            #expect(window.contains(counter) == twin.contains(counter))
            #expect(window.isTooOld(counter) == twin.isTooOld(counter))
            window.mark(counter)
            twin.mark(counter)
            #expect(window.top == twin.top)
            #expect(window.contains(counter) == twin.contains(counter))
        }
    }

    @Test func `after random marks every counter of the window is as the set says`() {
        var generator = SplitMix64(seed: 9)
        var (window, twin) = (ReplayWindow(), ReplayTwin())
        for _ in 0..<50 {
            for _ in 0..<40 {
                let counter = 10_000 + (twin.top ?? 0) / 10_000 * 17 + UInt64(generator.number(0...1800))
                window.mark(counter)
                twin.mark(counter)
            }
            let wrong = (9_000..<14_000).filter { window.contains($0) != twin.contains($0) }
            #expect(wrong.isEmpty)
        }
    }

    @Test func `a new window has seen nothing`() {
        let window = ReplayWindow()
        #expect(window.top == nil)
        for counter in [0, 1, 1023, UInt64.max] {
            #expect(!window.contains(counter))
            #expect(!window.isTooOld(counter))
        }
    }

    @Test func `it reaches back 1023 counters and no further`() {
        var window = ReplayWindow()
        window.mark(5000)
        #expect(!window.isTooOld(5000 - 1023))
        #expect(window.isTooOld(5000 - 1024))
    }

    @Test func `a mark that is too old is ignored`() {
        var window = ReplayWindow()
        window.mark(5000)
        window.mark(100)
        #expect(!window.contains(100))
        #expect(window.top == 5000)
    }

    @Test(arguments: [1023, 1024, 1025, 2047, 2048, 2049, 4096] as [UInt64])
    func `a leap leaves behind what is out of reach`(leap: UInt64) {
        var window = ReplayWindow()
        window.mark(64)
        window.mark(64 + leap)
        #expect(window.contains(64) == (leap < 1024))
        #expect(window.contains(64 + leap))
        #expect(!window.contains(65 + leap))
        #expect(!window.contains(63 + leap))
    }

    @Test func `it works at both ends of the counter's range`() {
        var window = ReplayWindow()
        window.mark(0)
        #expect(window.contains(0))
        window.mark(.max)
        #expect(window.contains(.max))
        #expect(!window.contains(.max - 1))
        window.mark(.max - 1023)
        #expect(window.contains(.max - 1023))
        #expect(window.isTooOld(0))
    }
}
