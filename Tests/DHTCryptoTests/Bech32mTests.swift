import Testing

@testable import DHTCrypto

struct Bech32mTests {
    /// BIP 350, test vectors: part, words, text.
    static let valid: [(part: String, text: String)] = [
        ("a", "A1LQFN3A"),
        ("a", "a1lqfn3a"),
        (
            "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1",
            "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6"
        ),
        ("abcdef", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"),
        ("1", "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8"),
        ("split", "split1checkupstagehandshakeupstreamerranterredcaperredlc445v"),
        ("?", "?1v759aa"),
    ]

    @Test(arguments: valid)
    func `the valid texts of BIP 350 decode, and encode to themselves`(part: String, text: String) throws {
        let decoded = try Bech32m.decode(Array(text.utf8))
        #expect(decoded.part == Array(part.utf8))
        #expect(Bech32m.encode(decoded.words, part: decoded.part) == Array(text.lowercased().utf8))
    }

    @Test func `the whole alphabet counts down in the fourth vector`() throws {
        let decoded = try Bech32m.decode(Array("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx".utf8))
        #expect(decoded.words == Array((0..<32).reversed()))
    }

    static let invalid: [(text: [UInt8], fault: Bech32m.Fault)] = [
        (Array("\u{20}1xj0phk".utf8), .badPart),
        (Array("\u{7F}1g6xzxy".utf8), .badPart),
        ([0x80] + Array("1vctc34".utf8), .badPart),
        (Array("qyrz8wqd2c9m".utf8), .noSeparator),
        (Array("1qyrz8wqd2c9m".utf8), .badPart),
        (Array("y1b0jsk6g".utf8), .badCharacter),
        (Array("lt1igcx5c0".utf8), .badCharacter),
        (Array("in1muywd".utf8), .tooShort),
        (Array("mm1crxm3i".utf8), .badCharacter),
        (Array("au1s5cgom".utf8), .badCharacter),
        (Array("M1VUXWEZ".utf8), .badChecksum),
        (Array("16plkw9".utf8), .badPart),
        (Array("1p2gdwpf".utf8), .badPart),
        (Array("a1LQFN3A".utf8), .mixedCase),
        (Array("A12UEL5L".utf8), .badChecksum),  // bech32, not bech32m
        ([], .noSeparator),
    ]

    @Test(arguments: invalid)
    func `the invalid texts of BIP 350 are refused for what is wrong with them`(
        text: [UInt8],
        fault: Bech32m.Fault
    ) {
        #expect(throws: fault) { try Bech32m.decode(text) }
    }

    @Test func `a text may be longer than ninety characters`() throws {
        let words = (0..<500).map { UInt8($0 % 32) }
        let text = Bech32m.encode(words, part: Array("long".utf8))
        #expect(try Bech32m.decode(text).words == words)
    }

    @Test(arguments: [58, 178])
    func `one wrong word is found where it is, and two are not taken for one`(count: Int) throws {
        let part = Array("dht".utf8)
        let text = Bech32m.encode((0..<(count - 6)).map { UInt8($0 * 7 % 32) }, part: part)
        let words = text.dropFirst(4).compactMap { Bech32m.value(of: $0) }
        #expect(Bech32m.isValid(words, part: part))
        #expect(Bech32m.onlyWrongWord(in: words, part: part) == nil)
        for place in words.indices {
            var wrong = words
            wrong[place] ^= UInt8(1 + place % 31)
            #expect(!Bech32m.isValid(wrong, part: part))
            #expect(Bech32m.onlyWrongWord(in: wrong, part: part) == place)
            if count < 90 {
                wrong[(place + 5) % count] ^= 9
                #expect(Bech32m.onlyWrongWord(in: wrong, part: part) == nil)
            }
        }
    }

    @Test(arguments: 0..<70)
    func `bytes survive being words of five bits`(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
        let words = Bech32m.words(of: bytes)
        #expect(words.count == (count * 8 + 4) / 5)
        #expect(words.count + Bech32m.checksumLength == Bech32m.characterCount(byteCount: count))
        #expect(words.allSatisfy { $0 < 32 })
        #expect(Bech32m.bytes(of: words) == bytes)
    }

    @Test func `what fills up the last word must be zero and shorter than a word`() {
        #expect(Bech32m.bytes(of: [31, 28]) == [0xFF])
        #expect(Bech32m.bytes(of: [31, 29]) == nil)
        #expect(Bech32m.bytes(of: [0]) == nil)
        #expect(Bech32m.bytes(of: [31, 28, 0]) == nil)
        #expect(Bech32m.bytes(of: []) == [])
    }
}
