extension Chart {
    /// The chart as a document of SVG 1.1, in UTF-8 when stored. Texts are in the viewer's sans-serif font.
    package var svg: String { SVG(drawing, title: title).document }
}

/// Prints a drawing.
struct SVG {
    private(set) var document: String

    init(_ drawing: Drawing, title: String) {
        let (width, height) = (drawing.width, drawing.height)
        document = """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
            viewBox="0 0 \(width) \(height)" role="img" \
            font-family="Helvetica, Arial, 'Liberation Sans', sans-serif">
            <title>\(Self.escaped(title))</title>
            <rect width="\(width)" height="\(height)" fill="\(Self.hexadecimal(.white))"/>

            """
        for shape in drawing.shapes { document += Self.element(shape) + "\n" }
        document += "</svg>\n"
    }

    private static func element(_ shape: Drawing.Shape) -> String {
        switch shape {
        case .rectangle(let area, let colour):
            return """
                <rect x="\(number(area.left))" y="\(number(area.top))" width="\(number(area.width))" \
                height="\(number(area.height))" fill="\(hexadecimal(colour))"/>
                """
        case .polyline(let points, let width, let colour):
            // One point alone would not be painted; a line to itself is, by its round ends.
            let ends = points.count == 1 ? points + points : points
            let places = ends.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
            return """
                <polyline points="\(places)" fill="none" stroke="\(hexadecimal(colour))" \
                stroke-width="\(number(width))" stroke-linejoin="round" stroke-linecap="round"/>
                """
        case .text(let text):
            let anchor =
                switch text.anchor {
                case .start: ""
                case .middle: " text-anchor=\"middle\""
                case .end: " text-anchor=\"end\""
                }
            let weight = text.bold ? " font-weight=\"bold\"" : ""
            return """
                <text x="\(number(text.place.x))" y="\(number(text.place.y))" \
                font-size="\(number(text.size))"\(anchor)\(weight) fill="\(hexadecimal(text.colour))">\
                \(escaped(text.string))</text>
                """
        }
    }

    /// In decimal, to the hundredth.
    static func number(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let (whole, part) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
        let sign = hundredths < 0 ? "-" : ""
        if part == 0 { return "\(sign)\(whole)" }
        if part.isMultiple(of: 10) { return "\(sign)\(whole).\(part / 10)" }
        return "\(sign)\(whole).\(part < 10 ? "0" : "")\(part)"
    }

    static func hexadecimal(_ colour: Drawing.Colour) -> String {
        "#"
            + [colour.red, colour.green, colour.blue].map {
                ($0 < 16 ? "0" : "") + String($0, radix: 16)
            }.joined()
    }

    /// The text with references for the characters that XML reserves, U+FFFD for those it does not allow, and
    /// spaces for tabs and line breaks.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\t", "\n", "\r": result += " "
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
