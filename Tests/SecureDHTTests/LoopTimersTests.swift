import DHTCore
import NIOEmbedded
import Testing

@testable import SecureDHT

struct LoopTimersTests {
    private func at(_ microseconds: UInt64) -> Instant {
        Instant(nanoseconds: 0) + .microseconds(microseconds)
    }

    /// Timers of which the engine's is due at `due` microseconds.
    private func timers(due: UInt64) -> LoopTimers {
        var timers = LoopTimers()
        timers.arm(EmbeddedEventLoop().scheduleTask(in: .hours(1)) {}, at: at(due))
        return timers
    }

    @Test func `a timer that fires in time is the engine's turn`() {
        var timers = timers(due: 50_000)
        let pause = timers.grace(at: at(51_000), hasUnread: false)
        #expect(pause == nil)
    }

    @Test func `what waits to be read is read before, but not for ever`() {
        var timers = timers(due: 50_000)
        for late: UInt64 in [0, 1000, 900_000] {
            let pause = timers.grace(at: at(50_000 + late), hasUnread: true)
            #expect(pause == .milliseconds(1))
        }
        let pause = timers.grace(at: at(1_050_000), hasUnread: true)
        #expect(pause == nil)
    }

    @Test func `a timer that fires late gives more time once, and a second at most`() {
        var first = timers(due: 50_000)
        let pause = first.grace(at: at(60_000), hasUnread: false)
        #expect(pause == .milliseconds(40))
        let more = first.grace(at: at(90_000), hasUnread: false)
        #expect(more == .milliseconds(10))
        let end = first.grace(at: at(100_000), hasUnread: false)
        #expect(end == nil)
        var second = timers(due: 50_000)
        let longest = second.grace(at: at(5_000_000), hasUnread: false)
        #expect(longest == .seconds(1))
    }
}
