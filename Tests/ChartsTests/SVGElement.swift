import Foundation
import FoundationXML
import Testing

@testable import Charts

/// An element of an SVG, as an XML parser sees it.
struct SVGElement {
    let name: String
    let attributes: [String: String]
    /// What is directly in it.
    var text = ""

    subscript(_ attribute: String) -> String { attributes[attribute] ?? "" }

    /// A length; `missing` if it is not given.
    func number(_ attribute: String, missing: Double? = nil) throws -> Double {
        let given = attributes[attribute].map { Double($0) } ?? missing
        return try #require(given, "\(name) has no number \(attribute): \(attributes)")
    }

    /// What a rectangle covers: by default from the origin.
    func area() throws -> Drawing.Rectangle {
        let (x, y) = try (number("x", missing: 0), number("y", missing: 0))
        return try Drawing.Rectangle(
            left: x,
            top: y,
            right: x + number("width"),
            bottom: y + number("height")
        )
    }

    /// What a line of text covers, in the font that charts are laid out for.
    func box() throws -> Drawing.Rectangle {
        let (x, y, size) = try (number("x"), number("y"), number("font-size"))
        let width = TextWidths.width(text, size: size, bold: self["font-weight"] == "bold")
        let left =
            switch self["text-anchor"] {
            case "middle": x - width / 2
            case "end": x - width
            default: x
            }
        return .init(left: left, top: y - 0.75 * size, right: left + width, bottom: y + 0.2 * size)
    }

    /// The ends and joints of a line.
    func places() throws -> [Drawing.Point] {
        try self["points"].split(separator: " ").map { place in
            let numbers = place.split(separator: ",").compactMap { Double($0) }
            try #require(numbers.count == 2, "no point: \(place)")
            return Drawing.Point(x: numbers[0], y: numbers[1])
        }
    }

    /// All elements of a document in the order in which they are painted, its root first.
    static func all(of svg: String) throws -> [SVGElement] {
        let reader = Reader()
        let parser = XMLParser(data: Data(svg.utf8))
        parser.delegate = reader
        try #require(parser.parse(), "no XML: \(String(describing: parser.parserError))")
        return reader.elements
    }

    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [SVGElement] = []
        private var open: [Int] = []

        func parser(
            _ parser: XMLParser,
            didStartElement name: String,
            namespaceURI: String?,
            qualifiedName: String?,
            attributes: [String: String]
        ) {
            open.append(elements.count)
            elements.append(SVGElement(name: name, attributes: attributes))
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            if let last = open.last { elements[last].text += text }
        }

        func parser(
            _ parser: XMLParser,
            didEndElement name: String,
            namespaceURI: String?,
            qualifiedName: String?
        ) {
            open.removeLast()
        }
    }
}
