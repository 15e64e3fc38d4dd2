import DHTCore
import Testing

@testable import SecureDHT

struct StoreTroubleTests {
    private var trouble = StoreTrouble()

    private func second(_ count: UInt64) -> Instant { Instant(nanoseconds: 0) + .seconds(count) }

    private mutating func record(_ reason: String, at now: Instant) -> Int? {
        trouble.record(reason, at: now)
    }

    private mutating func end() -> Bool { trouble.end() }

    @Test mutating func `the operator is told at once, then once a minute`() {
        #expect(record("the disk is full", at: second(10)) == 1)
        for moment in UInt64(11)..<70 {
            #expect(record("the disk is full", at: second(moment)) == nil)
        }
        #expect(record("the disk is full", at: second(70)) == 60)
        #expect(trouble.reason == "the disk is full")
    }

    @Test mutating func `trouble that comes and goes is told once a minute, and its end once`() {
        #expect(!end())
        #expect(record("the disk is full", at: second(10)) == 1)
        #expect(end())
        for moment in UInt64(11)..<70 {
            #expect(trouble.reason == nil)
            #expect(record("disk I/O error", at: second(moment)) == nil)
            #expect(trouble.reason == "disk I/O error")
            #expect(!end())
        }
        #expect(record("the disk is full", at: second(70)) == 60)
        #expect(end())
    }
}
