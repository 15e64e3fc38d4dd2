import DHTCore

/// The kinds of text a key has: `docs/protocol.md`, section 2.
public enum KeyKind: CaseIterable, Hashable, Sendable {
    /// A public key: `dht1…`.
    case identity
    /// A secret key: `DHT-SECRET-KEY-1…`.
    case secretKey
    /// A secret key that a passphrase protects: `DHT-SEALED-KEY-1…`.
    case sealedKey
    /// The key of a network: `DHT-NETWORK-1…`.
    case networkKey
    /// A line that lets one machine in: `dht-join1…`.
    case invitation

    /// The human-readable part, in lower case.
    var part: [UInt8] {
        switch self {
        case .identity: Array("dht".utf8)
        case .secretKey: Array("dht-secret-key-".utf8)
        case .sealedKey: Array("dht-sealed-key-".utf8)
        case .networkKey: Array("dht-network-".utf8)
        case .invitation: Array("dht-join".utf8)
        }
    }

    /// How many bytes such a text holds; of an invitation, with one IPv4 address.
    package var byteCount: Int {
        switch self {
        case .identity, .secretKey, .networkKey: 32
        case .sealedKey: 100
        case .invitation: 55
        }
    }

    /// The kind that the beginning of `text` announces, whatever follows and whatever the case.
    package init?(announcedBy text: some Collection<UInt8>) {
        for kind in Self.allCases
        where text.lazy.map(Bech32m.lowercased).starts(with: kind.part + [Bech32m.separator]) {
            self = kind
            return
        }
        return nil
    }

    /// The kind of secret that `text` mentions anywhere, or the kind it begins as; what must not be echoed.
    package init?(mentionedIn text: ArraySlice<UInt8>) {
        for start in text.indices where Bech32m.lowercased(text[start]) == UInt8(ascii: "d") {
            guard let kind = Self(announcedBy: text[start...]), kind != .identity else { continue }
            self = kind
            return
        }
        self.init(announcedBy: text)
    }

    var name: String {
        switch self {
        case .identity: "identity"
        case .secretKey: "DHT-SECRET-KEY"
        case .sealedKey: "DHT-SEALED-KEY"
        case .networkKey: "DHT-NETWORK key"
        case .invitation: "invitation"
        }
    }

    var nameWithArticle: String { (self == .identity || self == .invitation ? "an " : "a ") + name }
}

/// Why a text is not the key it should be. Holds and shows nothing of a secret.
public struct KeyTextError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule that a text breaks.
    public enum Reason: Hashable, Sendable {
        /// The text begins like no key at all.
        case unrecognized
        /// The text is a key of this other kind.
        case wrongKind(KeyKind)
        /// The text has upper and lower case.
        case mixedCase
        /// The checksum, or a character outside the alphabet; whether changing one character can mend it.
        case badChecksum(isOneCharacter: Bool)
        /// A good checksum over a wrong number of bytes.
        case wrongByteCount
        /// The bytes of an identity that are no public key, or one that fits every secret.
        case invalidKey
    }

    /// The kind of key that the text should have been.
    public let expected: KeyKind
    /// The rule that it breaks.
    public let reason: Reason
    /// The ends of the text, if it is an identity's: `dht1vf04…7kxm`.
    public let excerpt: String?

    init(_ expected: KeyKind, _ reason: Reason, in text: [UInt8] = []) {
        (self.expected, self.reason) = (expected, reason)
        excerpt = Self.excerpt(of: text)
    }

    /// That a text is a key of another kind.
    package static func found(_ kind: KeyKind, insteadOf expected: KeyKind) -> KeyTextError {
        KeyTextError(expected, .wrongKind(kind))
    }

    /// Only of what begins as an identity, so that no part of a secret, however mistyped, is shown.
    private static func excerpt(of text: [UInt8]) -> String? {
        guard KeyKind(announcedBy: text) == .identity, text.count > 16,
            text.allSatisfy({ (33...126).contains($0) })
        else { return nil }
        return String(decoding: text.prefix(8), as: UTF8.self) + "…"
            + String(decoding: text.suffix(4), as: UTF8.self)
    }

    /// One line: what is wrong and what to do.
    public var description: String {
        switch reason {
        case .unrecognized: "that is not \(expected.nameWithArticle): it does not begin with \(beginning)"
        case .wrongKind(let kind):
            "that is \(kind.nameWithArticle), not \(expected.nameWithArticle)" + disclosure(of: kind)
        case .mixedCase: "\(expected.name) mixes upper and lower case\(shown); \(remedy)"
        case .badChecksum(true):
            "\(expected.name) has a bad checksum\(shown). One character is wrong; \(remedy)"
        case .badChecksum(false):
            "\(expected.name) has a bad checksum\(shown). Several characters are wrong or missing; \(remedy)"
        case .wrongByteCount where expected == .invitation: "the invitation is cut; \(remedy)"
        case .wrongByteCount: "\(expected.name) does not hold \(expected.byteCount) bytes\(shown); \(remedy)"
        case .invalidKey: "\(expected.name) is not the public key of anybody\(shown); \(remedy)"
        }
    }

    private var beginning: String {
        let text = expected.part + [Bech32m.separator]
        let isLower = expected == .identity || expected == .invitation
        return String(decoding: isLower ? text : text.map(Bech32m.uppercased), as: UTF8.self)
    }

    private var shown: String { excerpt.map { ": \($0)" } ?? "" }

    private var remedy: String {
        if expected == .invitation { return "copy the whole line, or ask for another one: dht invite NAME" }
        return expected == .identity
            ? "ask the peer for `dht id`" : "restore it from a backup. It was not printed"
    }

    private func disclosure(of kind: KeyKind) -> String {
        guard expected == .identity else { return kind == .identity ? "" : ". It was not printed or stored" }
        let derivation =
            kind == .networkKey ? "Ask the peer for `dht id`" : "Derive the identity: dht id FILE"
        return ". It was not printed or stored. \(derivation)"
    }
}

/// Keys as texts. Both are bytes here, which whoever has them wipes if they are secret.
enum KeyText {
    /// The text of a key: an identity's in lower case, a secret's in upper case so that it strikes the eye.
    static func encode(_ bytes: [UInt8], as kind: KeyKind) -> [UInt8] {
        precondition(bytes.count == kind.byteCount, "\(kind.name) of \(bytes.count) bytes")
        var words = Bech32m.words(of: bytes)
        defer { wipe(&words) }
        var text = Bech32m.encode(words, part: kind.part)
        if kind != .identity {
            for index in text.indices { text[index] = Bech32m.uppercased(text[index]) }
        }
        return text
    }

    /// The bytes of a key of this kind.
    static func decode(_ text: [UInt8], as kind: KeyKind) throws(KeyTextError) -> [UInt8] {
        guard let announced = KeyKind(announcedBy: text) else { throw KeyTextError(kind, .unrecognized) }
        guard announced == kind else { throw KeyTextError(kind, .wrongKind(announced)) }
        var words: [UInt8]
        do throws(Bech32m.Fault) {
            let decoded = try Bech32m.decode(text)
            // A stray `1` moves the end of the part.
            guard decoded.part == kind.part else { throw .badPart }
            words = decoded.words
        } catch .mixedCase {
            throw KeyTextError(kind, .mixedCase, in: text)
        } catch {
            throw KeyTextError(
                kind,
                .badChecksum(isOneCharacter: hasOneWrongCharacter(text, of: kind)),
                in: text
            )
        }
        defer { wipe(&words) }
        guard var bytes = Bech32m.bytes(of: words) else {
            throw KeyTextError(kind, .wrongByteCount, in: text)
        }
        guard bytes.count == kind.byteCount else {
            wipe(&bytes)
            throw KeyTextError(kind, .wrongByteCount, in: text)
        }
        return bytes
    }

    /// Whether another character in one place makes the text good.
    private static func hasOneWrongCharacter(_ text: [UInt8], of kind: KeyKind) -> Bool {
        let part = kind.part
        let characters = text.dropFirst(part.count + 1)
        guard characters.count == Bech32m.characterCount(byteCount: kind.byteCount) else { return false }
        let values = characters.map { Bech32m.value(of: Bech32m.lowercased($0)) }
        let foreign = values.indices.filter { values[$0] == nil }
        var words = values.map { $0 ?? 0 }
        defer { wipe(&words) }
        switch foreign.count {
        case 0: return Bech32m.onlyWrongWord(in: words, part: part) != nil
        case 1:
            return Bech32m.isValid(words, part: part)
                || Bech32m.onlyWrongWord(in: words, part: part) == foreign[0]
        default: return false
        }
    }
}

extension Identity: CustomStringConvertible {
    /// The identity of a text `dht1…`, all lower or all upper case; bytes that are no public key are refused.
    public init(text: String) throws(KeyTextError) {
        let characters = Array(text.utf8)
        let bytes = try KeyText.decode(characters, as: .identity)
        guard let identity = Identity(bytes), identity.isValidKey else {
            throw KeyTextError(.identity, .invalidKey, in: characters)
        }
        self = identity
    }

    /// `dht1` and 58 more characters, in lower case.
    public var text: String { String(decoding: KeyText.encode(bytes, as: .identity), as: UTF8.self) }

    /// The text form.
    public var description: String { text }
}

extension SigningKey {
    /// The key of a text `DHT-SECRET-KEY-1…`, which whoever has it wipes.
    package init(secretText text: [UInt8]) throws(KeyTextError) {
        var seed = try KeyText.decode(text, as: .secretKey)
        self.init(seed: SecretBytes(wiping: &seed))
    }

    /// `DHT-SECRET-KEY-1…`, to be written and then wiped.
    package borrowing func secretText() -> [UInt8] { withSeed { $0.text(as: .secretKey) } }
}

extension NetworkKey {
    /// The key of a text `DHT-NETWORK-1…`, which whoever has it wipes.
    package init(secretText text: [UInt8]) throws(KeyTextError) {
        var bytes = try KeyText.decode(text, as: .networkKey)
        self.init(bytes: SecretBytes(wiping: &bytes))
    }

    /// `DHT-NETWORK-1…`, to be written and then wiped.
    package borrowing func secretText() -> [UInt8] { withBytes { $0.text(as: .networkKey) } }
}

extension SecretBytes {
    fileprivate borrowing func text(as kind: KeyKind) -> [UInt8] {
        var bytes = unsafe withBytes { unsafe Array($0) }
        defer { wipe(&bytes) }
        return KeyText.encode(bytes, as: kind)
    }
}
