import Testing

@testable import DHTGateway

struct LineEditorTests {
    private var editor = LineEditor()

    private static let up: [UInt8] = [0x1B, 0x5B, 0x41]
    private static let down: [UInt8] = [0x1B, 0x5B, 0x42]
    private static let right: [UInt8] = [0x1B, 0x5B, 0x43]
    private static let left: [UInt8] = [0x1B, 0x5B, 0x44]
    private static let home: [UInt8] = [0x1B, 0x4F, 0x48]
    private static let end: [UInt8] = [0x1B, 0x5B, 0x34, 0x7E]
    private static let delete: [UInt8] = [0x1B, 0x5B, 0x33, 0x7E]

    /// Types text or keys; the last event.
    @discardableResult
    private mutating func type(_ keys: [UInt8]) -> LineEditor.Event {
        var last = LineEditor.Event.editing
        for key in keys { last = editor.feed(key) }
        return last
    }

    @discardableResult
    private mutating func type(_ text: String) -> LineEditor.Event { type(Array(text.utf8)) }

    private static func control(_ letter: Character) -> [UInt8] { [(letter.asciiValue ?? 0) & 0x1F] }

    @Test mutating func `return gives the line and begins a new one`() {
        #expect(type("get größe 🌍\r") == .line("get größe 🌍"))
        #expect(editor.text.isEmpty)
    }

    @Test(
        arguments: [[0x63, 0xE9], [0xE9, 0x63], [0xC3, 0x28], [0x80], [0xFF, 0xFE], [0xF0, 0x9F]] as [[UInt8]]
    )
    mutating func `a line with bytes that are no text is refused, not repaired`(bytes: [UInt8]) {
        #expect(type(Array("get ".utf8) + bytes + [0x0D]) == .garbled)
        #expect(type("get c\r") == .line("get c"))
    }

    @Test mutating func `characters are put in and taken out at the cursor`() {
        type("gt")
        type(Self.left + Array("e".utf8))
        #expect(editor.text == "get")
        type(Self.home + Self.delete + Array("p".utf8))
        #expect(editor.text == "pet")
        type(Self.end + [0x7F] + Array("n".utf8))
        #expect(editor.text == "pen")
        type(Self.left + Self.left + Self.left + Self.left + [0x7F] + Self.right + [0x08])
        #expect(editor.text == "en")
    }

    @Test mutating func `control keys cut and move`() {
        type("put key value")
        type(Self.control("W"))
        #expect(editor.text == "put key ")
        type(Self.control("A") + Self.control("F") + Self.control("K"))
        #expect(editor.text == "p")
        type("ut x" + "")
        type(Self.control("B") + Self.control("U"))
        #expect(editor.text == "x")
        type(Self.control("E") + Array("y".utf8))
        #expect(editor.text == "xy")
    }

    @Test mutating func `the history goes up and down and keeps what was being typed`() {
        type("one\rtwo\rtwo\r  \rdra")
        type(Self.up)
        #expect(editor.text == "two")
        type(Self.up + Self.up)
        #expect(editor.text == "one")
        type(Self.down + Self.down + Self.down)
        #expect(editor.text == "dra")
        #expect(type(Self.control("P") + [0x0D]) == .line("two"))
    }

    @Test mutating func `interrupt drops a line, and on an empty one is an event, as end is`() {
        type("half a li")
        #expect(type(Self.control("C")) == .editing)
        #expect(editor.text.isEmpty)
        #expect(type(Self.control("C")) == .interrupt)
        #expect(type(Self.control("D")) == .end)
        type("ab")
        type(Self.home)
        #expect(type(Self.control("D")) == .editing)
        #expect(editor.text == "b")
    }

    @Test mutating func `unknown sequences leave no trace`() {
        type([0x1B, 0x5B, 0x32, 0x30, 0x30, 0x7E, 0x1B, 0x78, 0x00, 0x1F])
        #expect(type("ok\r") == .line("ok"))
    }

    @Test mutating func `every byte may come at any time`() {
        var generator = SplitMix64(seed: 7)
        for _ in 0..<20_000 {
            _ = editor.feed(UInt8.random(in: 0...255, using: &generator))
            _ = editor.rendering(prompt: "> ", columns: 20)
        }
    }

    @Test mutating func `the cursor is shown in its place`() {
        type("abc")
        #expect(editor.rendering(prompt: "> ", columns: 80) == "\r\u{1B}[K> abc")
        type(Self.left)
        #expect(editor.rendering(prompt: "> ", columns: 80) == "\r\u{1B}[K> abc\u{1B}[1D")
    }

    @Test mutating func `of a long line the part around the cursor is shown`() {
        type("0123456789abcdef")
        #expect(editor.rendering(prompt: "> ", columns: 13) == "\r\u{1B}[K> 6789abcdef")
        type(Self.home)
        #expect(editor.rendering(prompt: "> ", columns: 13) == "\r\u{1B}[K> 0123456789\u{1B}[10D")
    }
}
