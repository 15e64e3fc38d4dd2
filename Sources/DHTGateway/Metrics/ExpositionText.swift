/// The words of Prometheus' exposition format 0.0.4.
enum ExpositionText {
    /// Bytes of a label's value; the rest is cut off.
    static let valueLimit = 256
    /// From here on not every whole number has a `Double` of its own, and the shorter form is no less exact.
    private static let wholeLimit = 1e15

    /// A metric's name, in which everything that the format does not allow is `_`.
    static func name(_ text: String) -> String { word(text, extra: ":") }

    /// Labels by name, escaped, without their braces. Of those with one name the first counts.
    static func labels(_ dimensions: [(String, String)]) -> String {
        var values: [String: String] = [:]
        for (label, value) in dimensions {
            var name = word(label, extra: nil)
            // A histogram has this one for itself, and names with two `_` are Prometheus' own.
            if name == "le" || name.hasPrefix("__") { name = "label_\(name)" }
            if values[name] == nil { values[name] = escape(cut(value), quotes: true) }
        }
        return values.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",")
    }

    static func write(_ name: String, _ labels: String, _ value: Double, to text: inout String) {
        text += labels.isEmpty ? "\(name) \(number(value))\n" : "\(name){\(labels)} \(number(value))\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < wholeLimit ? "\(Int64(value))" : "\(value)"
    }

    /// `quotes`: of a label's value, in which they end it.
    static func escape(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > valueLimit else { return text }
        var (short, length) = (String.UnicodeScalarView(), 0)
        for scalar in text.unicodeScalars {
            length += UTF8.width(scalar)
            guard length <= valueLimit else { break }
            short.append(scalar)
        }
        return String(short)
    }

    private static func word(_ text: String, extra: Unicode.Scalar?) -> String {
        var word = ""
        for scalar in text.unicodeScalars {
            let isLetter = scalar.isASCII && scalar.properties.isAlphabetic
            let isDigit = ("0"..."9").contains(scalar)
            if isDigit, word.isEmpty { word = "_" }
            word.unicodeScalars.append(isLetter || isDigit || scalar == extra ? scalar : "_")
        }
        return word.isEmpty ? "_" : word
    }
}
