import CEdit
import DHTGateway
import Glibc

/// Lines typed on a terminal, by libedit: its keys, characters of any width, completion and a history.
///
/// Used by one thread at a time. As long as there is one, what is typed between two lines waits for the next,
/// unseen.
@safe final class LineEditor {
    enum Line: Hashable {
        case text([UInt8])
        /// Some of what was typed is no UTF-8: without those bytes it would be another line.
        case garbled
        /// ^D on an empty line, or the terminal is gone.
        case end
    }

    /// The answer to ^C on an empty line.
    private static let farewellHint = "quit, or ^D, ends"

    /// Of more that could be meant, the number is told.
    private static let candidatesShown = 60

    private let edit: OpaquePointer
    private let lines: OpaquePointer
    private let prompt: UnsafeMutablePointer<CChar>
    /// Texts are UTF-8, whatever the environment says.
    private let locale = unsafe newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
    private var history: ShellHistory
    private let file: HistoryFile?
    private let peers: () -> [String]
    private var marksPastes = false
    private var typed = TypedScalars()
    private var isGarbled = false
    /// Lines that were pasted, and are to follow the one that was given out.
    private var following: ArraySlice<[UInt8]> = []

    /// - Parameters:
    ///   - history: Without lines, if there is no `file`.
    ///   - file: Where lines are kept for the next process, and for others.
    ///   - peers: Names and identities that can be completed.
    init(prompt: String, history: ShellHistory, file: HistoryFile?, peers: @escaping () -> [String]) {
        // Which bytes are letters is asked for when the keys are bound.
        let former = unsafe uselocale(locale)
        defer { unsafe uselocale(former) }
        Terminal.keepModes(STDIN_FILENO)
        unsafe edit = dht_edit_make("dht")
        unsafe lines = history_init()
        unsafe self.prompt = strdup(prompt)
        (self.history, self.file, self.peers) = (history, file, peers)
        unsafe dht_history_bound(lines, Int32(ShellHistory.capacity))
        for line in history.lines { unsafe dht_history_enter(lines, line) }
        unsafe dht_edit_use_emacs_keys(edit)
        unsafe dht_edit_set_history(edit, lines)
        unsafe dht_edit_set_client(edit, Unmanaged.passUnretained(self).toOpaque())
        unsafe dht_edit_set_prompt(edit) { unsafe LineEditor.of($0)?.prompt }
        unsafe dht_edit_set_reader(edit) { edit, character in
            guard let editor = unsafe LineEditor.of(edit) else { return -1 }
            return unsafe editor.read(character)
        }
        marksPastes = unsafe LineKeys.bind(edit)
        // ^C, ^S and ^Q are keys like others.
        for setting in ["-isig", "-ixon"] { unsafe dht_edit_set_terminal(edit, setting) }
        // Between two lines the terminal would hold no more than 4,095 bytes of a line, and lose the rest.
        for setting in ["-icanon", "-echo"] { unsafe dht_edit_set_terminal_between(edit, setting) }
    }

    deinit {
        unsafe el_end(edit)
        unsafe history_end(lines)
        unsafe free(prompt)
        if let locale = unsafe locale { unsafe freelocale(locale) }
        Terminal.restore()
    }

    /// Shows the prompt, and waits for a line.
    func next() -> Line {
        if let line = following.popFirst() {
            unsafe Output.line(String(cString: prompt) + printable(String(decoding: line, as: UTF8.self)))
            return accept(line)
        }
        let former = unsafe uselocale(locale)
        defer { unsafe uselocale(former) }
        isGarbled = false
        unsafe el_resize(edit)
        Terminal.marksPastes(marksPastes)
        var count: Int32 = 0
        let typed = unsafe el_gets(edit, &count)
        Terminal.marksPastes(false)
        guard let typed = unsafe typed, count > 0 else {
            Output.text("\n")
            return .end
        }
        let line = unsafe [UInt8](UnsafeRawBufferPointer(start: typed, count: Int(count)))
        if isGarbled { return .garbled }
        following = line.split(separator: UInt8(ascii: "\n")).map(Array.init)[...]
        return accept(following.popFirst() ?? [])
    }

    private func accept(_ line: [UInt8]) -> Line {
        let text = String(decoding: line, as: UTF8.self)
        if history.keeps(text) {
            history.add(text)
            unsafe dht_history_enter(lines, text)
            file?.add(text)
        }
        return .text(line)
    }

    // MARK: Callbacks of libedit

    static func of(_ edit: OpaquePointer?) -> LineEditor? {
        guard let edit = unsafe edit, let client = unsafe dht_edit_client(edit) else { return nil }
        return unsafe Unmanaged<LineEditor>.fromOpaque(client).takeUnretainedValue()
    }

    private func read(_ character: UnsafeMutablePointer<wchar_t>?) -> Int32 {
        switch typed.next() {
        case .scalar(let scalar): unsafe character?.pointee = wchar_t(scalar.value)
        case .invalid:
            isGarbled = true
            unsafe character?.pointee = 0xFFFD
        case .end: return 0
        }
        return 1
    }

    /// The line on one side of the cursor.
    private func text(before isBefore: Bool) -> String {
        guard let line = unsafe el_wline(edit) else { return "" }
        let start = unsafe isBefore ? line.pointee.buffer : line.pointee.cursor
        let end = unsafe isBefore ? line.pointee.cursor : line.pointee.lastchar
        guard let start = unsafe start, let end = unsafe end else { return "" }
        var text = String.UnicodeScalarView()
        for place in 0..<(unsafe end - start) {
            text.append(Unicode.Scalar(UInt32(truncatingIfNeeded: unsafe start[place])) ?? "\u{FFFD}")
        }
        return String(text)
    }

    /// Over a character as people see it, of as many scalars as it has.
    func moveLeft() -> Int32 {
        guard let character = text(before: true).last else { return CC_ERROR }
        unsafe el_cursor(edit, -Int32(character.unicodeScalars.count))
        return CC_REFRESH
    }

    func moveRight() -> Int32 {
        guard let character = text(before: false).first else { return CC_ERROR }
        unsafe el_cursor(edit, Int32(character.unicodeScalars.count))
        return CC_REFRESH
    }

    func deleteLeft() -> Int32 {
        guard let character = text(before: true).last else { return CC_ERROR }
        unsafe el_deletestr(edit, Int32(character.unicodeScalars.count))
        return CC_REFRESH
    }

    func deleteRight() -> Int32 { moveRight() == CC_ERROR ? CC_ERROR : deleteLeft() }

    /// ^D, as in other shells.
    func deleteRightOrEnd() -> Int32 {
        text(before: true).isEmpty && text(before: false).isEmpty ? CC_EOF : deleteRight()
    }

    func drop() -> Int32 {
        let (before, after) = (text(before: true).unicodeScalars, text(before: false).unicodeScalars)
        guard before.count + after.count > 0 else {
            Output.text("\n\(Self.farewellHint)\n")
            return CC_REDISPLAY
        }
        unsafe el_cursor(edit, Int32(after.count))
        unsafe el_deletestr(edit, Int32(before.count + after.count))
        isGarbled = false
        return CC_REFRESH
    }

    func paste() -> Int32 {
        let paste = typed.paste()
        if paste.isGarbled { isGarbled = true }
        guard !paste.text.isEmpty else { return CC_NORM }
        return unsafe el_insertstr(edit, paste.text) == 0 ? CC_REFRESH : CC_ERROR
    }

    func complete() -> Int32 {
        let completion = ShellCompletion(text(before: true), history: history.lines, peers: peers)
        if completion.removed > 0 { unsafe el_deletestr(edit, Int32(completion.removed)) }
        if !completion.inserted.isEmpty {
            return unsafe el_insertstr(edit, completion.inserted) == 0 ? CC_REFRESH : CC_ERROR
        }
        guard completion.candidates.count > 1 else { return CC_ERROR }
        let shown = completion.candidates.prefix(Self.candidatesShown)
        let rest = completion.candidates.count - shown.count
        let list = shown.joined(separator: "  ") + (rest > 0 ? "  … \(rest) more" : "")
        Output.text("\n\(list)\n")
        return CC_REDISPLAY
    }
}
