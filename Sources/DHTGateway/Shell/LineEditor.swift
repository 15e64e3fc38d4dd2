/// A line being typed on a terminal: bytes in, bytes to show out. No terminal is touched here.
///
/// Keys: ←/→ or ^B/^F, ↑/↓ or ^P/^N for the history, Home/End or ^A/^E, Backspace, Delete, ^K and ^U to cut
/// after and before the cursor, ^W to cut a word, ^C to drop the line, ^D to end.
package struct LineEditor: Sendable {
    /// The result of a byte.
    package enum Event: Hashable, Sendable {
        /// The line goes on.
        case editing
        /// Return was pressed.
        case line(String)
        /// Return was pressed, and some of what came before it was no UTF-8: the line is dropped.
        case garbled
        /// ^D on an empty line.
        case end
        /// ^C on an empty line. On another it only drops the line.
        case interrupt
    }

    /// Lines remembered.
    package static let historyCapacity = 500

    private var line: [Character] = []
    private var cursor = 0
    private var history: [String] = []
    /// Which line of the history is shown; `history.count` for the one being typed, kept in `draft`
    /// meanwhile.
    private var place = 0
    private var draft: [Character] = []
    /// Bytes of an escape sequence or of a scalar that is not complete yet.
    private var pending: [UInt8] = []
    /// Whether something of the line was no UTF-8.
    private var isGarbled = false

    package init() {}

    package var text: String { String(line) }

    /// Bytes that show `prompt` and the line on the terminal's current row, the cursor in its place.
    ///
    /// Of a line longer than a row of `columns` the part around the cursor is shown.
    package func rendering(prompt: String, columns: Int) -> String {
        let room = max(8, columns - prompt.count - 1)
        let start = max(0, cursor - room)
        let shown = line[start..<min(line.count, start + room)]
        let back = start + shown.count - cursor
        return "\r\u{1B}[K" + prompt + String(shown) + (back > 0 ? "\u{1B}[\(back)D" : "")
    }

    package mutating func feed(_ byte: UInt8) -> Event {
        // A byte that cannot go on a scalar ends it: a key pressed after half of one still counts.
        if let first = pending.first, first != 0x1B, byte & 0xC0 != 0x80 { garble() }
        if !pending.isEmpty || byte == 0x1B || byte >= 0x80 {
            pending.append(byte)
            feedPending()
            return .editing
        }
        switch byte {
        case 0x0D, 0x0A: return finish()
        case 0x03:
            if line.isEmpty { return .interrupt }
            clear()
        case 0x04:
            if line.isEmpty { return .end }
            deleteForward()
        case 0x01: cursor = 0
        case 0x02: cursor = max(0, cursor - 1)
        case 0x05: cursor = line.count
        case 0x06: cursor = min(line.count, cursor + 1)
        case 0x08, 0x7F: deleteBackward()
        case 0x0B: line.removeSubrange(cursor...)
        case 0x0E: recall(place + 1)
        case 0x10: recall(place - 1)
        case 0x15:
            line.removeSubrange(..<cursor)
            cursor = 0
        case 0x17: deleteWord()
        case 0x20...0x7E: insert(Character(Unicode.Scalar(byte)))
        default: break
        }
        return .editing
    }

    private mutating func feedPending() {
        if pending[0] == 0x1B { return feedEscape() }
        // A scalar of two to four bytes: shown once it is whole, else the line is no text.
        let expected = pending[0] >= 0xF0 ? 4 : pending[0] >= 0xE0 ? 3 : pending[0] >= 0xC2 ? 2 : 1
        guard pending.count >= expected else { return }
        guard let text = String(validating: pending, as: UTF8.self) else { return garble() }
        text.forEach { insert($0) }
        pending = []
    }

    /// Without those bytes the line would be another one.
    private mutating func garble() {
        (pending, isGarbled) = ([], true)
        insert("\u{FFFD}")
    }

    /// `ESC [ … final` or `ESC O final`: the keys above; any other sequence is swallowed.
    private mutating func feedEscape() {
        guard pending.count >= 2 else { return }
        guard pending[1] == UInt8(ascii: "[") || pending[1] == UInt8(ascii: "O") else {
            pending = []
            return
        }
        guard pending.count >= 3, let final = pending.last, (0x40...0x7E).contains(final) else {
            if pending.count > 16 { pending = [] }
            return
        }
        let parameters = String(decoding: pending[2..<(pending.count - 1)], as: UTF8.self)
        pending = []
        switch (UnicodeScalar(final), parameters) {
        case ("A", ""): recall(place - 1)
        case ("B", ""): recall(place + 1)
        case ("C", ""): cursor = min(line.count, cursor + 1)
        case ("D", ""): cursor = max(0, cursor - 1)
        case ("H", ""), ("~", "1"), ("~", "7"): cursor = 0
        case ("F", ""), ("~", "4"), ("~", "8"): cursor = line.count
        case ("~", "3"): deleteForward()
        default: break
        }
    }

    private mutating func insert(_ character: Character) {
        line.insert(character, at: cursor)
        cursor += 1
    }

    private mutating func deleteBackward() {
        guard cursor > 0 else { return }
        cursor -= 1
        line.remove(at: cursor)
    }

    private mutating func deleteForward() {
        guard cursor < line.count else { return }
        line.remove(at: cursor)
    }

    private mutating func deleteWord() {
        var start = cursor
        while start > 0, line[start - 1] == " " { start -= 1 }
        while start > 0, line[start - 1] != " " { start -= 1 }
        line.removeSubrange(start..<cursor)
        cursor = start
    }

    private mutating func recall(_ index: Int) {
        guard (0...history.count).contains(index), index != place else { return }
        if place == history.count { draft = line }
        place = index
        line = index == history.count ? draft : Array(history[index])
        cursor = line.count
    }

    private mutating func finish() -> Event {
        let text = String(line)
        if isGarbled {
            clear()
            return .garbled
        }
        if !text.allSatisfy({ $0 == " " }), history.last != text {
            history.append(text)
            if history.count > Self.historyCapacity { history.removeFirst() }
        }
        clear()
        return .line(text)
    }

    private mutating func clear() {
        (line, cursor, draft, place, isGarbled) = ([], 0, [], history.count, false)
    }
}
