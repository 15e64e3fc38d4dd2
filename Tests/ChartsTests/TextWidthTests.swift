import Testing

@testable import Charts

struct TextWidthTests {
    private static let letters = (0x21...0x7E).map { Character(Unicode.Scalar($0)) }

    @Test(arguments: [false, true])
    func `every character of ASCII, and those charts write beyond it, has a width of its own`(bold: Bool) {
        for character in Self.letters + "·×–−" {
            // An unknown one is an em.
            let advance = TextWidths.advance(character, bold: bold)
            #expect((0.15...1.02).contains(advance) && advance != 1, "\(character)")
        }
        #expect(TextWidths.advance("\u{2603}", bold: bold) == 1)
        #expect(TextWidths.advance("\u{A0}", bold: bold) == TextWidths.advance(" ", bold: bold))
    }

    @Test func `digits are equally wide, and no bold letter is narrower`() {
        for bold in [false, true] {
            #expect(Set("0123456789".map { TextWidths.advance($0, bold: bold) }).count == 1)
        }
        for letter in Self.letters where letter != "@" {
            #expect(
                TextWidths.advance(letter, bold: true) >= TextWidths.advance(letter, bold: false),
                "\(letter)"
            )
        }
    }

    @Test func `a line is as long as its characters together, times its size`() {
        #expect(abs(TextWidths.width("Will", size: 10) - 10 * (0.944 + 3 * 0.222)) < 1e-9)
        #expect(abs(TextWidths.width("30 %", size: 18, bold: true) - 18 * (2 * 0.556 + 0.278 + 0.889)) < 1e-9)
        #expect(TextWidths.width("", size: 12) == 0)
    }

    @Test func `what does not fit ends in an ellipsis, as late as may be`() {
        #expect(TextWidths.fitting("mmmm", size: 1, width: 4 * 0.833 + 0.001) == "mmmm")
        #expect(TextWidths.fitting("mmmm", size: 1, width: 4 * 0.833 - 0.001) == "mm…")
        #expect(TextWidths.fitting("mmmm", size: 1, width: 0.5) == "…")
    }
}
