/// Lines typed into the shell that are kept, the oldest first.
///
/// They may hold secrets: the values that were put. So a line that begins with a blank is not kept, nor one
/// of a command that is to be left out.
package struct ShellHistory: Hashable, Sendable {
    package static let capacity = 1000
    /// In bytes: longer lines are not kept.
    package static let longestLine = 4096

    package private(set) var lines: [String] = []
    private let omitted: Set<String>

    /// `omitting`: commands whose lines are not kept, separated by commas or blanks.
    package init(omitting commands: String = "") {
        let words = commands.lowercased().split { $0 == "," || $0 == " " }
        omitted = Set(words.map { Self.canonical(String($0)) })
    }

    package func keeps(_ line: String) -> Bool {
        guard let first = line.utf8.first, first != UInt8(ascii: " "), first != UInt8(ascii: "\t") else {
            return false
        }
        let word = line.prefix { $0 != " " && $0 != "\t" }
        return line.utf8.count <= Self.longestLine && !line.utf8.contains(UInt8(ascii: "\n"))
            && !omitted.contains(Self.canonical(word.lowercased()))
    }

    /// Adds a line at the end, if it is kept: of equal ones in a row there is one, and the oldest go.
    package mutating func add(_ line: String) {
        guard keeps(line), line != lines.last else { return }
        lines.append(line)
        if lines.count > Self.capacity { lines.removeFirst(lines.count - Self.capacity) }
    }

    /// Adds the lines of a file, of which those that are no text are left out.
    package mutating func add(file bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if let line = String(validating: line, as: UTF8.self) { add(line) }
        }
    }

    /// A line of text each.
    package var file: [UInt8] { lines.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] } }

    /// One of the names of a command that has two.
    private static func canonical(_ word: String) -> String { word == "delete" ? "del" : word }
}
