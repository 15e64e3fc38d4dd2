import DHTCore
import DHTCrypto

/// Makes and recognises the challenges by which a process of a peer proves that it receives where it sends
/// from. `docs/protocol.md`, section 5. They die with the process.
package struct ChallengeMint: ~Copyable, Sendable {
    /// Of the monotonic clock; a challenge is good in the epoch it was made in and in the next.
    package static let epochLength = Interval.seconds(3600)

    /// For whom a challenge is made, and where.
    package struct Subject: Hashable, Sendable {
        package var identity: Identity
        package var boxKey: BoxPublicKey
        package var endpoint: Endpoint
        /// Rises when a session of the identity ended that an older challenge could begin again.
        package var generation: UInt32

        package init(identity: Identity, boxKey: BoxPublicKey, endpoint: Endpoint, generation: UInt32) {
            (self.identity, self.boxKey) = (identity, boxKey)
            (self.endpoint, self.generation) = (endpoint, generation)
        }
    }

    private var key = ChallengeKey()

    package init() {}

    package static func epoch(at now: Instant) -> UInt64 { now.nanoseconds / epochLength.nanoseconds }

    /// Makes all challenges bad that were made so far.
    package mutating func renew() { key = ChallengeKey() }

    /// The challenge for a subject, never 0, which stands for none.
    package borrowing func challenge(for subject: Subject, at now: Instant) -> UInt64 {
        challenge(for: subject, epoch: Self.epoch(at: now))
    }

    /// Whether the challenge was made for this subject, lately.
    package borrowing func accepts(_ challenge: UInt64, for subject: Subject, at now: Instant) -> Bool {
        guard challenge != 0 else { return false }
        let current = Self.epoch(at: now)
        // The XOR of two words takes the same time whatever they are.
        return [current, current &- 1].contains { epoch in
            epoch <= current && self.challenge(for: subject, epoch: epoch) ^ challenge == 0
        }
    }

    private borrowing func challenge(for subject: Subject, epoch: UInt64) -> UInt64 {
        var message: [UInt8] = []
        message.reserveCapacity(96)
        message.appendBigEndian(epoch)
        message.appendBigEndian(subject.generation)
        subject.identity.append(to: &message)
        subject.boxKey.append(to: &message)
        message.append(subject.endpoint.family.rawValue)
        message.append(contentsOf: subject.endpoint.addressBytes)
        message.appendBigEndian(subject.endpoint.port)
        return max(key.mac(over: message), 1)
    }
}
