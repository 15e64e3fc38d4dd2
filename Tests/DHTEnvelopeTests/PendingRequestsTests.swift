import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

@Suite struct PendingRequestsTests {
    private var pending = PendingRequests()
    private let bob = Identity.named("bob")
    private let carol = Identity.named("carol")

    private mutating func send(_ transaction: UInt64, digest: UInt8 = 0, at endpoint: Endpoint = .host(2)) {
        let transmission = PendingRequests.Transmission(
            digest: Digest(blake2bOf: [digest]),
            sent: at(UInt64(digest))
        )
        pending.sent(transaction, to: bob, at: endpoint, ping, transmission)
    }

    private func isAwaited(_ transaction: UInt64 = 1) -> Bool {
        pending.awaits(transaction, from: bob, at: .host(2)) != nil
    }

    @Test mutating func `an answer is awaited from whom and where the request went, by its name`() {
        #expect(!isAwaited())
        send(1)
        #expect(isAwaited())
        #expect(!isAwaited(2))
        #expect(pending.awaits(1, from: carol, at: .host(2)) == nil)
        #expect(pending.awaits(1, from: bob, at: .host(3)) == nil)
        #expect(pending.awaits(1, from: bob, at: .host(2, port: 1)) == nil)
        pending.close(1)
        #expect(!isAwaited())
    }

    @Test mutating func `every transmission is kept, the latest first`() {
        send(1, digest: 1)
        send(1, digest: 2)
        send(1, digest: 3)
        #expect(pending[1]?.transmissions.map(\.digest) == [3, 2, 1].map { Digest(blake2bOf: [$0]) })
        #expect(pending[1]?.transmissions.map(\.sent) == [at(3), at(2), at(1)])
        #expect(pending.count == 1)
        pending.close(1)
        #expect(pending.count == 0)
    }

    @Test mutating func `failures are charged to one request, by kind, however often it is sent`() {
        send(1)
        send(2)
        pending.failed(1, isKnown: false)
        pending.failed(1, isKnown: false)
        pending.failed(1, isKnown: true)
        send(1)
        #expect(pending[1]?.failures == 2)
        #expect(pending[1]?.forgeries == 1)
        #expect(pending[2]?.failures == 0)
    }

    @Test mutating func `closing what is not pending changes nothing`() {
        send(1)
        pending.close(2)
        #expect(isAwaited())
        #expect(pending.count == 1)
    }
}
