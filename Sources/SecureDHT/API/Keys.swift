import DHTCore
import DHTCrypto

/// A node's secret identity. Its bytes live in locked memory and are wiped when the last owner lets go.
public final class NodeKey: Sendable {
    package let signingKey: SigningKey
    /// The public half, which may be shown to anybody.
    public let identity: Identity

    package init(_ signingKey: consuming SigningKey) {
        identity = signingKey.identity
        self.signingKey = signingKey
    }

    /// A fresh key, kept nowhere else.
    public convenience init() {
        Sodium.initialize()
        self.init(SigningKey())
    }

    /// The key of a seed (RFC 8032, section 5.1.5): the 32 bytes that other programs call the private key.
    ///
    /// The key has a copy of its own: wipe yours.
    public convenience init(seed: some Collection<UInt8>) throws(DHTError) {
        self.init(SigningKey(seed: try secret(seed, count: SigningKey.seedLength, "the seed of a key")))
    }

    /// The key of the line `DHT-SECRET-KEY-1…` of a key file.
    public convenience init(text: String) throws(DHTError) {
        self.init(
            try key(of: text) { (characters) throws(KeyTextError) in try SigningKey(secretText: characters) }
        )
    }
}

/// The 32 bytes all nodes of one overlay share.
public final class NetworkSecret: Sendable {
    package let networkKey: NetworkKey
    /// Whether this is the key that everybody knows.
    public let isWellKnown: Bool

    /// 8 hexadecimal digits that all nodes of the overlay have in common, and that tell nothing of the
    /// secret.
    public var fingerprint: String { String(hexadecimal(networkKey.id.bytes).prefix(8)) }

    package init(_ networkKey: consuming NetworkKey, isWellKnown: Bool = false) {
        self.networkKey = networkKey
        self.isWellKnown = isWellKnown
    }

    /// A fresh secret, kept nowhere else.
    public convenience init() {
        Sodium.initialize()
        self.init(NetworkKey())
    }

    /// The secret of these 32 bytes, of which it has a copy of its own: wipe yours.
    public convenience init(bytes: some Collection<UInt8>) throws(DHTError) {
        self.init(NetworkKey(bytes: try secret(bytes, count: NetworkKey.byteCount, "a network secret")))
    }

    /// The secret of the line `DHT-NETWORK-1…` of a network key file.
    public convenience init(text: String) throws(DHTError) {
        self.init(
            try key(of: text) { (characters) throws(KeyTextError) in try NetworkKey(secretText: characters) }
        )
    }

    /// The network key of nodes that were given none: BLAKE2b-256 of "dht1 well-known network".
    ///
    /// With it the allowlist protects as always, but anybody can recognise the datagrams and see who talks to
    /// whom.
    public static let wellKnown: NetworkSecret = {
        Sodium.initialize()
        var bytes = blake2b(Array("dht1 well-known network".utf8), count: 32)
        return NetworkSecret(NetworkKey(bytes: SecretBytes(wiping: &bytes)), isWellKnown: true)
    }()
}

/// A copy of a secret in locked memory; `what` names it in the error about a wrong count of bytes.
private func secret(_ bytes: some Collection<UInt8>, count: Int, _ what: String) throws(DHTError)
    -> SecretBytes
{
    Sodium.initialize()
    guard bytes.count == count else {
        throw DHTError(.invalidArgument, "\(what) has \(count) bytes, not \(bytes.count)")
    }
    var copy = Array(bytes)
    return SecretBytes(wiping: &copy)
}

/// Reads the text of a key, of which no copy is left.
private func key<Key: ~Copyable>(
    of text: String,
    _ read: ([UInt8]) throws(KeyTextError) -> Key
) throws(DHTError) -> Key {
    Sodium.initialize()
    var characters = Array(text.utf8)
    defer { wipe(&characters) }
    do { return try read(characters) } catch { throw DHTError(.invalidArgument, error.description) }
}
