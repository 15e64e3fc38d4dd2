/// How long a line of text is, which whoever lays it out must know before any viewer has drawn it.
///
/// By the advance widths of Helvetica, the first font that the SVG names; those of Arial and Liberation Sans
/// are the same.
enum TextWidths {
    /// The length of a line of text, in the unit of its size.
    static func width(_ string: String, size: Double, bold: Bool = false) -> Double {
        string.reduce(0) { $0 + advance($1, bold: bold) } * size
    }

    /// The text, or as much of its beginning as fits, and an ellipsis.
    static func fitting(_ string: String, size: Double, bold: Bool = false, width: Double) -> String {
        guard Self.width(string, size: size, bold: bold) > width else { return string }
        var kept = string[...]
        while !kept.isEmpty, Self.width(kept + "…", size: size, bold: bold) > width { kept.removeLast() }
        return kept + "…"
    }

    /// To the next character, in ems: those charts write, and ASCII, have theirs; others are taken to be as
    /// wide as characters of any script are.
    static func advance(_ character: Character, bold: Bool) -> Double {
        let widths = bold ? bolds : regulars
        return widths[character] ?? (character.isWhitespace ? widths[" "] : nil) ?? 1
    }

    private static let regulars = widths([
        (191, "'"), (222, "ijl"), (260, "|"), (278, " !,./:;I[\\]ft·"), (333, "()-`r"), (334, "{}"),
        (355, "\""), (389, "*"), (469, "^"), (500, "Jckvsxyz"), (556, "#$0123456789?L_abdeghnopqu–"),
        (584, "+<=>~×−"), (611, "FTZ"), (667, "&ABEKPSVXY"), (722, "CDHNRUw"), (778, "GOQ"), (833, "Mm"),
        (889, "%"), (944, "W"), (1000, "…"), (1015, "@"),
    ])

    private static let bolds = widths([
        (238, "'"), (278, " ,./I\\ijl·"), (280, "|"), (333, "!()-:;[]`ft"), (389, "*r{}"), (474, "\""),
        (500, "z"), (556, "#$0123456789J_aceksvxy–"), (584, "+<=>^~×−"), (611, "?FLTZbdghnopqu"),
        (667, "EPSVXY"), (722, "&ABCDHKNRU"), (778, "GOQw"), (833, "M"), (889, "%m"), (944, "W"),
        (975, "@"), (1000, "…"),
    ])

    /// Thousandths of an em, and the characters that are so wide.
    private static func widths(_ rows: [(thousandths: Double, characters: String)]) -> [Character: Double] {
        var widths: [Character: Double] = [:]
        for row in rows {
            for character in row.characters { widths[character] = row.thousandths / 1000 }
        }
        return widths
    }
}
