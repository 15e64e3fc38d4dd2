/// "Did you mean": the candidate nearest to a word nobody knows.
package enum Suggestion {
    /// The candidate with the fewest edits to `word`, the first among equals; `nil` if none is near enough.
    ///
    /// Near enough is a third of the word's length in edits, at least one.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        let limit = max(1, word.count / 3)
        let ranked = candidates.map { (name: $0, distance: distance(word.lowercased(), $0.lowercased())) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= limit else {
            return nil
        }
        return best.name
    }

    /// ` (did you mean "…"?)`, or nothing.
    package static func hint(for word: String, among candidates: [String]) -> String {
        nearest(to: word, among: candidates).map { " (did you mean \"\($0)\"?)" } ?? ""
    }

    /// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the other.
    package static func distance(_ lhs: String, _ rhs: String) -> Int {
        let (a, b) = (Array(lhs), Array(rhs))
        var twoBack: [Int] = []
        var previous = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(row[j] + 1, previous[j + 1] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, twoBack[j - 1] + 1) }
                row.append(best)
            }
            (twoBack, previous) = (previous, row)
        }
        return previous[b.count]
    }
}
