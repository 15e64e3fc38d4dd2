import Testing

/// Lengths and words.
struct ShapeTests {
    static let fileLimit = 400
    static let lineLimit = 110
    static let functionLimit = 70

    @Test func `a file is one noun, and short`() {
        expectNone(
            Tree.sources.map { ($0.path, $0.lines.count - 1) }.filter { $0.1 > Self.fileLimit }
                .map { Finding($0.0, "\($0.1) lines, the limit is \(Self.fileLimit): split it by noun") }
        )
    }

    @Test func `no line is too wide`() {
        expectNone(
            Tree.sources.flatMap { file in
                file.lines.enumerated().filter { $0.element.count > Self.lineLimit }.map {
                    Finding(
                        file.path,
                        line: $0.offset + 1,
                        "\($0.element.count) columns, the limit is \(Self.lineLimit): break it"
                    )
                }
            }
        )
    }

    @Test func `no function is too long`() {
        expectNone(
            Tree.sources.flatMap { file in
                file.functions(longerThan: Self.functionLimit).map {
                    Finding(
                        file.path,
                        line: $0.line,
                        "a function of \($0.count) lines, the limit is \(Self.functionLimit): name its parts"
                    )
                }
            }
        )
    }

    /// A closure that a generic function lends is wrapped, and wrapped again when it is put back: in a lock
    /// it grows with each look at it. It needs a type of its own around it.
    @Test func `no lock guards a closure itself`() {
        let alias = #/typealias (\w+) = .*->/#
        let aliases = Set(
            Tree.sources.flatMap { file in file.code.compactMap { $0.firstMatch(of: alias)?.1 } }
        )
        let guarded = #/(?:Mutex|LockedValueBox|ManagedCriticalState)<([^\n]*)>\(/#
        expectNone(
            Tree.sources.flatMap { file in
                file.code.enumerated().compactMap { index, line -> Finding? in
                    guard let state = line.firstMatch(of: guarded)?.1, !state.hasPrefix("["),
                        state.contains("->") || aliases.contains(state.prefix { $0 != "?" })
                    else { return nil }
                    return Finding(file.path, line: index + 1, "put the closure into a type of its own")
                }
            }
        )
    }

    @Test func `names use the words of the field`() {
        let banned: Set = ["packet", "item", "data", "manager", "helper", "util"]
        let files = Tree.sources.map { (file: $0.path, line: 1, name: String($0.name)) }
        let declarations = Tree.sources.flatMap { file in
            file.declaredNames.map { (file: file.path, line: $0.line, name: $0.name) }
        }
        expectNone(
            (files + declarations).flatMap { file, line, name in
                Self.words(of: name).filter { banned.contains($0) }.map {
                    Finding(file, line: line, "`\(name)` says \"\($0)\", which says nothing: name what it is")
                }
            }
        )
    }

    /// The words of a camel-case name, lower-case, in the singular.
    private static func words(of name: String) -> [String] {
        name.matches(of: #/[A-Z]?[a-z]+/#).map { match in
            let word = match.0.lowercased()
            return word.hasSuffix("s") ? String(word.dropLast()) : word
        }
    }

    @Test func `the scans see what they look for`() {
        let file = SourceFile(
            path: "Sample.swift",
            text: """
                @testable import DHTCore
                import struct Foundation.URL
                // import NIOCore
                let text = "print(" // print(
                /* import Logging
                */
                struct PacketParser {
                    func long(
                        _ a: Int
                    ) -> Int {
                        a
                    }
                    var one: Int { 1 }
                    func short() {}
                }
                protocol Shape {
                    func area() -> Int
                }
                extension Shape {
                    var area: Int {
                        1
                    }
                }
                """
        )
        #expect(file.imports.map(\.module) == ["DHTCore", "Foundation"])
        #expect(file.imports.map(\.line) == [1, 2])
        #expect(!file.code.contains { $0.contains("print") })
        #expect(file.declaredNames.map(\.name) == ["PacketParser", "long", "short", "Shape", "area"])
        #expect(file.functions(longerThan: 4).map(\.line) == [8])
        #expect(file.functions(longerThan: 4).map(\.count) == [5])
        #expect(file.functions(longerThan: 5).isEmpty)
    }
}
