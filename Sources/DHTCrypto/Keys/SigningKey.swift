import CSodium
import DHTCore

/// An Ed25519 key pair: who we are.
package struct SigningKey: ~Copyable, Sendable {
    package static let seedLength = DHT_SEED_BYTES
    package static let signatureLength = DHT_SIGNATURE_BYTES

    package let identity: Identity
    private let seed: SecretBytes
    /// libsodium's form: seed ‖ public key.
    private let secret: SecretBytes

    /// A fresh key.
    package init() { self.init(seed: SecretBytes(randomCount: Self.seedLength)) }

    /// The key that a seed of 32 bytes stands for.
    package init(seed: consuming SecretBytes) {
        precondition(seed.count == Self.seedLength, "a seed has \(Self.seedLength) bytes, not \(seed.count)")
        var publicKey = [UInt8](repeating: 0, count: Identity.byteCount)
        let seedPointer = unsafe seed.pointer
        secret = unsafe SecretBytes(count: DHT_SIGN_SECRET_BYTES) { buffer in
            guard let base = unsafe buffer.bindMemory(to: UInt8.self).baseAddress else { return }
            mustSucceed(
                unsafe crypto_sign_seed_keypair(&publicKey, base, seedPointer),
                "crypto_sign_seed_keypair"
            )
        }
        guard let identity = Identity(publicKey) else { preconditionFailure("a public key has 32 bytes") }
        self.identity = identity
        self.seed = seed
    }

    /// The detached signature, 64 bytes. (RFC 8032: the same message gives the same signature.)
    package borrowing func sign(_ message: [UInt8]) -> [UInt8] {
        var signature: [UInt8] = []
        sign(message, appendingTo: &signature)
        return signature
    }

    /// Appends the detached signature.
    package borrowing func sign(_ message: [UInt8], appendingTo buffer: inout [UInt8]) {
        let start = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.signatureLength))
        let secret = unsafe secret.pointer
        let result = unsafe buffer.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return Int32(-1) }
            return unsafe dht_sign(base + start, message, message.count, secret)
        }
        mustSucceed(result, "crypto_sign_detached")
    }

    /// The X25519 key pair this one converts to.
    package borrowing func staticBoxKey() -> BoxKey {
        let pointer = unsafe secret.pointer
        let converted = unsafe SecretBytes(count: DHT_BOX_SECRET_BYTES) { buffer in
            guard let base = unsafe buffer.bindMemory(to: UInt8.self).baseAddress else { return }
            mustSucceed(
                unsafe crypto_sign_ed25519_sk_to_curve25519(base, pointer),
                "crypto_sign_ed25519_sk_to_curve25519"
            )
        }
        return BoxKey(secret: converted)
    }

    /// Lends the seed, for writing it to a file.
    package borrowing func withSeed<Result>(_ body: (borrowing SecretBytes) throws -> Result) rethrows
        -> Result
    {
        try body(seed)
    }

    /// A second owner's key.
    package borrowing func copy() -> SigningKey { SigningKey(seed: seed.copy()) }
}

extension Identity {
    /// Whether `signature` is this identity's signature over `message`.
    package func verifies(_ signature: some Collection<UInt8>, of message: [UInt8]) -> Bool {
        guard signature.count == SigningKey.signatureLength else { return false }
        let result = signature.withContiguousStorageIfAvailable { signature in
            unsafe withBytes { key in
                unsafe dht_verify(signature.baseAddress, message, message.count, key)
            }
        }
        return result.map { $0 == 0 } ?? verifies(Array(signature), of: message)
    }

    /// SHA-1 of the identity: its place in the key space.
    package var nodeID: NodeID { sha1(bytes) }

    /// The X25519 public key the identity converts to; `nil` if it is no point of the curve or one of small
    /// order.
    package var staticBoxKey: BoxPublicKey? {
        var converted = [UInt8](repeating: 0, count: BoxPublicKey.byteCount)
        guard unsafe crypto_sign_ed25519_pk_to_curve25519(&converted, bytes) == 0 else { return nil }
        return BoxPublicKey(converted[...])
    }

    /// Whether somebody can have the secret key to it.
    package var isValidKey: Bool { staticBoxKey != nil }
}
