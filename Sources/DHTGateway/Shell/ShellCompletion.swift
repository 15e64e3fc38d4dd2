/// The rest of a word that somebody began to type: of a command, of a key that stands in an earlier line, or
/// of a peer's name.
package struct ShellCompletion: Hashable, Sendable {
    /// Scalars before the cursor that go.
    package var removed = 0
    /// Text in their place.
    package var inserted = ""
    /// All that could be meant, in order, as it is typed.
    package var candidates: [String] = []

    private static let quotes: [Character] = ["'", "\""]

    /// - Parameters:
    ///   - line: The line up to the cursor.
    ///   - history: Lines typed before, the oldest first.
    ///   - peers: Names and identities; asked for only if one of them is meant.
    package init(_ line: String, history: [String], peers: () -> [String]) {
        let line = line.drop(while: Self.isBlank)
        guard let end = line.firstIndex(where: Self.isBlank) else {
            self.init(line, among: ShellCommand.words)
            return
        }
        let rest = line[end...].drop(while: Self.isBlank)
        switch line[..<end].lowercased() {
        case "put", "get", "del", "delete": self.init(key: rest, among: Self.keys(in: history))
        case "ping", "why": self.init(rest, among: peers())
        default: self.init()
        }
    }

    private init() {}

    /// Keys in lines that were understood, once each.
    private static func keys(in history: [String]) -> [String] {
        let keys = history.compactMap { line -> String? in
            switch try? ShellCommand.parse(Array(line.utf8)) {
            case .put(let key, _), .get(let key), .delete(let key):
                displayText(key) == String(validating: key, as: UTF8.self) ? displayText(key) : nil
            default: nil
            }
        }
        return Array(Set(keys))
    }

    /// Of a word without blanks.
    private init(_ word: Substring, among all: some Sequence<String>) {
        let matches = all.filter { Self.begins($0, with: word) && !$0.contains(where: Self.isBlank) }.sorted()
        candidates = matches
        inserted = matches.count == 1 ? Self.rest(matches[0], after: word) + " " : Self.common(matches, word)
    }

    private init(key word: Substring, among keys: [String]) {
        self.init()
        if let quote = word.first, Self.quotes.contains(quote) {
            self = Self(quoted: word.dropFirst(), quote, among: keys)
            return
        }
        let matches = keys.filter { Self.begins($0, with: word) && Self.written($0) != nil }.sorted()
        candidates = matches.compactMap(Self.written)
        if matches.count == 1, let written = candidates.first {
            let isPlain = written == matches[0]
            removed = isPlain ? 0 : word.unicodeScalars.count
            inserted = (isPlain ? Self.rest(written, after: word) : written) + " "
        } else if matches.allSatisfy({ $0.first.map { !Self.quotes.contains($0) } ?? false }) {
            // A blank would end the key.
            inserted = String(Self.common(matches, word).prefix { !Self.isBlank($0) })
        }
    }

    /// Of a key whose quote is open.
    private init(quoted word: Substring, _ quote: Character, among keys: [String]) {
        guard !word.contains(quote) else { return }
        let matches = keys.filter { Self.begins($0, with: word) && !$0.contains(quote) }.sorted()
        candidates = matches.map { "\(quote)\($0)\(quote)" }
        inserted =
            matches.count == 1
            ? Self.rest(matches[0], after: word) + "\(quote) " : Self.common(matches, word)
    }

    /// The key as it is typed; `nil` if it cannot be.
    private static func written(_ key: String) -> String? {
        guard let first = key.first else { return nil }
        if !quotes.contains(first), !key.contains(where: isBlank) { return key }
        return quotes.first { !key.contains($0) }.map { "\($0)\(key)\($0)" }
    }

    private static func begins(_ text: String, with start: Substring) -> Bool {
        text.utf8.starts(with: start.utf8)
    }

    private static func rest(_ text: String, after start: Substring) -> String {
        String(decoding: text.utf8.dropFirst(start.utf8.count), as: UTF8.self)
    }

    /// The text that all of them have after `start`.
    private static func common(_ texts: [String], _ start: Substring) -> String {
        guard let first = texts.first else { return "" }
        return texts.dropFirst().reduce(rest(first, after: start)) { shared, text in
            String(zip(shared, rest(text, after: start)).prefix { $0 == $1 }.map(\.0))
        }
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
}
