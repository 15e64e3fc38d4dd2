import DHTCore
import Testing

@testable import DHTCrypto

struct SealedKeyTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    var key: SigningKey { signingKey(7) }

    private func sealed(_ passphrase: String = "correct horse") throws -> SealedKey {
        try SealedKey(key, passphrase: secret(passphrase), cost: .least)
    }

    private func identity(in sealed: SealedKey, _ passphrase: String) throws(SealedKey.Failure) -> Identity {
        try sealed.open(passphrase: secret(passphrase)).identity
    }

    @Test(arguments: ["correct horse", "", "päßwörd \u{0}\n", String(repeating: "long", count: 200)])
    func `the passphrase a key was sealed with opens it`(passphrase: String) throws {
        let sealed = try sealed(passphrase)
        #expect(try identity(in: sealed, passphrase) == key.identity)
        let read = try SealedKey(text: sealed.text)
        #expect(read.cost == .least)
        #expect(try identity(in: read, passphrase) == key.identity)
    }

    @Test(arguments: ["", "Correct horse", "correct horse ", "correct hors"])
    func `another passphrase does not`(passphrase: String) throws {
        let sealed = try sealed()
        #expect(throws: SealedKey.Failure.wrongPassphrase) { try identity(in: sealed, passphrase) }
    }

    @Test func `sealing twice gives two texts`() throws {
        #expect(try sealed().text != sealed().text)
        #expect(text(try sealed().text).hasPrefix("DHT-SEALED-KEY-1"))
    }

    @Test func `no flipped bit goes unnoticed`() throws {
        let bytes = try KeyText.decode(sealed().text, as: .sealedKey)
        // The cost stands first, and changing it may be dear. Salt, nonce and box follow.
        for place in 12..<bytes.count {
            var wrong = bytes
            wrong[place] ^= 1
            let read = try SealedKey(text: KeyText.encode(wrong, as: .sealedKey))
            #expect(throws: SealedKey.Failure.wrongPassphrase) { try identity(in: read, "correct horse") }
        }
    }

    @Test(
        arguments: [
            (0, 8192), (21, 8192), (1, 8191), (1, (1 << 30) + 1), (.max, 8192), (1, .max), (0, 0),
        ] as [(UInt32, UInt64)]
    )
    func `a cost beyond reason is refused before it is paid`(operations: UInt32, memory: UInt64) throws {
        var bytes = try KeyText.decode(sealed().text, as: .sealedKey)
        var cost: [UInt8] = []
        cost.appendBigEndian(operations)
        cost.appendBigEndian(memory)
        bytes.replaceSubrange(..<12, with: cost)
        let read = try SealedKey(text: KeyText.encode(bytes, as: .sealedKey))
        #expect(throws: SealedKey.Failure.unreasonableCost) { try identity(in: read, "correct horse") }
        #expect(throws: SealedKey.Failure.unreasonableCost) {
            _ = try SealedKey(
                key,
                passphrase: secret(""),
                cost: .init(operations: operations, memory: memory)
            )
        }
    }

    @Test func `the costs have their order`() {
        #expect(SealedKey.Cost.moderate.isReasonable)
        #expect(SealedKey.Cost.least.isReasonable)
        #expect(SealedKey.Cost.most.isReasonable)
    }

    // MARK: Files

    @Test func `a sealed key file tells its identity, and its key for the passphrase only`() throws {
        let path = folder.file("a.key")
        try KeyFile.write(key, to: path, name: "alpha", created: "now", sealed: sealed())
        let contents = folder.text("a.key")
        #expect(contents.contains("\nDHT-SEALED-KEY-1"))
        #expect(!contents.contains("DHT-SECRET-KEY-1"))
        let file = try KeyFile(reading: path)
        let isSealed = file.isSealed
        #expect(isSealed)
        #expect(file.identity == key.identity)
        #expect(file.name == "alpha")
        let opened = try file.signingKey(passphrase: secret("correct horse"))
        #expect(opened.identity == key.identity)
        #expect(category { _ = try KeyFile(reading: path).signingKey() } == .needsPassphrase)
        #expect(
            category { _ = try KeyFile(reading: path).signingKey(passphrase: secret("no")) }
                == .wrongPassphrase
        )
    }

    @Test func `a sealed key file whose comment names another identity is refused once it is opened`() throws
    {
        let other = signingKey(8).identity.text
        let path = try folder.write("# identity: \(other)\n\(text(sealed().text))\n", to: "a.key")
        #expect(
            category { _ = try KeyFile(reading: path).signingKey(passphrase: secret("correct horse")) }
                == .malformed
        )
    }

    @Test func `a key file in the clear asks for no passphrase`() throws {
        let path = folder.file("a.key")
        try KeyFile.write(key, to: path, name: nil, created: "now")
        let opened = try KeyFile(reading: path).signingKey(passphrase: secret("anything"))
        #expect(opened.identity == key.identity)
    }

    private func category(_ body: () throws -> Void) -> KeyFileError.Category? {
        do {
            try body()
            return nil
        } catch {
            return (error as? KeyFileError)?.category
        }
    }
}
