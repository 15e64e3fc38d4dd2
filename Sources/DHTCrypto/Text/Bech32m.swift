/// The text form of BIP 350: a human-readable part, a `1`, and characters of an alphabet of 32, the last six
/// of which are a checksum.
///
/// Without the limit of 90 characters, up to which any four wrong ones are sure to be found. Texts are ASCII
/// bytes and not strings, because those of secrets have to be wiped.
enum Bech32m {
    enum Fault: Error {
        case noSeparator
        case badPart
        case badCharacter
        case mixedCase
        case tooShort
        case badChecksum
    }

    static let separator = UInt8(ascii: "1")
    static let checksumLength = 6
    private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    /// By ASCII code, lower case; 255 outside the alphabet.
    private static let values: [UInt8] = (0..<128).map { code in
        alphabet.firstIndex { $0 == code }.map { UInt8($0) } ?? 255
    }

    /// The number of characters after the separator that `byteCount` bytes take.
    static func characterCount(byteCount: Int) -> Int { (byteCount * 8 + 4) / 5 + checksumLength }

    /// The number that a lower-case character stands for: 0…31; `nil` outside the alphabet.
    static func value(of character: UInt8) -> UInt8? {
        guard character < 128, values[Int(character)] < 32 else { return nil }
        return values[Int(character)]
    }

    // MARK: Texts

    /// The text of `words`, numbers below 32, in lower case. The part is lower case too.
    static func encode(_ words: [UInt8], part: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        // A growing array leaves copies behind.
        text.reserveCapacity(part.count + 1 + words.count + checksumLength)
        text += part
        text.append(separator)
        for word in words { text.append(alphabet[Int(word)]) }
        var checksum = Checksum(part: part)
        for word in words { checksum.absorb(word) }
        for word in checksum.closing { text.append(alphabet[Int(word)]) }
        return text
    }

    /// The part, in lower case, and the words of a text all lower or all upper case.
    static func decode(_ text: [UInt8]) throws(Fault) -> (part: [UInt8], words: [UInt8]) {
        guard !isMixedCase(text) else { throw .mixedCase }
        guard let separator = text.lastIndex(of: separator) else { throw .noSeparator }
        guard separator > 0, text[..<separator].allSatisfy({ (33...126).contains($0) }) else {
            throw .badPart
        }
        let part = text[..<separator].map(lowercased)
        var words: [UInt8] = []
        words.reserveCapacity(text.count)
        for character in text[(separator + 1)...] {
            guard let word = value(of: lowercased(character)) else {
                wipe(&words)
                throw .badCharacter
            }
            words.append(word)
        }
        guard words.count >= checksumLength, isValid(words, part: part) else {
            defer { wipe(&words) }
            throw words.count < checksumLength ? .tooShort : .badChecksum
        }
        words.removeLast(checksumLength)
        return (part, words)
    }

    /// Whether words with their checksum belong to the part.
    static func isValid(_ words: [UInt8], part: [UInt8]) -> Bool { error(of: words, part: part) == 0 }

    /// The place of the one word that is wrong, if changing one can make the checksum good.
    static func onlyWrongWord(in words: [UInt8], part: [UInt8]) -> Int? {
        let error = error(of: words, part: part)
        // The code is linear: what a wrong last word does to the remainder, and so on towards the front.
        var effects = (1..<32).map { UInt32($0) }
        for place in words.indices.reversed() {
            if effects.contains(error) { return place }
            effects = effects.map(Checksum.shifted)
        }
        return nil
    }

    private static func error(of words: [UInt8], part: [UInt8]) -> UInt32 {
        var checksum = Checksum(part: part)
        for word in words { checksum.absorb(word) }
        return checksum.error
    }

    static func isMixedCase(_ text: [UInt8]) -> Bool {
        text.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
            && text.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }

    static func lowercased(_ character: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(character) ? character + 32 : character
    }

    static func uppercased(_ character: UInt8) -> UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character) ? character - 32 : character
    }

    // MARK: Bytes as words of five bits

    /// The bits of `bytes` in groups of five, filled up with zeros.
    static func words(of bytes: [UInt8]) -> [UInt8] {
        var words: [UInt8] = []
        words.reserveCapacity((bytes.count * 8 + 4) / 5)
        var (bits, pending): (UInt32, Int) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            pending += 8
            while pending >= 5 {
                pending -= 5
                words.append(UInt8(bits >> UInt32(pending) & 31))
            }
        }
        if pending > 0 { words.append(UInt8(bits << UInt32(5 - pending) & 31)) }
        return words
    }

    /// The bytes the words stand for; `nil` if what fills up the last word is not zero, or a word of its own.
    static func bytes(of words: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(words.count * 5 / 8)
        var (bits, pending): (UInt32, Int) = (0, 0)
        for word in words {
            bits = bits << 5 | UInt32(word)
            pending += 5
            if pending >= 8 {
                pending -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(pending)))
            }
        }
        guard pending < 5, bits & (1 << UInt32(pending) - 1) == 0 else {
            wipe(&bytes)
            return nil
        }
        return bytes
    }
}

extension Bech32m {
    /// The BCH code of BIP 173 with the constant of BIP 350.
    private struct Checksum {
        private static let constant: UInt32 = 0x2BC8_30A3
        private static let generators: [UInt32] = [
            0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3,
        ]

        private var remainder: UInt32 = 1

        /// Absorbs the human-readable part: the high bits of its characters, a zero, their low bits.
        init(part: [UInt8]) {
            for character in part { absorb(character >> 5) }
            absorb(0)
            for character in part { absorb(character & 31) }
        }

        mutating func absorb(_ word: UInt8) { remainder = Self.shifted(remainder) ^ UInt32(word) }

        static func shifted(_ remainder: UInt32) -> UInt32 {
            var shifted = (remainder & 0x1FF_FFFF) << 5
            for bit in 0..<5 where remainder >> UInt32(25 + bit) & 1 == 1 { shifted ^= generators[bit] }
            return shifted
        }

        /// 0 if the words absorbed end in their checksum.
        var error: UInt32 { remainder ^ Self.constant }

        /// The checksum of the words absorbed.
        var closing: [UInt8] {
            var copy = self
            for _ in 0..<checksumLength { copy.absorb(0) }
            let value = copy.remainder ^ Self.constant
            return (0..<checksumLength).map { UInt8(value >> UInt32(5 * (checksumLength - 1 - $0)) & 31) }
        }
    }
}
