import Testing

/// What may be in git at all.
struct TreeTests {
    @Test func `git ignores what is made`() throws {
        let ignored = try #require(Tree.text(".gitignore"), ".gitignore is missing").split(separator: "\n")
        for pattern in [".build*/", "Package.resolved", "*.key", "*.network"] {
            #expect(ignored.contains { $0 == pattern }, ".gitignore: add the line \(pattern)")
        }
    }

    @Test func `no secret is in the tree`() {
        let findings = Tree.paths.flatMap { path -> [Finding] in
            var findings: [Finding] = []
            if path.hasSuffix(".key") || path.hasSuffix(".network") {
                findings.append(Finding(path, "a key file: take it out of git, and use it nowhere again"))
            }
            // A test's own secrets are public, and vectors consist of them.
            if !path.hasPrefix("Tests/"),
                Tree.text(path)?.contains(#/DHT-(SECRET|SEALED)-KEY-1[02-9AC-HJ-NP-Z]{50}/#) == true
            {
                findings.append(Finding(path, "holds a secret key: take it out, and use it nowhere again"))
            }
            return findings
        }
        expectNone(findings)
    }

    @Test func `no file names a place on somebody's machine`() {
        // Put together, so that this file does not find itself. Tests may write to the temporary folder.
        let anywhere = ["/" + "work/", "/" + "root/", "/" + "home/"]
        let temporary = "/" + "tmp/"
        expectNone(
            Self.linesOfText().flatMap { path, number, line in
                let places = path.hasPrefix("Tests/") ? anywhere : anywhere + [temporary]
                return places.filter { Self.names($0, in: line) }.map { place in
                    Finding(
                        path,
                        line: number,
                        "names a place below \(place) of one machine: make it a parameter"
                    )
                }
            }
        )
    }

    @Test func `the tree speaks of the project, not of how it was made`() {
        let words =
            #/(?i)\b(?:ai assistant|language model|chatgpt|copilot|claude|codex|prompt engineering)\b/#
        expectNone(
            Self.linesOfText().filter { $0.path != "Tests/TidyTests/TreeTests.swift" }.compactMap {
                path,
                number,
                line in
                line.firstMatch(of: words).map {
                    Finding(path, line: number, "says \"\($0.0)\": write about the project alone")
                }
            }
        )
    }

    /// Whether the line has `place` at the start of a path: `/tmp/x`, not `docs/tmp/x`.
    private static func names(_ place: String, in line: Substring) -> Bool {
        line.ranges(of: place).contains { range in
            guard let before = line[..<range.lowerBound].last else { return true }
            return !before.isLetter && !before.isNumber && !"._-*}".contains(before)
        }
    }

    /// All lines of all files but vectors, which have no words.
    private static func linesOfText() -> [(path: String, number: Int, line: Substring)] {
        Tree.paths.filter { !$0.hasSuffix(".json") }.flatMap { path in
            (Tree.text(path) ?? "").split(separator: "\n", omittingEmptySubsequences: false).enumerated()
                .map { (path, $0.offset + 1, $0.element) }
        }
    }
}
