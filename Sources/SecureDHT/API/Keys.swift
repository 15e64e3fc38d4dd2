import DHTCore
import DHTCrypto

/// A node's secret identity. Its bytes live in locked memory and are wiped when the last owner lets go.
public final class NodeKey: Sendable {
    package let signingKey: SigningKey
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
