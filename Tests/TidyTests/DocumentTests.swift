import Foundation
import Testing

/// Documents say what is there.
struct DocumentTests {
    /// The names of all files and folders.
    private static let files = Set(Tree.paths.flatMap { $0.split(separator: "/") })

    /// All words of the sources, with those in strings, without comments.
    private static let words: Set<Substring> = {
        let word = #/\w+/#
        return Set(
            Tree.sources.flatMap(\.lines).flatMap { line in
                line.prefix(upTo: line.firstRange(of: "//")?.lowerBound ?? line.endIndex).matches(of: word)
                    .map(\.0)
            }
        )
    }()

    private static let documents = Tree.paths.filter { $0.hasSuffix(".md") }

    @Test(arguments: [
        "README.md", "docs/architecture.md", "docs/cli.md", "docs/operations.md", "docs/protocol.md",
        "docs/testing.md", "docs/repair.md", "docs/CONTRIBUTING.md",
    ])
    func `the documents others rely on exist`(path: String) {
        #expect(Tree.exists(path), "\(path) is missing: write it")
    }

    @Test func `links lead to files that exist`() {
        let link = #/\]\(([^)#\s]+)(?:#[^)]*)?\)/#
        expectNone(
            Self.documents.flatMap { path in
                Self.prose(path).flatMap { number, line in
                    line.matches(of: link).map { String($0.1) }
                        .filter {
                            !$0.contains("://") && !$0.hasPrefix("mailto:") && !Self.leads($0, from: path)
                        }
                        .map {
                            Finding(
                                path,
                                line: number,
                                "the link to \($0) leads nowhere: write it or mend the link"
                            )
                        }
                }
            }
        )
    }

    @Test func `paths named in documents exist`() {
        let path = #/`((?:docs|Sources|Tests|Fuzz|Benchmarks|\.ci)\/[\w.\/-]+)`/#
        expectNone(
            Self.documents.flatMap { document in
                Self.prose(document).flatMap { number, line in
                    line.matches(of: path).map { String($0.1) }.filter { !Tree.exists($0) }
                        .map {
                            Finding(
                                document,
                                line: number,
                                "names \($0), which does not exist: mend the name"
                            )
                        }
                }
            }
        )
    }

    @Test(arguments: ["docs/architecture.md", "docs/repair.md", "docs/CONTRIBUTING.md"])
    func `names of types, functions and files stand in the sources`(document: String) {
        let name = #/`(?:(\w+\.(?:swift|md|py|json))|\.?([A-Za-z]\w*(?:\.\w+)*)(?:\([\w:]*\))?)`/#
        expectNone(
            Self.prose(document).flatMap { number, line in
                line.matches(of: name).filter { match in
                    if let file = match.1 { return !Self.files.contains(file) }
                    return match.2?.split(separator: ".").contains {
                        !Self.words.contains($0) && !Self.files.contains($0)
                    } ?? true
                }
                .map { Finding(document, line: number, "names \($0.0), which is nowhere: mend the name") }
            }
        )
    }

    @Test func `every decision says its context, itself and its consequences`() {
        let decisions = Self.documents.filter {
            $0.hasPrefix("docs/decisions/") && $0 != "docs/decisions/README.md"
        }
        #expect(!decisions.isEmpty, "docs/decisions/ is empty: write down why things are as they are")
        for path in decisions {
            #expect(path.contains(#/\/\d{4}-[a-z0-9-]+\.md$/#), "\(path): name it NNNN-what-was-decided.md")
            let headings = Self.prose(path).map(\.line).filter { $0.hasPrefix("#") }
                .map { $0.drop { $0 == "#" || $0 == " " } }
            for heading in ["Context", "Decision", "Consequences"] {
                #expect(headings.contains { $0 == heading }, "\(path): has no heading \"\(heading)\"; add it")
            }
        }
    }

    /// The lines of a document outside its code blocks, with their numbers.
    private static func prose(_ path: String) -> [(number: Int, line: Substring)] {
        var inCode = false
        let lines = (Tree.text(path) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().compactMap { index, line in
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                inCode.toggle()
                return nil
            }
            return inCode ? nil : (index + 1, line)
        }
    }

    private static func leads(_ link: String, from document: String) -> Bool {
        let target = link.removingPercentEncoding ?? link
        let folder = Tree.root.appending(path: document).deletingLastPathComponent()
        return FileManager.default.fileExists(atPath: folder.appending(path: target).standardizedFileURL.path)
    }
}
