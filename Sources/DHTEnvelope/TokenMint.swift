import DHTCore
import DHTCrypto

/// Makes and recognises the tokens by which a peer proves that it receives where it sends from.
/// `docs/protocol.md`, section 5. They die with the process.
package struct TokenMint: ~Copyable, Sendable {
    package static let epochLength = Span.seconds(300)

    private let key = TokenKey()

    package init() {}

    package static func epoch(at now: Instant) -> UInt64 { now.nanoseconds / epochLength.nanoseconds }

    /// The token for a peer at an address, never 0, which stands for none.
    package borrowing func token(for identity: Identity, at endpoint: Endpoint, epoch: UInt64) -> UInt64 {
        var message: [UInt8] = []
        message.reserveCapacity(64)
        message.appendBigEndian(epoch)
        identity.append(to: &message)
        message.append(endpoint.family.rawValue)
        message.append(contentsOf: endpoint.addressBytes)
        message.appendBigEndian(endpoint.port)
        return max(key.token(over: message), 1)
    }

    /// The epoch in which `token` was made for this peer at this address, if that is the current or the
    /// previous one.
    package borrowing func epoch(
        of token: UInt64,
        for identity: Identity,
        at endpoint: Endpoint,
        now: Instant
    ) -> UInt64? {
        guard token != 0 else { return nil }
        let current = Self.epoch(at: now)
        for epoch in [current, current &- 1] where epoch <= current {
            // The XOR of two words takes the same time whatever they are.
            if self.token(for: identity, at: endpoint, epoch: epoch) ^ token == 0 { return epoch }
        }
        return nil
    }
}
