import Testing

/// Comments are sentences about things that have names.
struct CommentTests {
    /// Words that stand for a noun which the sentence does not say.
    private static let pronouns: Set<Substring> = ["Who", "Whom", "Whoever", "What", "Whatever"]

    /// Whether a sentence begins with one of ``pronouns`` and asks nothing.
    private static func lacksNoun(_ words: [Substring]) -> Bool {
        // The dash of a list, or the name of a parameter, stands before its sentence.
        let first = words.first { $0 != "-" && !($0.hasPrefix("`") && $0.hasSuffix("`:")) }
        guard let first, let last = words.last, !last.hasSuffix("?") else { return false }
        return pronouns.contains(first.prefix { $0.isLetter })
    }

    @Test func `a comment's sentence names its noun`() {
        let sentences = Tree.sources.filter { $0.path.hasPrefix("Sources/") }.flatMap { file in
            file.sentences.map { (file: file.path, line: $0.line, words: $0.words) }
        }
        #expect(sentences.count > 3000)
        expectNone(
            sentences.filter { Self.lacksNoun($0.words) }.map { file, line, words in
                let sentence = words.joined(separator: " ")
                return Finding(file, line: line, "\"\(sentence)\" names no noun: begin with the thing itself")
            }
        )
    }

    @Test func `the scan sees what it looks for`() {
        let file = SourceFile(
            path: "Sample.swift",
            text: """
                // MARK: What is found
                /// The count. What is counted
                /// stands elsewhere.
                let a = 1  // What stands beside code.
                // Who reads this? Whatever, it is `a`.
                ///
                /// - What a list says.
                /// `b`: Whom it is for
                let b = "// What"
                // MARK: - Whoever asks
                // Whose it is. What's here. Somebody who asks. What is
                // asked?
                """
        )
        #expect(file.sentences.filter { Self.lacksNoun($0.words) }.map(\.line) == [1, 2, 5, 7, 8, 10, 11])
    }
}

extension SourceFile {
    /// The sentences of comments on lines of their own, each with the line it begins in: up to a `.`, `!` or
    /// `?` at the end of a word, or up to the end of the comment. The text of a `MARK:` is one.
    fileprivate var sentences: [(line: Int, words: [Substring])] {
        let opening = #/\s*\/{2,3}( MARK:)?/#
        var sentences: [(line: Int, words: [Substring])] = []
        var isOpen = false
        for (index, line) in lines.enumerated() {
            guard let match = line.prefixMatch(of: opening) else {
                isOpen = false
                continue
            }
            let isMark = match.1 != nil
            if isMark { isOpen = false }
            for word in line[match.range.upperBound...].split(separator: " ") {
                if isOpen {
                    sentences[sentences.count - 1].words.append(word)
                } else {
                    sentences.append((index + 1, [word]))
                }
                isOpen = ![".", "!", "?"].contains { word.hasSuffix($0) }
            }
            if isMark { isOpen = false }
        }
        return sentences
    }
}
