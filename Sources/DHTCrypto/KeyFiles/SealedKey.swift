import CSodium
import DHTCore

/// A seed under a passphrase: the text `DHT-SEALED-KEY-1…` of `docs/protocol.md`, section 2.
package struct SealedKey: Sendable {
    /// The cost of a guess of the passphrase: passes over memory, and bytes of it. (Argon2id, RFC 9106.)
    package struct Cost: Hashable, Sendable {
        package let operations: UInt32
        package let memory: UInt64

        package init(operations: UInt32, memory: UInt64) {
            (self.operations, self.memory) = (operations, memory)
        }

        /// Three passes over 256 MiB, about a second: libsodium's MODERATE.
        package static let moderate = Cost(operations: 3, memory: 256 << 20)
        /// The least libsodium accepts: for tests.
        package static let least = Cost(operations: 1, memory: 8192)
        /// The most that is believed of a file, which could otherwise keep a node from starting for hours.
        package static let most = Cost(operations: 20, memory: 1 << 30)

        var isReasonable: Bool {
            (Self.least.operations...Self.most.operations).contains(operations)
                && (Self.least.memory...Self.most.memory).contains(memory)
        }
    }

    package enum Failure: Error, Hashable, Sendable {
        case wrongPassphrase
        /// Beyond ``Cost/most`` or below ``Cost/least``.
        case unreasonableCost
        /// The system did not give the memory that the cost asks for.
        case outOfMemory
    }

    package let cost: Cost
    private let salt: [UInt8]
    private let nonce: [UInt8]
    private let box: [UInt8]

    private static let saltLength = DHT_PWHASH_SALT_BYTES
    private static let nonceLength = DHT_NONCE_BYTES
    private static let boxLength = SigningKey.seedLength + DHT_TAG_BYTES

    /// Seals the key's seed with fresh salt and nonce.
    package init(
        _ key: borrowing SigningKey,
        passphrase: borrowing SecretBytes,
        cost: Cost = .moderate
    ) throws(Failure) {
        Sodium.initialize()
        var random = [UInt8](repeating: 0, count: Self.saltLength + Self.nonceLength)
        unsafe randombytes_buf(&random, random.count)
        let salt = Array(random[..<Self.saltLength])
        let nonce = Array(random[Self.saltLength...])
        try self.init(key, passphrase: passphrase, cost: cost, salt: salt, nonce: nonce)
    }

    init(
        _ key: borrowing SigningKey,
        passphrase: borrowing SecretBytes,
        cost: Cost,
        salt: [UInt8],
        nonce: [UInt8]
    ) throws(Failure) {
        precondition(
            salt.count == Self.saltLength && nonce.count == Self.nonceLength,
            "salt or nonce of another length"
        )
        (self.cost, self.salt, self.nonce) = (cost, salt, nonce)
        let wrapping = try Self.wrappingKey(passphrase, salt: salt, cost: cost)
        var box = [UInt8](repeating: 0, count: Self.boxLength)
        key.withSeed { seed in
            mustSucceed(
                unsafe dht_secretbox_seal(&box, seed.pointer, seed.count, nonce, wrapping.pointer),
                "crypto_secretbox_easy"
            )
        }
        self.box = box
    }

    /// Reads the text. Whether the cost is reasonable is seen when it is opened.
    package init(text: [UInt8]) throws(KeyTextError) {
        var rest = try KeyText.decode(text, as: .sealedKey)[...]
        func take(_ count: Int) -> [UInt8] {
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        cost = Cost(operations: take(4).bigEndian(), memory: take(8).bigEndian())
        (salt, nonce, box) = (take(Self.saltLength), take(Self.nonceLength), take(Self.boxLength))
    }

    /// `DHT-SEALED-KEY-1…`, as ASCII.
    package var text: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(cost.operations)
        bytes.appendBigEndian(cost.memory)
        return KeyText.encode(bytes + salt + nonce + box, as: .sealedKey)
    }

    /// The key; as slow as its cost says, whether the passphrase is right or wrong.
    package func open(passphrase: borrowing SecretBytes) throws(Failure) -> SigningKey {
        let wrapping = try Self.wrappingKey(passphrase, salt: salt, cost: cost)
        var result: Int32 = 0
        let seed = unsafe SecretBytes(count: SigningKey.seedLength) { buffer in
            let base = unsafe buffer.bindMemory(to: UInt8.self).baseAddress
            result = unsafe dht_secretbox_open(base, box, box.count, nonce, wrapping.pointer)
        }
        guard result == 0 else { throw .wrongPassphrase }
        return SigningKey(seed: seed)
    }

    private static func wrappingKey(
        _ passphrase: borrowing SecretBytes,
        salt: [UInt8],
        cost: Cost
    ) throws(Failure) -> SecretBytes {
        guard cost.isReasonable else { throw .unreasonableCost }
        let phrase = unsafe passphrase.pointer
        let length = passphrase.count
        var status: Int32 = 0
        let key = unsafe SecretBytes(count: DHT_SECRETBOX_KEY_BYTES) { buffer in
            guard let base = unsafe buffer.bindMemory(to: UInt8.self).baseAddress else { return }
            status = unsafe phrase.withMemoryRebound(to: CChar.self, capacity: length) { characters in
                unsafe crypto_pwhash(
                    base,
                    UInt64(buffer.count),
                    characters,
                    UInt64(length),
                    salt,
                    UInt64(cost.operations),
                    Int(cost.memory),
                    Int32(DHT_PWHASH_ARGON2ID13)
                )
            }
        }
        guard status == 0 else { throw .outOfMemory }
        return key
    }
}
