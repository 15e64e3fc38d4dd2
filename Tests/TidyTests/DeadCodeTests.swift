import Testing

/// What is declared is used by the program: what tests alone use belongs to the tests.
struct DeadCodeTests {
    /// Names that only somebody else's code calls.
    static let called: Set = [
        "channelActive", "channelReadComplete", "handle", "handlerAdded", "Main", "OutboundIn", "respond",
        "unownedExecutor",
        // Requirements of swift-metrics.
        "makeCounter", "makeMeter", "makeRecorder", "makeTimer", "destroyCounter", "destroyMeter",
        "destroyRecorder", "destroyTimer", "reset", "decrement",
        "EADDRINUSE",  // a case that is matched
        "stopping",  // a field of JSON
    ]

    @Test func `every declaration is named once more than where it is declared`() {
        let word = #/\w+/#
        let kinds = "func|var|let|case|struct|enum|class|protocol|typealias|actor"
        guard let declaration = try? Regex("^([\\w @().]*?)(?:\(kinds)) ([A-Za-z_]\\w+)") else {
            preconditionFailure("the pattern is one")
        }
        let sources = Tree.sources.filter { $0.path.hasPrefix("Sources/") || $0.path.hasPrefix("Fuzz/") }
        // With what is interpolated into strings; documents of other declarations are no use.
        let stripped = sources.map { file in
            file.lines.map { $0.prefix(upTo: $0.firstRange(of: "//")?.lowerBound ?? $0.endIndex) }
        }
        var uses: [Substring: Int] = [:]
        for line in stripped.joined() {
            for match in line.matches(of: word) { uses[match.0, default: 0] += 1 }
        }
        let findings = zip(sources, stripped).flatMap { file, lines in
            zip(1..., lines).compactMap { line, code -> Finding? in
                guard let match = code.prefixMatch(of: declaration), let before = match[1].substring,
                    let name = match[2].substring, !before.contains("public"), !before.contains("override"),
                    uses[name] == 1, !Self.called.contains(String(name))
                else { return nil }
                return Finding(
                    file.path,
                    line: line,
                    "\(name) is used by tests alone, if at all: take it out"
                )
            }
        }
        #expect(uses.count > 3000)
        expectNone(findings)
    }
}
