import CSodium
import DHTCore

/// The secret a node's challenges are made with. It is made at start and dies with the process.
package struct ChallengeKey: ~Copyable, Sendable {
    private static let byteCount = 32

    private let secret = SecretBytes(randomCount: byteCount)

    package init() {}

    /// BLAKE2b-64 of the message under this key.
    package borrowing func mac(over message: [UInt8]) -> UInt64 {
        var output = [UInt8](repeating: 0, count: 8)
        mustSucceed(
            unsafe dht_blake2b(&output, output.count, message, message.count, secret.pointer, Self.byteCount),
            "crypto_generichash_blake2b"
        )
        return output.bigEndian()
    }
}
