import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine
@testable import DHTSimulator

/// What two nodes tell each other, in answers to PING, of their clocks and of each other.
struct PeerViewTests {
    /// Two hosts that know each other, the second's clock wrong by so many milliseconds. Each has just
    /// answered the other's PING.
    private func pair(error: Int64) -> Overlay {
        let overlay = Overlay(2)
        overlay.conditions = NetworkConditions(delays: 5...5)
        overlay[1].clockError = error
        overlay.startAll()
        ping(1, from: 0, in: overlay)
        ping(0, from: 1, in: overlay)
        return overlay
    }

    /// What one last told the other.
    private func told(by peer: Int, to index: Int, in overlay: Overlay) -> PeerView? {
        overlay[index].engine.view(of: overlay[peer].identity)
    }

    private func ping(_ peer: Int, from index: Int, in overlay: Overlay) {
        let name = overlay.submit(.ping(overlay[peer].identity), at: index)
        guard case .pinged(.some) = overlay.finish(name, at: index) else {
            Issue.record("host \(peer) did not answer")
            return
        }
    }

    @Test func `clocks that differ by 47 seconds are seen from either side`() throws {
        let overlay = pair(error: 47_000)
        let there = try #require(told(by: 1, to: 0, in: overlay))
        let back = try #require(told(by: 0, to: 1, in: overlay))
        #expect(abs(there.clockDifference - 47_000) <= 10)
        #expect(abs(back.clockDifference + 47_000) <= 10)
        #expect(told(by: 0, to: 0, in: overlay) == nil)
    }

    @Test func `each learns how the other sees it`() throws {
        let overlay = pair(error: 0)
        overlay.run(for: .seconds(7))
        ping(1, from: 0, in: overlay)
        let view = try #require(told(by: 1, to: 0, in: overlay))
        #expect(view.state == .good)
        #expect(view.lastAnswered == .seconds(7))
        #expect(view.roundTrip.map { $0.milliseconds } == 10)
        #expect(overlay.clock.since(view.taken) < .milliseconds(10))
    }

    @Test(arguments: [0, UInt64.max])
    func `a clock at either end is one that differs by much`(wall: UInt64) throws {
        let overlay = pair(error: 0)
        overlay[1].wall = wall
        ping(1, from: 0, in: overlay)
        ping(0, from: 1, in: overlay)
        let there = try #require(told(by: 1, to: 0, in: overlay)).clockDifference
        let back = try #require(told(by: 0, to: 1, in: overlay)).clockDifference
        let year: Int64 = 31_557_600_000
        #expect(wall == 0 ? there < -year : there > year)
        #expect(wall == 0 ? back > year : back < -year)
    }

    private static let differences: [(clock: UInt64, own: UInt64, difference: Int64)] = [
        (0, .max, -.max), (.max, 0, .max), (.max, .max, 0), (0, 0, 0), (5, 7, -2), (7, 5, 2),
    ]

    @Test(arguments: differences)
    func `a difference stops at the ends`(clock: UInt64, own: UInt64, difference: Int64) {
        let now = Now(instant: Instant(nanoseconds: 0), unixMilliseconds: own)
        let view = PeerView(Response.View(clock: clock), after: Interval(nanoseconds: 0), at: now)
        #expect(view.clockDifference == difference)
    }

    @Test func `a clock is compared as of halfway between request and answer`() {
        let now = Now(instant: Instant(nanoseconds: 0), unixMilliseconds: 1000)
        let view = PeerView(Response.View(clock: 900), after: .milliseconds(200), at: now)
        #expect(view.clockDifference == 0)
    }

    @Test func `views of contacts outlast those of others`() {
        var views = PeerViews()
        let now = Now(instant: Instant(nanoseconds: 0), unixMilliseconds: 0)
        let view = PeerView(Response.View(clock: 1), after: Interval(nanoseconds: 0), at: now)
        for index in 0..<PeerViews.capacity {
            #expect(!views.isFull)
            views.record(view, of: .numbered(index))
        }
        #expect(views.isFull)
        views.forget(allBut: [.numbered(3), .numbered(PeerViews.capacity)])
        #expect(views.count == 1)
        #expect(views[.numbered(3)] == view)
        #expect(views[.numbered(4)] == nil)
    }
}

extension Identity {
    fileprivate static func numbered(_ index: Int) -> Identity {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(index))
        guard let identity = Identity(bytes + [UInt8](repeating: 0, count: byteCount - bytes.count)) else {
            preconditionFailure("\(index) is no number")
        }
        return identity
    }
}
