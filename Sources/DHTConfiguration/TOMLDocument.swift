import DHTGateway
import TOMLKit

/// A document of TOML, with the places of what it says.
struct TOMLDocument {
    /// A value that its setting does not take.
    struct Misfit: Error {
        let reason: String
    }

    private static let form =
        "A line is: key = value, with texts in quotes, such as name = \"alpha\"; # begins a comment"

    private let table: TOMLTable
    private let text: String
    private let path: String

    private init(table: TOMLTable, text: String, path: String) {
        (self.table, self.text, self.path) = (table, text, path)
    }

    init(parsing text: String, path: String) throws(Failure) {
        switch Self.parsed(text) {
        case .success(let table): self.init(table: table, text: text, path: path)
        case .failure(let error): throw Self.failure(error, text, path)
        }
    }

    /// In no order.
    var keys: [String] { table.keys }

    func isTable(_ key: String) -> Bool { table[key]?.type == .table }

    // MARK: Places

    /// Where the value of `key` begins, or the table of that name.
    func place(ofValue key: String) -> Place {
        // The parser tells places of errors only. Defined once more before all else, the key is one.
        let again = SettingValue.text(key).literal + " = 0\n" + text
        guard case .failure(let error) = Self.parsed(again) else {
            return Place(file: path, line: 1, column: 1)
        }
        return Place(file: path, line: error.source.begin.line - 1, column: error.source.begin.column)
    }

    /// Where `key` begins: its line has nothing before it but blanks.
    func place(ofKey key: String) -> Place {
        let line = place(ofValue: key).line
        return Place(
            file: path,
            line: line,
            column: Self.line(line, of: text).prefix(while: Self.isBlank).count + 1
        )
    }

    private static func isBlank(_ character: Unicode.Scalar) -> Bool { character == " " || character == "\t" }

    private static func line(_ number: Int, of text: String) -> Substring.UnicodeScalarView {
        let lines = text.unicodeScalars.split(
            separator: "\n",
            maxSplits: number,
            omittingEmptySubsequences: false
        )
        return Substring(lines.count >= number ? lines[number - 1] : Substring.UnicodeScalarView())
            .unicodeScalars
    }

    // MARK: Values

    /// The value of the setting, whose key is there.
    func value(of setting: Setting) throws(Misfit) -> SettingValue {
        guard let given = table[setting.rawValue] else {
            throw Misfit(reason: "\(setting.rawValue) is missing")
        }
        let value: SettingValue? =
            switch setting.kind {
            case .text, .path, .choice: given.string.map { .text($0) }
            case .texts, .paths: given.array.flatMap(Self.texts).map { .texts($0) }
            case .number: given.type == .int ? given.int.map { .number($0) } : nil
            case .toggle: given.type == .bool ? given.bool.map { .toggle($0) } : nil
            }
        guard let value else {
            throw Misfit(
                reason: "\(setting.rawValue) is \(setting.kind.words), and this is \(Self.words(given)). "
                    + "Write: \(setting.example)"
            )
        }
        if let problem = setting.problem(with: value) {
            throw Misfit(reason: "\(setting.rawValue): \(problem)")
        }
        return value
    }

    /// `nil` if anything in the list is no text.
    private static func texts(_ array: TOMLArray) -> [String]? {
        var texts: [String] = []
        for element in array {
            guard element.type == .string, let text = element.string else { return nil }
            texts.append(text)
        }
        return texts
    }

    private static func words(_ value: any TOMLValueConvertible) -> String {
        switch value.type {
        case .string: "a text"
        case .int: "a whole number"
        case .double: "a number with a fraction"
        case .bool: "true or false"
        case .date, .time, .dateTime: "a date or time"
        case .array: value.array.flatMap(texts) == nil ? "a list of something else" : "a list of texts"
        case .table: "a table"
        }
    }

    // MARK: Syntax

    private static func parsed(_ text: String) -> Result<TOMLTable, TOMLParseError> {
        do { return .success(try TOMLTable(string: text)) } catch let error as TOMLParseError {
            return .failure(error)
        } catch { preconditionFailure("the parser throws errors of its own only: \(error)") }
    }

    private static func failure(_ error: TOMLParseError, _ text: String, _ path: String) -> Failure {
        let place = Place(file: path, line: error.source.begin.line, column: error.source.begin.column)
        let line = line(place.line, of: text)
        let indent = line.prefix(while: isBlank).count
        let key = String(line.dropFirst(indent).prefix { $0 != "=" && !isBlank($0) })
        if let first = firstLine(of: key, above: place.line, in: text) {
            return Failure(
                .configuration,
                "\(path):\(place.line):\(indent + 1): \(key) is set twice, in line \(first) too; keep one"
            )
        }
        guard let setting = Setting(rawValue: key) else {
            return Failure(.configuration, "\(place): \(reason(error)). \(form)")
        }
        let expected = "\(key) is \(setting.kind.words). Write: \(setting.example)"
        // The parser takes a word for the beginning of true, inf or nan, and says that it is none of them.
        let start = line.drop { $0 != "=" }.dropFirst().drop(while: isBlank)
        guard let first = start.first, first.properties.isAlphabetic || "/.*~$".unicodeScalars.contains(first)
        else { return Failure(.configuration, "\(place): \(reason(error)). \(expected)") }
        let column = line.distance(from: line.startIndex, to: start.startIndex) + 1
        return Failure(
            .configuration,
            "\(path):\(place.line):\(column): this text is in no quotes. \(expected)"
        )
    }

    /// The parser's words, less those of its own affairs: "Error while parsing value: …".
    private static func reason(_ error: TOMLParseError) -> String {
        let description = error.description
        guard description.hasPrefix("Error while parsing "), let colon = description.firstRange(of: ": ")
        else {
            return description
        }
        return String(description[colon.upperBound...])
    }

    /// The line above that one in which the key is set; `nil`: none.
    private static func firstLine(of key: String, above line: Int, in text: String) -> Int? {
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        let above = lines.prefix(line - 1).map { String($0) }.joined(separator: "\n") + "\n"
        guard case .success(let table) = parsed(above), table.keys.contains(key) else { return nil }
        return TOMLDocument(table: table, text: above, path: "").place(ofKey: key).line
    }
}

extension Setting.Kind {
    /// The kind of a value, in a sentence.
    fileprivate var words: String {
        switch self {
        case .text, .path: "a text in quotes"
        case .texts, .paths: "a list of texts"
        case .number(let range):
            range == Setting.anyNumber ? "a whole number" : "a whole number, \(Self.words(range))"
        case .choice(let words): words.map { "\"\($0)\"" }.joined(separator: " or ")
        case .toggle: "true or false"
        }
    }

    static func words(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound) to \(range.upperBound)" }
}

extension Setting {
    /// The fault of a value that is of its kind; `nil`: none.
    func problem(with value: SettingValue) -> String? {
        switch (kind, value) {
        case (.number(let range), .number(let number)) where !range.contains(number):
            "\(number) is outside \(Kind.words(range))"
        case (.choice(let words), .text(let word)) where !words.contains(word):
            "\"\(word)\" is neither \(words.joined(separator: " nor "))"
                + Suggestion.hint(for: word, among: words)
        case (_, .texts([])): "the list is empty; leave it out for the default"
        default:
            value.texts.contains("") ? "a text is empty; leave it out for the default" : nil
        }
    }
}
