/// One line of the interactive shell, understood.
package enum ShellCommand: Hashable, Sendable {
    case put(key: [UInt8], value: [UInt8])
    case get(key: [UInt8])
    case delete(key: [UInt8])
    case status
    case peers
    case identity
    case ping(peer: String)
    case why(peer: String)
    case help
    case quit

    /// Why a line is not understood, in words for whoever typed it.
    package struct Mistake: Error, Hashable, Sendable {
        package let reason: String
    }

    package static let words = [
        "put", "get", "del", "status", "peers", "id", "ping", "why", "help", "quit", "exit",
    ]

    /// The command in `line`; `nil` for an empty line.
    ///
    /// Bytes, not text: a value from a pipe arrives as it was sent. A key may be quoted, with `'` or `"`; the
    /// value is the rest of the line after the blank that ends the key, its own blanks kept.
    package static func parse(_ line: some Sequence<UInt8>) throws(Mistake) -> ShellCommand? {
        var line = Array(line)
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        var rest = line[...].drop(while: isBlank)
        guard !rest.isEmpty else { return nil }
        let word = displayText(Array(rest.prefix { !isBlank($0) }))
        rest = rest.drop { !isBlank($0) }.drop(while: isBlank)

        switch word.lowercased() {
        case "put":
            let key = try takeKey(from: &rest, usage: "put KEY VALUE")
            guard !rest.isEmpty else { throw Mistake(reason: "put needs a value: put KEY VALUE") }
            return .put(key: key, value: Array(rest))
        case "get":
            return .get(key: try onlyKey(rest, usage: "get KEY"))
        case "del", "delete":
            return .delete(key: try onlyKey(rest, usage: "del KEY"))
        case "status": return try alone(.status, word, rest)
        case "peers": return try alone(.peers, word, rest)
        case "id": return try alone(.identity, word, rest)
        case "ping": return .ping(peer: try onlyPeer(rest, usage: "ping PEER"))
        case "why": return .why(peer: try onlyPeer(rest, usage: "why PEER"))
        case "help", "?": return .help
        case "quit", "exit": return try alone(.quit, word, rest)
        default:
            throw Mistake(
                reason: "unknown command \"\(word)\"" + Suggestion.hint(for: word, among: words)
                    + "; try help"
            )
        }
    }

    private static func alone(
        _ command: ShellCommand,
        _ word: String,
        _ rest: ArraySlice<UInt8>
    ) throws(Mistake) -> ShellCommand {
        guard rest.isEmpty else { throw Mistake(reason: "\(word) takes nothing after it") }
        return command
    }

    private static func onlyPeer(_ rest: ArraySlice<UInt8>, usage: String) throws(Mistake) -> String {
        let words = rest.split(whereSeparator: isBlank)
        guard words.count < 2 else { throw Mistake(reason: "one peer only: \(usage)") }
        guard let word = words.first else {
            throw Mistake(reason: "a peer's name or identity is missing: \(usage)")
        }
        return displayText(Array(word))
    }

    private static func onlyKey(_ line: ArraySlice<UInt8>, usage: String) throws(Mistake) -> [UInt8] {
        var rest = line
        let key = try takeKey(from: &rest, usage: usage)
        guard rest.allSatisfy(isBlank) else {
            throw Mistake(reason: "one key only: \(usage). A key with blanks is quoted: 'a b'")
        }
        return key
    }

    /// The key `rest` begins with, and the one blank after it, are taken off.
    private static func takeKey(from rest: inout ArraySlice<UInt8>, usage: String) throws(Mistake) -> [UInt8]
    {
        guard let first = rest.first else { throw Mistake(reason: "a key is missing: \(usage)") }
        let key: [UInt8]
        if first == UInt8(ascii: "'") || first == UInt8(ascii: "\"") {
            let quoted = rest.dropFirst()
            guard let end = quoted.firstIndex(of: first) else {
                throw Mistake(reason: "a quote is not closed: \(usage)")
            }
            key = Array(quoted[..<end])
            rest = quoted[(end + 1)...]
            guard rest.first.map(isBlank) ?? true else {
                throw Mistake(reason: "a blank is missing after the quoted key")
            }
        } else {
            key = Array(rest.prefix { !isBlank($0) })
            rest = rest.dropFirst(key.count)
        }
        rest = rest.dropFirst()
        return key
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
