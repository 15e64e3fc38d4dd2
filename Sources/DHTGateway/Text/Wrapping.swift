/// Columns of a screen.
package let screenWidth = 80

/// `text` in lines of 80 columns at most, broken at blanks; a word that is longer stands alone.
///
/// - Parameter indentation: Columns before each line; the first has them already.
package func wrapped(_ text: String, indentation: Int = 0) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
        let room = screenWidth - (lines.count == 1 ? indentation : 0)
        if let last = lines.last, last.count + 1 + word.count <= room {
            lines[lines.count - 1] += " \(word)"
        } else {
            lines.append((lines.isEmpty ? "" : String(repeating: " ", count: indentation)) + word)
        }
    }
    return lines
}
