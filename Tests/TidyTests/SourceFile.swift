/// One Swift file, line by line, with and without its comments and strings.
struct SourceFile: Sendable {
    /// Below the root of the repository.
    let path: String
    let lines: [String]
    /// The same lines with comments gone and string literals empty.
    let code: [String]

    init?(path: String) {
        guard let text = Tree.text(path) else { return nil }
        self.init(path: path, text: text)
    }

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        code = Self.stripped(lines)
    }

    var name: Substring { path.split(separator: "/").last ?? "" }

    /// The modules imported, with their line numbers.
    var imports: [(line: Int, module: String)] {
        let statement =
            #/^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+ )?import (?:(?:struct|class|enum|func) )?(\w+)/#
        return matches { $0.firstMatch(of: statement)?.1 }.map { ($0.line, $0.found) }
    }

    /// Types and functions declared, with their line numbers.
    var declaredNames: [(line: Int, name: String)] {
        let declaration =
            #/^(?!.*\bimport )(?:.*\s)?(?:struct|class|enum|protocol|actor|typealias|func)\s+`?(\w+)/#
        // A test's name is a sentence, which may say any word.
        return matches { $0.contains("func `") ? nil : $0.firstMatch(of: declaration)?.1 }.map {
            ($0.line, $0.found)
        }
    }

    private func matches(_ find: (String) -> Substring?) -> [(line: Int, found: String)] {
        code.enumerated().compactMap { index, line in find(line).map { (index + 1, String($0)) } }
    }

    /// Functions, initialisers and subscripts longer than `limit` lines, found by their indentation.
    func functions(longerThan limit: Int) -> [(line: Int, count: Int)] {
        let opening = #/^( *)(?:@?[\w().,]+ )*(?:func |init[?(<]|subscript[(<]|deinit )/#
        return code.indices.compactMap { start in
            guard let indent = code[start].prefixMatch(of: opening)?.1, let body = bodyStart(from: start),
                !code[body].hasSuffix("}"), let end = code[body...].firstIndex(of: indent + "}")
            else { return nil }
            return end - start + 1 > limit ? (start + 1, end - start + 1) : nil
        }
    }

    /// The line in which a signature ends and its body begins; `nil` for a requirement of a protocol.
    private func bodyStart(from start: Int) -> Int? {
        var depth = 0
        for (index, line) in code.enumerated().dropFirst(start) {
            depth += line.count { $0 == "(" } - line.count { $0 == ")" }
            if depth > 0 { continue }
            if line.contains("{") { return index }
            let next = index + 1 < code.count ? code[index + 1].drop { $0 == " " } : ""
            guard ["where ", "-> ", "throws", "async"].contains(where: { next.hasPrefix($0) }) else {
                return nil
            }
        }
        return nil
    }

    private static func stripped(_ lines: [String]) -> [String] {
        var inText = false
        var commentDepth = 0
        return lines.map { line in
            let fences = line.ranges(of: "\"\"\"").count
            defer { if fences % 2 == 1 { inText.toggle() } }
            if inText || fences > 0 { return inText ? "" : String(line.prefix { $0 != "\"" }) }
            let bare = line.replacing(#/"(?:\\.|[^"\\])*"/#, with: "\"\"")
            if commentDepth > 0 || bare.contains("/*") {
                commentDepth += bare.ranges(of: "/*").count - bare.ranges(of: "*/").count
                return ""
            }
            return String(bare.prefix(upTo: bare.firstRange(of: "//")?.lowerBound ?? bare.endIndex))
        }
    }
}
