import DHTCore
import Testing

@testable import DHTCrypto

struct KeyTextTests {
    static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l")
    let identity = signingKey(7).identity

    // MARK: Identities

    @Test func `an identity survives its text`() throws {
        let text = identity.text
        #expect(text.hasPrefix("dht1"))
        #expect(text.count == 62)
        #expect(text == text.lowercased())
        #expect(try Identity(text: text) == identity)
        #expect("\(identity)" == text)
    }

    @Test func `an identity in upper case is the same identity`() throws {
        #expect(try Identity(text: identity.text.uppercased()) == identity)
    }

    @Test func `any single wrong character is refused, and known to be a single one`() {
        let characters = Array(identity.text)
        for place in 4..<characters.count {
            for other in Self.alphabet where other != characters[place] {
                var wrong = characters
                wrong[place] = other
                #expect(throws: reason(.badChecksum(isOneCharacter: true), String(wrong))) {
                    try Identity(text: String(wrong))
                }
            }
        }
    }

    @Test func `a character of no key, and a stray 1, is one wrong character`() {
        for stray in ["b", "i", "o", "1"] {
            let wrong = identity.text.prefix(20) + stray + identity.text.dropFirst(21)
            #expect(throws: reason(.badChecksum(isOneCharacter: true), String(wrong))) {
                try Identity(text: String(wrong))
            }
        }
    }

    @Test func `two wrong characters, a missing one, one too many and two exchanged are several`() {
        let text = identity.text
        let place = text.index(text.startIndex, offsetBy: 10)
        var characters = Array(text)
        characters[10] = characters[10] == "q" ? "p" : "q"
        characters[40] = characters[40] == "q" ? "p" : "q"
        var exchanged = Array(text)
        let pair = (4..<60).first { exchanged[$0] != exchanged[$0 + 1] }!
        exchanged.swapAt(pair, pair + 1)
        for wrong in [
            String(characters), String(exchanged), String(text.dropLast()), text + "q",
            String(text[..<place] + text[text.index(after: place)...]), text + "\n", " " + text.dropFirst(1),
        ] where wrong.hasPrefix("dht1") {
            #expect(throws: reason(.badChecksum(isOneCharacter: false), wrong)) { try Identity(text: wrong) }
        }
    }

    @Test func `a longer part with a good checksum of its own is no identity`() {
        let longer = text(Bech32m.encode(Bech32m.words(of: identity.bytes), part: Array("dht1x".utf8)))
        #expect(throws: reason(.badChecksum(isOneCharacter: false), longer)) { try Identity(text: longer) }
    }

    @Test func `mixed case is refused`() {
        let mixed = "DHT1" + identity.text.dropFirst(4)
        #expect(throws: reason(.mixedCase, mixed)) { try Identity(text: mixed) }
    }

    @Test func `a good checksum over another number of bytes is no identity`() {
        for count in [0, 1, 31, 33] {
            let words = Bech32m.words(of: [UInt8](repeating: 9, count: count))
            let wrong = text(Bech32m.encode(words, part: KeyKind.identity.part))
            #expect(throws: reason(.wrongByteCount, wrong)) { try Identity(text: wrong) }
        }
    }

    @Test func `points of small order and bytes off the curve are no identities`() {
        let weak: [[UInt8]] = [
            [UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31),
            [2] + [UInt8](repeating: 0, count: 31),
            [0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
        ]
        for bytes in weak {
            let wrong = text(KeyText.encode(bytes, as: .identity))
            #expect(throws: reason(.invalidKey, wrong)) { try Identity(text: wrong) }
        }
    }

    @Test func `what begins like no key is not an identity`() {
        for wrong in ["", "d", "dht", "dht2", "alice", "dhu1qqqq", "dht-1qqqq", "-----BEGIN"] {
            #expect(throws: reason(.unrecognized, "")) { try Identity(text: wrong) }
        }
    }

    private func reason(_ reason: KeyTextError.Reason, _ text: String) -> KeyTextError {
        KeyTextError(.identity, reason, in: Array(text.utf8))
    }

    // MARK: Secrets

    @Test func `a secret key survives its text, in either case`() throws {
        let key = signingKey(7)
        let upper = key.secretText()
        #expect(text(upper).hasPrefix("DHT-SECRET-KEY-1"))
        #expect(text(upper) == text(upper).uppercased())
        let again = try SigningKey(secretText: upper)
        #expect(again.identity == key.identity)
        let fromLower = try SigningKey(secretText: Array(text(upper).lowercased().utf8))
        #expect(fromLower.identity == key.identity)
    }

    @Test func `a network key survives its text`() throws {
        let key = NetworkKey()
        let text = key.secretText()
        #expect(DHTCryptoTests.text(text).hasPrefix("DHT-NETWORK-1"))
        let again = try NetworkKey(secretText: text)
        #expect(again.id == key.id)
    }

    @Test func `no kind of key is taken for another`() {
        let secret = signingKey(7).secretText()
        let network = NetworkKey().secretText()
        #expect(throws: KeyTextError(.networkKey, .wrongKind(.secretKey))) {
            _ = try NetworkKey(secretText: secret)
        }
        #expect(throws: KeyTextError(.secretKey, .wrongKind(.networkKey))) {
            _ = try SigningKey(secretText: network)
        }
        #expect(throws: KeyTextError(.identity, .wrongKind(.secretKey))) { try Identity(text: text(secret)) }
        #expect(throws: KeyTextError(.secretKey, .wrongKind(.identity))) {
            _ = try SigningKey(secretText: Array(identity.text.utf8))
        }
    }

    @Test func `no error holds a piece of a secret, however mistyped`() throws {
        let secret = text(signingKey(7).secretText())
        var texts = [
            secret, secret.lowercased(), secret + "Q", String(secret.dropLast()), secret.capitalized,
        ]
        texts += [
            "DHT-SECRAT-KEY-1" + secret.dropFirst(16), String(secret.dropFirst(16)), " " + secret,
            secret + "\n",
        ]
        texts.append(secret.replacing("DHT-SECRET-KEY-1", with: "DHT-SEALED-KEY-1"))
        texts.append(secret.replacing("DHT-SECRET-KEY-1", with: "DHT-NETWORK-1"))
        for wrong in texts {
            for kind in KeyKind.allCases {
                do {
                    _ = try KeyText.decode(Array(wrong.utf8), as: kind)
                } catch {
                    let shown = "\(error) \(String(reflecting: error))".lowercased()
                    for start in stride(from: 16, to: secret.count - 4, by: 1) {
                        #expect(!shown.contains(secret.lowercased().dropFirst(start).prefix(4)))
                    }
                }
            }
        }
    }

    @Test func `a secret is found in the middle of other text`() {
        #expect(KeyKind(mentionedIn: Array("x=DHT-Secret-Key-1QQ".utf8)[...]) == .secretKey)
        #expect(KeyKind(mentionedIn: Array("dht1xdht-sealed-key-1".utf8)[...]) == .sealedKey)
        #expect(KeyKind(mentionedIn: Array("dht1qqqq".utf8)[...]) == .identity)
        #expect(KeyKind(mentionedIn: Array("dht-secret-key".utf8)[...]) == nil)
        #expect(KeyKind(mentionedIn: []) == nil)
    }

    // MARK: Wording

    private static let mistyped = "dht1vf0439rmn7u3vtqfq7s8gflwyc0deex55kcv9jt49pl593ssgxusrl7kxm"

    @Test(
        arguments: [
            (
                .identity, .badChecksum(isOneCharacter: true), mistyped,
                [
                    "identity has a bad checksum: dht1vf04…7kxm. ",
                    "One character is wrong; ask the peer for `dht id`",
                ]
            ),
            (
                .identity, .badChecksum(isOneCharacter: false), mistyped,
                [
                    "identity has a bad checksum: dht1vf04…7kxm. ",
                    "Several characters are wrong or missing; ask the peer for `dht id`",
                ]
            ),
            (
                .identity, .wrongKind(.secretKey), "",
                [
                    "that is a DHT-SECRET-KEY, not an identity. ",
                    "It was not printed or stored. Derive the identity: dht id FILE",
                ]
            ),
            (
                .identity, .wrongKind(.networkKey), "",
                [
                    "that is a DHT-NETWORK key, not an identity. ",
                    "It was not printed or stored. Ask the peer for `dht id`",
                ]
            ),
            (
                .secretKey, .badChecksum(isOneCharacter: true), "DHT-SECRET-KEY-1QQQQQQQQQQ",
                [
                    "DHT-SECRET-KEY has a bad checksum. ",
                    "One character is wrong; restore it from a backup. It was not printed",
                ]
            ),
            (.secretKey, .wrongKind(.identity), "", ["that is an identity, not a DHT-SECRET-KEY"]),
            (
                .networkKey, .unrecognized, "",
                ["that is not a DHT-NETWORK key: it does not begin with DHT-NETWORK-1"]
            ),
        ] as [(KeyKind, KeyTextError.Reason, String, [String])]
    )
    func `errors say where, what, and what to do`(
        kind: KeyKind,
        reason: KeyTextError.Reason,
        text: String,
        words: [String]
    ) {
        #expect(KeyTextError(kind, reason, in: Array(text.utf8)).description == words.joined())
    }

    @Test func `an excerpt cannot drive a terminal`() {
        let hostile = Array("dht1\u{1B}[2Jqqqqqqqqqqqqqqqqqqqqqqqqqq".utf8)
        #expect(KeyTextError(.identity, .mixedCase, in: hostile).excerpt == nil)
    }
}
