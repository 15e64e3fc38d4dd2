import Testing

/// Times are computed with operators that stop at the ends: a calendar may say anything.
struct TimeTests {
    private static let targets = ["DHTCore", "DHTEngine", "DHTEnvelope", "DHTStorage", "SecureDHT"]

    /// Names of numbers that are times. Spans and instants have such operators of their own.
    private static let names =
        "(?:unixM(?:illi|icro)seconds|nanoseconds|milliseconds|microseconds|seconds|expiry|expires|lifetime"
        + "|clockTolerance|tv_n?sec)"

    /// Where a time meets an operator that traps or begins anew.
    static func plainOperators(in file: SourceFile) -> [Int] {
        let after = "\\b\(names)\\)?(?: [-+*]=? | << |&[-+*]| &[-+*]=? )"
        let before = "(?: [-+*]=? | &[-+*]=? )(?:\\w+\\()?(?:\\w+\\??\\.)*\(names)\\b(?![(:])"
        // Of a dotted name each part is a word.
        guard let pattern = try? Regex("\(after)|\(before)").wordBoundaryKind(.simple) else { return [] }
        return file.code.enumerated().filter { $0.element.contains(pattern) }.map { $0.offset + 1 }
    }

    @Test func `times are computed with operators that stop at the ends`() {
        expectNone(
            Self.targets.flatMap { Tree.sources(of: $0) }.flatMap { file in
                Self.plainOperators(in: file).map {
                    Finding(file.path, line: $0, "a time is computed by a plain operator: use +|, -| or *|")
                }
            }
        )
    }

    @Test func `the scan sees what it looks for`() {
        let file = SourceFile(
            path: "Sample.swift",
            text: """
                let a = now.unixMilliseconds - 5
                let b = 5 + entry.expiry
                let c = time.tv_sec * 1000
                let d = now.unixMilliseconds << 16
                let e = x &+ span.nanoseconds
                let f = UInt64(lifetime) * 1000
                let g = now.instant + .seconds(5)
                let h = now.unixMilliseconds -| 5
                let i = entry.expiry > now.unixMilliseconds +| 5
                let j = Interval.seconds(5) * 3
                """
        )
        #expect(Self.plainOperators(in: file) == [1, 2, 3, 4, 5, 6])
    }
}
