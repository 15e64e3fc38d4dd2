import Testing

@testable import DHTGateway

struct DurationTextTests {
    @Test(arguments: [("90s", 90), ("10m", 600), ("24h", 86_400), ("7d", 604_800), ("45", 45), ("0", 0)])
    func `a duration is a count and a unit`(text: String, seconds: UInt64) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test(arguments: ["", "s", "-1s", "+1s", "1.5h", "10 m", "10M", "1h30m", "٣s", "18446744073709551615d"])
    func `anything else is no duration`(text: String) {
        #expect(DurationText.seconds(text) == nil)
    }

    @Test func `errors name the option and what is allowed`() {
        #expect(
            throws: Failure(
                .invalidArgument,
                "--ttl: \"soon\" is no duration. Write 90s, 10m, 24h, 7d or plain seconds"
            )
        ) {
            try DurationText.seconds("soon", in: 1...10, for: "--ttl")
        }
        #expect(throws: Failure(.invalidArgument, "--ttl: 11s is outside 1 to 10 seconds")) {
            try DurationText.seconds("11s", in: 1...10, for: "--ttl")
        }
        #expect(throws: Failure.self) { try DurationText.seconds("4294967297", in: 1...10, for: "--ttl") }
    }
}

struct SuggestionTests {
    private let commands = ["put", "get", "del", "status", "peers", "id", "help", "quit"]

    @Test(arguments: [
        ("staus", "status"), ("pers", "peers"), ("gte", "get"), ("PUT", "put"), ("quti", "quit"),
    ])
    func `a slip of the finger finds what was meant`(word: String, meant: String) {
        #expect(Suggestion.nearest(to: word, among: commands) == meant)
    }

    @Test func `a word near to nothing suggests nothing`() {
        #expect(Suggestion.nearest(to: "frobnicate", among: commands) == nil)
        #expect(Suggestion.hint(for: "frobnicate", among: commands).isEmpty)
        #expect(Suggestion.nearest(to: "put", among: []) == nil)
    }

    @Test func `among equals the first is meant`() {
        #expect(Suggestion.nearest(to: "pxt", among: ["put", "pot"]) == "put")
    }

    @Test(arguments: [
        ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1),
        ("kitten", "sitting", 3),
    ])
    func `distance counts edits and swaps`(lhs: String, rhs: String, edits: Int) {
        #expect(Suggestion.distance(lhs, rhs) == edits)
        #expect(Suggestion.distance(rhs, lhs) == edits)
    }
}

struct DisplayTextTests {
    @Test(arguments: [
        ("plain", "plain"), ("größe 🌍", "größe 🌍"), ("a\\b", "a\\b"), ("two\nlines\\", "two\\nlines\\\\"),
        ("\u{1B}[2J", "\\u{1b}[2J"), ("\u{9B}2J", "\\u{9b}2J"), ("a\u{202E}b", "a\\u{202e}b"),
        ("\r\t", "\\r\\t"),
    ])
    func `a value cannot drive the terminal`(value: String, shown: String) {
        #expect(displayText(Array(value.utf8)) == shown)
    }

    @Test func `what is no UTF-8 is shown in hexadecimal`() {
        #expect(displayText([0xFF, 0x00, 0x1B]) == "0xff001b")
    }

    @Test(arguments: [
        ("plain \\ text\n\tgrüße 🎉\n", nil), ("\u{1B}[2J\\", "\\x1b[2J\\\\"), ("a\r\nb", "a\\x0d\nb"),
        ("\u{9B}x\u{7F}", "\\u{9b}x\\x7f"), ("\u{202E}", "\\u{202e}"),
    ])
    func `a value at a terminal keeps its lines and cannot drive it`(value: String, shown: String?) {
        #expect(terminalText(Array(value.utf8)) == shown)
    }

    @Test func `bytes that are no text are shown one by one at a terminal`() {
        #expect(terminalText([0x61, 0xFF, 0xC3, 0x61, 0xC3, 0xA4, 0xE2, 0x82]) == "a\\xff\\xc3aä\\xe2\\x82")
        #expect(terminalText([0x9B, 0xED, 0xA0, 0x80]) == "\\x9b\\xed\\xa0\\x80")
        #expect(terminalText([]) == nil)
    }

    @Test func `long text is broken at blanks, within 80 columns`() {
        let words = [String](repeating: "12345", count: 30).joined(separator: " ")
        let lines = wrapped(words, indentation: 6)
        #expect(lines.count == 3)
        #expect(lines[0].count <= 74 && lines.dropFirst().allSatisfy { $0.count <= 80 })
        #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("      1") })
        #expect(wrapped("short") == ["short"])
        let long = String(repeating: "x", count: 90)
        #expect(wrapped("a \(long) b") == ["a", long, "b"])
    }

    @Test func `a failure is one line whatever its words came from`() {
        #expect(Failure(.internal, "a\nb\u{1B}c").message == "a b\\u{1b}c")
    }

    @Test func `sizes are told as people say them`() {
        #expect(byteCountText(641) == "641 bytes")
        #expect(byteCountText(200 << 10) == "200 KiB")
        #expect(byteCountText(12 << 20) == "12 MiB")
    }
}

struct Base64URLTests {
    @Test func `every length and byte comes back`() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 251) }
            let text = Base64URL.encode(bytes)
            #expect(Base64URL.decode(text) == bytes)
            #expect(!text.contains { "+/=".contains($0) })
        }
    }

    @Test(arguments: ["a", "ab=", "a+bc", "a/bc", "ab c", "äöü"])
    func `what is no base64url is refused`(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}

struct PercentEncodingTests {
    @Test func `every text comes back`() {
        for text in ["", "beta", "größe/1?a=b&c #%20", "\u{0}\u{1B}"] {
            let encoded = PercentEncoding.encode(text)
            #expect(PercentEncoding.decode(encoded) == text)
            #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/?&=# ".utf8.contains($0) })
        }
    }

    @Test(arguments: ["%", "%1", "%+1", "%-1", "%zz", "%FF"])
    func `broken texts are refused`(text: String) {
        #expect(PercentEncoding.decode(text) == nil)
    }
}

struct ValueLimitsTests {
    @Test func `keys have 1 to 128 bytes`() throws {
        try ValueLimits.check(key: [1])
        try ValueLimits.check(key: [UInt8](repeating: 1, count: 128))
        #expect(throws: Failure.self) { try ValueLimits.check(key: []) }
        #expect(throws: Failure(.invalidArgument, "key is 129 bytes, the limit is 128 bytes")) {
            try ValueLimits.check(key: [UInt8](repeating: 1, count: 129))
        }
    }

    @Test func `values have at most 16 MiB`() throws {
        try ValueLimits.check(valueLength: 16 << 20)
        let failure = Failure(.invalidArgument, "value is 16777217 bytes, the limit is 16777216 bytes")
        #expect(throws: failure) { try ValueLimits.check(valueLength: 16 << 20 | 1) }
    }

    @Test func `every code has its exit code`() {
        #expect(Failure.Code.allCases.map(\.exit) == Array(1...9))
    }
}
