import CSodium
import DHTCore

/// An X25519 public key: 32 bytes.
package struct BoxPublicKey: Hashable, Sendable {
    package static let byteCount = 32

    private let words: Bytes32

    /// `nil` unless there are 32 bytes.
    package init?(_ bytes: ArraySlice<UInt8>) {
        guard let words = Bytes32(bytes) else { return nil }
        self.words = words
    }

    /// The key with the 32 bytes at `offset`, which must be there.
    package init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        words = unsafe Bytes32(bytes, at: offset)
    }

    package var bytes: [UInt8] { words.bytes }

    package func append(to buffer: inout [UInt8]) { words.append(to: &buffer) }

    /// The box-key id: `docs/protocol.md`, section 2. Never 0, which means the static key.
    package var id: UInt32 { max(words.prefix, 1) }
}

/// An X25519 key pair.
package struct BoxKey: ~Copyable, Sendable {
    package let publicKey: BoxPublicKey
    private let secret: SecretBytes

    /// A fresh pair.
    package init() { self.init(secret: SecretBytes(randomCount: DHT_BOX_SECRET_BYTES)) }

    /// The pair of a secret key of 32 bytes.
    package init(secret: consuming SecretBytes) {
        precondition(secret.count == DHT_BOX_SECRET_BYTES, "a box secret has 32 bytes, not \(secret.count)")
        var bytes = [UInt8](repeating: 0, count: BoxPublicKey.byteCount)
        mustSucceed(unsafe crypto_scalarmult_base(&bytes, secret.pointer), "crypto_scalarmult_base")
        guard let publicKey = BoxPublicKey(bytes[...]) else {
            preconditionFailure("a public key has 32 bytes")
        }
        self.publicKey = publicKey
        self.secret = secret
    }

    /// Writes the key shared with `peer`; false if the peer's key is of small order.
    func derive(into shared: UnsafeMutablePointer<UInt8>, with peer: BoxPublicKey) -> Bool {
        unsafe crypto_box_beforenm(shared, peer.bytes, secret.pointer) == 0
    }
}
