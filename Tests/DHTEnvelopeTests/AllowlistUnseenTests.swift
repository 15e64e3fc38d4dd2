import DHTCore
import DHTCrypto
import Testing

@testable import DHTEnvelope

/// Characters that nobody sees, or that some see as the end of a line and we do not.
struct AllowlistUnseenTests {
    private let identity = AllowlistTests.texts[0]

    private func error(_ text: String) -> String? {
        do {
            _ = try Allowlist(parsing: text, file: "peers.allow")
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: [
        ("\u{A0}", "00A0"), ("\u{2028}", "2028"), ("\u{2029}", "2029"), ("\u{200B}", "200B"),
        ("\u{FEFF}", "FEFF"), ("\u{3000}", "3000"), ("\u{202E}", "202E"), ("\u{AD}", "00AD"),
        ("\r", "000D"), ("\u{0B}", "000B"), ("\u{0}", "0000"), ("\u{85}", "0085"),
    ])
    func `what is not seen is refused, with line and column`(mark: String, name: String) {
        let place = "peers.allow:2:\(identity.utf8.count + 1)"
        let error = error("# list\n\(identity)\(mark) beta\n")
        #expect(error?.hasPrefix("\(place): U+\(name) stands here and is not seen") == true, "\(error ?? "")")
    }

    @Test(arguments: ["\u{2028}", "\r", "\u{0B}", "\u{85}", "\u{202E}"])
    func `a comment hides no line`(mark: String) {
        #expect(error("# gone\(mark)\(identity) beta\n")?.hasPrefix("peers.allow:1:7: U+") == true)
    }

    @Test func `a comment is otherwise what people write`() {
        #expect(error("\(identity) beta # Büro\u{A0}2, 👩\u{200D}🔬\ttab\r\n") == nil)
    }

    @Test func `lists that admit the same have one digest, whatever their order and names`() throws {
        let (a, b) = (AllowlistTests.texts[0], AllowlistTests.texts[1])
        func digest(_ text: String) throws -> String { try Allowlist(parsing: text, file: "f").digest }
        let first = try digest("\(a) x\n\(b) y")
        #expect(try digest("\(b) q\n# note\n\(a) r") == first)
        #expect(try digest("\(a) x") != first)
        #expect(try digest("\(a) x\n\(b) y write=no") != first)
        #expect(try digest("\(a) x\n\(b) y\n@revoked \(b)") != first)
        #expect(first.count == 8)
    }
}
