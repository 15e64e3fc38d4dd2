import DHTCore
import Testing

@testable import SecureDHT

struct StoreTroubleTests {
    private var trouble = StoreTrouble()

    private func second(_ count: UInt64) -> Instant { Instant(nanoseconds: 0) + .seconds(count) }

    @Test mutating func `the operator is told at once, then once a minute`() {
        #expect(trouble.note("the disk is full", at: second(10)) == 1)
        for moment in UInt64(11)..<70 {
            #expect(trouble.note("the disk is full", at: second(moment)) == nil)
        }
        #expect(trouble.note("the disk is full", at: second(70)) == 60)
        #expect(trouble.reason == "the disk is full")
    }

    @Test mutating func `something new is told at once, and so is the end`() {
        #expect(!trouble.end())
        #expect(trouble.note("the disk is full", at: second(10)) == 1)
        #expect(trouble.note("disk I/O error", at: second(11)) == 1)
        #expect(trouble.end())
        #expect(trouble.reason == nil && !trouble.end())
        #expect(trouble.note("the disk is full", at: second(12)) == 1)
    }
}
