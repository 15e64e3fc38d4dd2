import DHTCore
import Testing

@testable import DHTCrypto

struct SigningTests {
    let message = Array("a message".utf8)

    @Test func `a signature of RFC 8032 is the one made here`() {
        // Section 7.1, test 2.
        let key = SigningKey(
            seed: secret(bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
        )
        let signature = bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
        #expect(
            key.identity.bytes == bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        )
        #expect(key.sign([0x72]) == signature)
        #expect(key.identity.verifies(signature, of: [0x72]))
    }

    @Test func `a signature verifies for its signer and its message, the empty one too`() {
        let key = SigningKey()
        let other = SigningKey()
        for message in [[], message] {
            let signature = key.sign(message)
            #expect(signature.count == 64)
            #expect(key.identity.verifies(signature, of: message))
            #expect(key.identity.verifies(([0] + signature)[1...], of: message))
            #expect(!other.identity.verifies(signature, of: message))
            #expect(!key.identity.verifies(signature, of: message + [0]))
        }
    }

    @Test func `no flipped bit of a signature or message verifies`() {
        let key = signingKey(1)
        let signature = key.sign(message)
        for bit in 0..<signature.count * 8 {
            var wrong = signature
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.identity.verifies(wrong, of: message))
        }
        for bit in 0..<message.count * 8 {
            var wrong = message
            wrong[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.identity.verifies(signature, of: wrong))
        }
    }

    @Test(arguments: [0, 1, 63, 65, 128])
    func `a signature of another length does not verify`(count: Int) {
        let key = signingKey(1)
        let signature = key.sign(message)
        #expect(!key.identity.verifies((signature + signature).prefix(count), of: message))
    }

    @Test func `signing leaves the message as it was`() {
        let key = signingKey(1)
        let copy = message
        _ = key.sign(message)
        #expect(message == copy)
    }

    @Test func `fresh keys differ, and a seed makes the same key again`() {
        let one = SigningKey()
        let two = SigningKey()
        #expect(one.identity != two.identity)
        let again = one.withSeed { seed in SigningKey(seed: seed.copy()).identity }
        #expect(again == one.identity)
        let copy = one.copy()
        #expect(copy.identity == one.identity)
        #expect(copy.sign(message) == one.sign(message))
    }

    // MARK: Conversion to X25519

    @Test func `both halves of a signing key convert to one box key pair`() {
        let key = SigningKey()
        let box = key.staticBoxKey()
        #expect(key.identity.staticBoxKey == box.publicKey)
        #expect(key.identity.isValidKey)
    }

    /// The points of order 1, 2, 4 and 8, and encodings of them beyond the prime.
    static let small = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]

    @Test(arguments: small)
    func `an identity of small order is no valid key`(point: String) throws {
        let identity = try #require(Identity(bytes(point)))
        #expect(identity.staticBoxKey == nil)
        #expect(!identity.isValidKey)
        #expect(!identity.verifies([UInt8](repeating: 0, count: 64), of: []))
    }

    @Test func `bytes off the curve are no valid key`() throws {
        let identity = try #require(Identity([2] + [UInt8](repeating: 0, count: 31)))
        #expect(!identity.isValidKey)
    }
}
