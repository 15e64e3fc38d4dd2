import DHTCore
import Testing

@testable import DHTEnvelope

@Suite struct PendingRequestsTests {
    private var pending = PendingRequests()
    private let bob = Identity.named("bob")
    private let carol = Identity.named("carol")

    private mutating func send(_ transaction: UInt64, digest: UInt8 = 0, at endpoint: Endpoint = .host(2)) {
        pending.sent(transaction, to: bob, at: endpoint, ping, digest: [digest])
    }

    private var isAwaited: Bool { pending.awaitsAnswer(from: bob, at: .host(2)) }

    @Test mutating func `an answer is awaited from whom and where the request went`() {
        #expect(!isAwaited)
        send(1)
        #expect(isAwaited)
        #expect(!pending.awaitsAnswer(from: carol, at: .host(2)))
        #expect(!pending.awaitsAnswer(from: bob, at: .host(3)))
        #expect(!pending.awaitsAnswer(from: bob, at: .host(2, port: 1)))
        pending.close(1)
        #expect(!isAwaited)
    }

    @Test mutating func `every transmission's digest is kept, the latest first`() {
        send(1, digest: 1)
        send(1, digest: 2)
        send(1, digest: 3)
        #expect(pending[1]?.digests == [[3], [2], [1]])
        #expect(pending.count == 1)
        pending.close(1)
        #expect(!isAwaited)
        #expect(pending.count == 0)
    }

    @Test mutating func `three failures close the exchange`() {
        send(1)
        pending.failed(from: bob, at: .host(2))
        pending.failed(from: bob, at: .host(2))
        #expect(isAwaited)
        pending.failed(from: bob, at: .host(2))
        #expect(!isAwaited)
    }

    @Test mutating func `failures from elsewhere do not count`() {
        send(1)
        for _ in 0..<3 {
            pending.failed(from: bob, at: .host(3))
            pending.failed(from: carol, at: .host(2))
        }
        #expect(isAwaited)
    }

    @Test mutating func `a request that follows has its own three`() {
        send(1)
        for _ in 0..<3 { pending.failed(from: bob, at: .host(2)) }
        send(2)
        #expect(isAwaited)
        pending.close(1)
        #expect(isAwaited)
        for _ in 0..<3 { pending.failed(from: bob, at: .host(2)) }
        #expect(!isAwaited)
    }

    @Test mutating func `a retransmission does not have three more`() {
        send(1)
        for _ in 0..<3 { pending.failed(from: bob, at: .host(2)) }
        send(1)
        #expect(!isAwaited)
    }

    @Test mutating func `failures do not add up over a long exchange`() {
        // Never idle, and a failure now and then: every request gets its answer.
        send(0)
        for transaction in 1...20 as ClosedRange<UInt64> {
            send(transaction)
            pending.failed(from: bob, at: .host(2))
            #expect(isAwaited)
            pending.close(transaction - 1)
        }
    }

    @Test mutating func `closing what is not pending changes nothing`() {
        send(1)
        pending.close(2)
        #expect(isAwaited)
        #expect(pending.count == 1)
    }
}
