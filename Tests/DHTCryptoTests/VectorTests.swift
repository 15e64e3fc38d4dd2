import DHTCore
import Foundation
import Testing

@testable import DHTCrypto

/// What another implementation made of `docs/protocol.md`, section 2: `Tests/Vectors/keys.json`.
struct VectorTests {
    struct Keys: Decodable {
        struct Identity: Decodable {
            let seed, identity, node_id, static_box_public, text, secret_text: String
        }

        struct Network: Decodable {
            struct Header: Decodable {
                let recipient, header_key: String
            }

            let key, network_id, text: String
            let header_keys: [Header]
        }

        struct Sealed: Decodable {
            let passphrase: String
            let opslimit: UInt32
            let memlimit: UInt64
            let salt, nonce, seed, text: String
        }

        struct Bad: Decodable {
            let text, why: String
        }

        let identities: [Identity]
        let networks: [Network]
        let sealed: [Sealed]
        let bad_texts: [Bad]
    }

    static let keys: Keys = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/keys.json")
        do {
            return try JSONDecoder().decode(Keys.self, from: Data(contentsOf: file))
        } catch {
            preconditionFailure("\(file.path): \(error)")
        }
    }()

    @Test func `there are vectors of every sort`() {
        #expect(Self.keys.identities.count >= 8)
        #expect(!Self.keys.networks.isEmpty)
        #expect(Self.keys.networks.allSatisfy { !$0.header_keys.isEmpty })
        #expect(!Self.keys.sealed.isEmpty)
        #expect(!Self.keys.bad_texts.isEmpty)
    }

    @Test func `a seed gives the identity, the place, the static box key and the texts of the vectors`()
        throws
    {
        for vector in Self.keys.identities {
            let key = SigningKey(seed: secret(bytes(vector.seed)))
            #expect(key.identity.bytes == bytes(vector.identity))
            #expect(key.identity.nodeID.bytes == bytes(vector.node_id))
            #expect(key.identity.staticBoxKey?.bytes == bytes(vector.static_box_public))
            let own = key.staticBoxKey()
            #expect(own.publicKey.bytes == bytes(vector.static_box_public))
            #expect(key.identity.text == vector.text)
            #expect(try Identity(text: vector.text) == key.identity)
            #expect(text(key.secretText()) == vector.secret_text)
            let again = try SigningKey(secretText: Array(vector.secret_text.utf8))
            #expect(again.identity == key.identity)
        }
    }

    @Test func `a network key gives the id, the text and the header keys of the vectors`() throws {
        for vector in Self.keys.networks {
            let key = try NetworkKey(secretText: Array(vector.text.utf8))
            key.withBytes { $0.withBytes { #expect(Array($0) == bytes(vector.key)) } }
            #expect(text(key.secretText()) == vector.text)
            #expect(key.id.bytes == bytes(vector.network_id))
            for header in vector.header_keys {
                let recipient = try #require(Identity(bytes(header.recipient)))
                let own = key.headerKey(for: recipient)
                own.withBytes { #expect(Array($0) == bytes(header.header_key)) }
            }
        }
    }

    @Test func `a seed under a passphrase gives the text of the vectors and comes out of it`() throws {
        for vector in Self.keys.sealed {
            let key = SigningKey(seed: secret(bytes(vector.seed)))
            let cost = SealedKey.Cost(operations: vector.opslimit, memory: vector.memlimit)
            let sealed = try SealedKey(
                key,
                passphrase: secret(vector.passphrase),
                cost: cost,
                salt: bytes(vector.salt),
                nonce: bytes(vector.nonce)
            )
            #expect(text(sealed.text) == vector.text)
            let read = try SealedKey(text: Array(vector.text.utf8))
            #expect(read.cost == cost)
            let opened = try read.open(passphrase: secret(vector.passphrase))
            #expect(opened.identity == key.identity)
        }
    }

    @Test func `the bad texts of the vectors are keys of no kind`() {
        for vector in Self.keys.bad_texts {
            let characters = Array(vector.text.utf8)
            #expect(throws: KeyTextError.self, "\(vector.why)") { try Identity(text: vector.text) }
            for kind in [KeyKind.secretKey, .sealedKey, .networkKey] {
                #expect(throws: KeyTextError.self, "\(vector.why)") {
                    try KeyText.decode(characters, as: kind)
                }
            }
        }
    }
}
