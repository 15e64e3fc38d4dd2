import DHTCore

/// Eight identities whose secrets everybody knows, for examples and tests: `Keys/test-identities.txt`.
///
/// A real node refuses them, as its own key and in its list.
package enum TestIdentities {
    /// The seed of identity 1…8: BLAKE2b-256 of `secure-dht test identity` and the number.
    static func seed(_ number: Int) -> [UInt8] {
        blake2b(Array("secure-dht test identity \(number)".utf8), count: 32)
    }

    /// All eight, in order of their numbers.
    package static let all: [Identity] = (1...8).map { number in
        var seed = seed(number)
        return SigningKey(seed: SecretBytes(wiping: &seed)).identity
    }

    package static func isTestIdentity(_ identity: Identity) -> Bool { all.contains(identity) }
}
