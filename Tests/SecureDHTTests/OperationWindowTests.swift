import DHTCore
import Testing

@testable import SecureDHT

struct OperationWindowTests {
    private func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 0) + .milliseconds(milliseconds)
    }

    @Test func `it grows with each operation until a loss, then with each window full of them`() {
        var window = OperationWindow(limit: 1000)
        #expect(window.size == OperationWindow.least)
        for _ in 0..<84 { window.grow() }
        #expect(window.size == 100)
        window.look(retransmissions: 1, at: at(0))
        #expect(window.size == 50)
        for _ in 0..<49 { window.grow() }
        #expect(window.size == 50)
        window.grow()
        #expect(window.size == 51)
    }

    @Test func `what is lost at one stroke halves it once, and it is never less than the least`() {
        var window = OperationWindow(limit: 1000)
        for _ in 0..<84 { window.grow() }
        window.look(retransmissions: 3, at: at(0))
        window.look(retransmissions: 9, at: at(99))
        #expect(window.size == 50)
        window.look(retransmissions: 9, at: at(500))
        #expect(window.size == 50, "nothing more was sent again")
        window.look(retransmissions: 10, at: at(600))
        #expect(window.size == 25)
        for count in 11...20 { window.look(retransmissions: UInt64(count), at: at(UInt64(count) * 1000)) }
        #expect(window.size == OperationWindow.least)
    }

    @Test(arguments: [1, 5, 16, 40]) func `it never passes its limit`(limit: Int) {
        var window = OperationWindow(limit: limit)
        for _ in 0..<100 { window.grow() }
        #expect(window.size == limit)
        window.look(retransmissions: 1, at: at(0))
        #expect(window.size == max(limit / 2, min(limit, OperationWindow.least)))
    }
}
