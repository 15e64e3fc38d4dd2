import CSodium
import DHTCore

/// The work of libsodium alone for one call, at both ends together: less no node can take. The measure that a
/// node's own cost is held against.
///
/// A request of 256 bytes and an answer of 512. Each is signed, boxed and masked at one end, and unmasked,
/// opened and verified at the other, with keys that are there already. Left out is how the bytes come
/// together, and how they travel.
package struct SealedCallFloor: ~Copyable {
    /// The parts of a datagram that libsodium works on.
    private struct Parts {
        var signed: [UInt8]
        let contents: [UInt8]
        let header = [UInt8](repeating: 3, count: 80)

        init(signed: Int, contents: Int) {
            self.signed = [UInt8](repeating: 1, count: signed)
            self.contents = [UInt8](repeating: 2, count: contents)
        }
    }

    private let key = SigningKey()
    private var datagrams = [Parts(signed: 254, contents: 120), Parts(signed: 510, contents: 376)]
    private let nonce = [UInt8](repeating: 4, count: DHT_NONCE_BYTES)
    private let shared = [UInt8](repeating: 5, count: DHT_SHARED_KEY_BYTES)
    private var sealed = [UInt8](repeating: 0, count: 512)
    private var opened = [UInt8](repeating: 0, count: 512)

    package init() { Sodium.initialize() }

    /// The work of that many calls.
    package mutating func perform(_ calls: Int) {
        for _ in 0..<calls {
            for index in datagrams.indices {
                datagrams[index].signed[0] &+= 1
                let signed = datagrams[index].signed
                precondition(key.identity.verifies(key.sign(signed), of: signed), "a signature is good")
                box(datagrams[index].contents)
                box(datagrams[index].header)
            }
        }
    }

    /// Seals and opens.
    private mutating func box(_ bytes: [UInt8]) {
        mustSucceed(
            unsafe dht_box_seal(&sealed, bytes, bytes.count, nonce, shared),
            "crypto_box_easy_afternm"
        )
        mustSucceed(
            unsafe dht_box_open(&opened, sealed, bytes.count + DHT_TAG_BYTES, nonce, shared),
            "crypto_box_open_easy_afternm"
        )
    }
}
