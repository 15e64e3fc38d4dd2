import Testing

/// How much state one type has: what is a machine of its own owns its state.
struct StateTests {
    private static let targets = ["DHTCore", "DHTEnvelope", "DHTEngine", "DHTStorage"]
    private static let limit = 20
    /// Machines that have given their state away.
    private static let machines = ["GatedEngine": 15, "KademliaNode": 15, "NodeLoop": 15]
    /// Types with more than others, and how many they may have.
    private static let exceptions = [
        // As many as there are things to be counted.
        "Counters": 25
    ]

    @Test func `no type has more stored properties than can be thought of at once`() {
        let files = Self.targets.flatMap { Tree.sources(of: $0) } + Tree.sources(of: "SecureDHT")
        var known: Set<String> = []
        let findings = files.flatMap { file in
            file.storedProperties.compactMap { type -> Finding? in
                known.insert(type.name)
                let isPure = Self.targets.contains { file.path.hasPrefix("Sources/\($0)/") }
                guard
                    let limit = Self.machines[type.name] ?? Self.exceptions[type.name]
                        ?? (isPure ? Self.limit : nil),
                    type.count > limit
                else { return nil }
                return Finding(
                    file.path,
                    line: type.line,
                    "\(type.name) has \(type.count) stored properties, the limit is \(limit): find the "
                        + "machine in it that has a state of its own"
                )
            }
        }
        #expect(known.isSuperset(of: Self.machines.keys))
        #expect(known.count > 150)
        expectNone(findings)
    }

    @Test func `stored properties are told from others`() {
        let file = SourceFile(
            path: "Sample.swift",
            text: """
                struct Outer {
                    static let limit = 1
                    let first: Int
                    private(set) var second = [1] {
                        didSet {}
                    }
                    var computed: Int { first }
                    var long: Int {
                        let local = 1
                        return local
                    }
                    enum Inner {
                        case one
                    }
                    final class Other {
                        @Guarded weak var third: Other?
                        var fourth = {
                            1
                        }()
                    }
                    let (fifth, sixth): (Int, Int)
                }
                """
        )
        let found = file.storedProperties
        #expect(found.map(\.name) == ["Outer", "Inner", "Other"])
        #expect(found.map(\.count) == [4, 0, 2])
        #expect(found.map(\.line) == [1, 12, 15])
    }
}

extension SourceFile {
    /// Types declared, each with its first line and its own stored properties, found by their indentation.
    fileprivate var storedProperties: [(name: String, line: Int, count: Int)] {
        let type = #/^( *)(?:[\w@()]+ )*(?:struct|class|actor|enum) (\w+).*\{$/#
        return code.indices.compactMap { start -> (name: String, line: Int, count: Int)? in
            guard let match = code[start].wholeMatch(of: type),
                let end = code[start...].firstIndex(of: match.1 + "}")
            else { return nil }
            let indent = match.1 + "    "
            let count = (start + 1..<end).reduce(0) { $0 + propertyCount(at: $1, indent: String(indent)) }
            return (String(match.2), start + 1, count)
        }
    }

    /// Stored properties that a line declares in a type whose members are indented so.
    private func propertyCount(at index: Int, indent: String) -> Int {
        let property = #/(?:@\w+(?:\(.*?\))? |[\w()]+ )*?(?:let|var) (\(.*?\)|\w+)(.*)/#
        let line = code[index]
        guard line.hasPrefix(indent), !line.hasPrefix(indent + " "),
            let match = line.dropFirst(indent.count).wholeMatch(of: property),
            !line.contains("static ")
        else { return 0 }
        let names = match.1.split(separator: ",").count
        // With a body, it is stored if that observes it or makes its value.
        guard match.2.contains("{") else { return names }
        let body = index + 1 < code.count ? code[index + 1].drop { $0 == " " } : ""
        let isObserved = ["didSet", "willSet"].contains { body.hasPrefix($0) || match.2.contains("{ \($0)") }
        return isObserved || match.2.contains("=") ? names : 0
    }
}
