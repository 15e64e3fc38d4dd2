import Testing

/// Who may see whom. `docs/architecture.md` has the picture.
struct LayeringTests {
    private static let collections: Set = ["DequeModule", "HeapModule"]
    /// The C library, by its names on the systems we build for.
    private static let systemCalls: Set = ["Darwin", "Glibc", "Musl"]

    /// What each target under `Sources/` may import beyond the standard library.
    static let imports: [String: Set<String>] = [
        "Charts": [],
        "DHTConfiguration": ["DHTCrypto", "DHTGateway", "TOMLKit"],
        "DHTCore": collections,
        "DHTCrypto": systemCalls.union(["CDigest", "CSodium", "DHTCore", "Synchronization"]),
        "DHTEnvelope": ["DHTCore", "DHTCrypto"],
        "DHTEngine": collections.union(["DHTCore", "DHTCrypto", "DHTEnvelope"]),
        "DHTStorage": systemCalls.union(["DHTCore", "FoundationEssentials", "GRDB", "Synchronization"]),
        "SecureDHT": systemCalls.union([
            "CoreMetrics", "DHTCore", "DHTCrypto", "DHTEngine", "DHTEnvelope", "DHTStorage", "DequeModule",
            "Dispatch", "FoundationEssentials", "Logging", "NIOCore", "NIOPosix", "ServiceLifecycle",
            "Synchronization",
        ]),
        "DHTSimulator": collections.union([
            "DHTCore", "DHTCrypto", "DHTEngine", "DHTEnvelope", "DHTStorage",
        ]),
    ]

    /// What the kit may import that all tests share: were it to know more, each of them would wait for that.
    static let kit: Set = ["DHTCore", "Foundation", "Glibc"]

    /// Targets at the outside of the house, which may import anything.
    static let outermost: Set = ["DHTGateway", "dht"]

    /// Targets written in C: next to nothing, tested through the Swift above them.
    static let shims: Set = ["CBuild", "CDigest", "CEdit", "CSodium"]

    /// Targets that perform no IO and read neither clock nor chance of their own. The store does have a disk,
    /// and nothing else of the outer world: what is to be kept, and until when, it is told.
    static let pure = ["Charts", "DHTCore", "DHTEnvelope", "DHTEngine", "DHTStorage", "DHTSimulator"]

    /// What pure targets take from one that is not wholly so: they must not come to need a disk.
    static let diskless = [
        "Sources/DHTStorage/RecordStore.swift", "Sources/DHTStorage/MemoryRecordStore.swift",
    ]

    @Test func `every target imports only what its layer may see`() {
        let findings = Self.imports.sorted { $0.key < $1.key }.flatMap { target, allowed in
            Tree.sources(of: target).flatMap { file in
                file.imports.compactMap { line, module -> Finding? in
                    guard !allowed.contains(module) else { return nil }
                    return Finding(
                        file.path,
                        line: line,
                        """
                        \(target) must not import \(module). Move the code to a layer that may; if the \
                        layering itself changes, say so in LayeringTests.imports and docs/architecture.md
                        """
                    )
                }
            }
        }
        expectNone(findings)
    }

    @Test func `the kit of the tests sees the core alone, and no target sees the kit`() {
        let kit = Tree.sources.filter { $0.path.hasPrefix("Tests/TestKit/") }
        #expect(!kit.isEmpty)
        expectNone(
            Tree.sources.flatMap { file in
                file.imports.filter {
                    file.path.hasPrefix("Tests/TestKit/")
                        ? !Self.kit.contains($0.module)
                        : file.path.hasPrefix("Sources/") && $0.module == "TestKit"
                }
                .map { Finding(file.path, line: $0.line, "must not import \($0.module), see `kit`") }
            }
        )
    }

    @Test(arguments: diskless)
    func `what the simulator stores in sees no disk`(path: String) throws {
        let file = try #require(
            SourceFile(path: path),
            "\(path) is gone; take it out of LayeringTests.diskless"
        )
        #expect(file.imports.map(\.module) == ["DHTCore"], "\(path) must import DHTCore alone")
    }

    @Test func `a real node can hold no other gate than its own`() {
        let word = #/\b(?:StandInGate|LyingGate|GatedEngine)\b/#
        let findings = ["SecureDHT", "DHTGateway"].flatMap { Tree.sources(of: $0) }.flatMap { file in
            file.imports.filter { $0.module == "DHTSimulator" }
                .map {
                    Finding(file.path, line: $0.line, "imports DHTSimulator, whose gates keep nobody out")
                }
                + file.code.enumerated().compactMap { index, line in
                    line.firstMatch(of: word).map {
                        Finding(file.path, line: index + 1, "names \($0.0): a node's engine is `Engine`")
                    }
                }
        }
        expectNone(findings)
    }

    @Test func `every target is known and tested`() {
        let targets = Tree.folders(in: "Sources").filter { !Self.shims.contains($0) }
        let tests = Set(Tree.folders(in: "Tests"))
        // The command line is tested as the process it is.
        let findings = targets.flatMap { target -> [Finding] in
            let folder = target == "dht" ? "IntegrationTests" : "\(target)Tests"
            var findings: [Finding] = []
            if Self.imports[target] == nil, !Self.outermost.contains(target) {
                findings.append(
                    Finding("Sources/\(target)", "say in LayeringTests.imports what this target may import")
                )
            }
            if !tests.contains(folder) {
                findings.append(Finding("Sources/\(target)", "has no Tests/\(folder); write its tests there"))
            }
            return findings
        }
        expectNone(findings)
        expectNone(
            Self.outermost.union(Self.imports.keys).sorted().filter { !targets.contains($0) }
                .map { Finding("Sources/\($0)", "is gone; take it out of LayeringTests.imports") }
        )
    }

    @Test func `pure targets read no clock, no chance and nothing that traps at will`() {
        let banned: [(call: String, instead: String)] = [
            ("ContinuousClock", "take `now` as a parameter"),
            ("SuspendingClock", "take `now` as a parameter"),
            ("Date()", "take `now` as a parameter"),
            ("clock_gettime", "take `now` as a parameter"),
            ("Task.sleep", "say when by `nextDeadline`"),
            ("SystemRandomNumberGenerator()", "take a generator as a parameter"),
            ("print(", "return a value, or count it"),
            ("fatalError(", "use `precondition` with the state in its message"),
            ("try!", "handle the error"),
        ]
        let findings = Self.pure.flatMap { Tree.sources(of: $0) }.flatMap { file in
            file.code.enumerated().flatMap { index, line -> [Finding] in
                var findings = banned.filter { Self.calls($0.call, in: line) }
                    .map {
                        Finding(file.path, line: index + 1, "no `\($0.call)` in a pure target: \($0.instead)")
                    }
                if Self.drawsUnseeded(file.code[index...]) {
                    findings.append(
                        Finding(
                            file.path,
                            line: index + 1,
                            "chance of its own in a pure target: pass `using:`"
                        )
                    )
                }
                return findings
            }
        }
        expectNone(findings)
    }

    @Test func `no source forces a try`() {
        let findings = Tree.sources.filter { !$0.path.hasPrefix("Tests/") }.flatMap { file in
            file.code.enumerated().filter { Self.calls("try!", in: $0.element) }
                .map { Finding(file.path, line: $0.offset + 1, "no `try!` outside tests: handle the error") }
        }
        expectNone(findings)
    }

    /// Whether the line uses `call` as a word of its own: `print(` but not `fingerprint(`.
    private static func calls(_ call: String, in line: String) -> Bool {
        line.ranges(of: call).contains { range in
            guard let before = line[..<range.lowerBound].last else { return true }
            return !before.isLetter && !before.isNumber && before != "_"
        }
    }

    /// Whether the first line takes from the process's random source, which no seed repeats.
    private static func drawsUnseeded(_ lines: ArraySlice<String>) -> Bool {
        guard let line = lines.first, line.contains(#/\.random\(|\.randomElement\(|\.shuffled?\(/#) else {
            return false
        }
        // A call that is broken after its parenthesis has its arguments below.
        return !lines.prefix(line.hasSuffix("(") ? 4 : 1).contains { $0.contains("using:") }
    }
}
