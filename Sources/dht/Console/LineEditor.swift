import CEdit
import Glibc

/// Lines typed on a terminal, by libedit: its keys, characters of any width, and a history.
///
/// Used by one thread at a time.
@safe final class LineEditor {
    enum Line: Hashable {
        case text([UInt8])
        /// Some of what was typed is no UTF-8: without those bytes it would be another line.
        case garbled
        /// ^D on an empty line, or the terminal is gone.
        case end
        /// ^C on an empty line. On another it only drops the line.
        case interrupt
    }

    /// Lines remembered.
    private static let historyCapacity: Int32 = 500
    /// Longer ones are not.
    private static let rememberedLength = 4096
    /// Keys that people press and libedit has no function for, or another one.
    private static let keys = [
        ("^C", "drop-line"), ("^U", "vi-kill-line-prev"), ("^W", "ed-delete-prev-word"),
        ("^R", "em-inc-search-prev"), ("^S", "em-inc-search-next"), ("\\e[1;5C", "em-next-word"),
        ("\\e[1;5D", "ed-prev-word"), ("\\e[3~", "ed-delete-next-char"), ("\\e[1~", "ed-move-to-beg"),
        ("\\e[4~", "ed-move-to-end"), ("\\e[H", "ed-move-to-beg"), ("\\e[F", "ed-move-to-end"),
    ]

    private let edit: OpaquePointer
    private let history: OpaquePointer
    private let historyFile: String?
    private let prompt: UnsafeMutablePointer<CChar>
    /// Texts are UTF-8, whatever the environment says.
    private let locale = unsafe newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
    private var scalars = ScalarReader()
    private var isGarbled = false
    private var isInterrupted = false

    /// `historyFile`: where lines are kept for the next process; only its owner can read it.
    init(prompt: String, historyFile: String?) {
        // Which bytes are letters is asked for when the keys are bound.
        let former = unsafe uselocale(locale)
        defer { unsafe uselocale(former) }
        unsafe edit = dht_edit_make("dht")
        unsafe history = history_init()
        unsafe self.prompt = strdup(prompt)
        self.historyFile = historyFile
        unsafe dht_history_bound(history, Self.historyCapacity)
        if let historyFile { _ = unsafe dht_history_load(history, historyFile) }
        unsafe dht_edit_use_emacs_keys(edit)
        unsafe dht_edit_set_history(edit, history)
        unsafe dht_edit_set_client(edit, Unmanaged.passUnretained(self).toOpaque())
        unsafe dht_edit_set_prompt(edit) { unsafe LineEditor.of($0)?.prompt }
        unsafe dht_edit_set_reader(edit) { edit, character in
            guard let editor = unsafe LineEditor.of(edit) else { return -1 }
            return unsafe editor.read(character)
        }
        unsafe dht_edit_add(edit, "drop-line") { edit, _ in
            unsafe LineEditor.of(edit)?.drop() ?? UInt8(CC_ERROR)
        }
        for (key, function) in Self.keys { unsafe dht_edit_bind(edit, key, function) }
        // ^C, ^S and ^Q are keys like others.
        for setting in ["-isig", "-ixon"] { unsafe dht_edit_set_terminal(edit, setting) }
    }

    deinit {
        unsafe el_end(edit)
        unsafe history_end(history)
        unsafe free(prompt)
        if let locale = unsafe locale { unsafe freelocale(locale) }
    }

    /// Shows the prompt, and waits for a line.
    func next() -> Line {
        let former = unsafe uselocale(locale)
        defer { unsafe uselocale(former) }
        (isGarbled, isInterrupted) = (false, false)
        unsafe el_resize(edit)
        var count: Int32 = 0
        guard let typed = unsafe Terminal.restoring(STDIN_FILENO, { unsafe el_gets(edit, &count) }), count > 0
        else {
            Output.text("\n")
            return isInterrupted ? .interrupt : .end
        }
        var line = unsafe [UInt8](UnsafeRawBufferPointer(start: typed, count: Int(count)))
        if line.last == UInt8(ascii: "\n") { line.removeLast() }
        if isGarbled { return .garbled }
        remember(line)
        return .text(line)
    }

    /// A line that begins with a blank is not kept, as in other shells: it may hold a secret.
    private func remember(_ line: [UInt8]) {
        guard let first = line.first, first != UInt8(ascii: " "), line.count <= Self.rememberedLength else {
            return
        }
        unsafe dht_history_enter(history, String(decoding: line, as: UTF8.self))
        // A history that cannot be written is not worth a word to somebody who works.
        if let historyFile { _ = unsafe dht_history_save(history, historyFile) }
    }

    // MARK: Callbacks of libedit

    private static func of(_ edit: OpaquePointer?) -> LineEditor? {
        guard let edit = unsafe edit, let client = unsafe dht_edit_client(edit) else { return nil }
        return unsafe Unmanaged<LineEditor>.fromOpaque(client).takeUnretainedValue()
    }

    private func read(_ character: UnsafeMutablePointer<wchar_t>?) -> Int32 {
        switch scalars.next() {
        case .scalar(let scalar): unsafe character?.pointee = wchar_t(scalar.value)
        case .invalid:
            isGarbled = true
            unsafe character?.pointee = 0xFFFD
        case .end: return 0
        }
        return 1
    }

    private func drop() -> UInt8 {
        guard let line = unsafe el_line(edit), unsafe line.pointee.lastchar != line.pointee.buffer else {
            isInterrupted = true
            return UInt8(CC_EOF)
        }
        let length = unsafe Int32(line.pointee.lastchar - line.pointee.buffer)
        let place = unsafe Int32(line.pointee.cursor - line.pointee.buffer)
        unsafe el_cursor(edit, length - place)
        unsafe el_deletestr(edit, length)
        isGarbled = false
        return UInt8(CC_REFRESH)
    }
}

/// The scalars of standard input, read as they come: no byte is waited for that a scalar can do without.
private struct ScalarReader {
    enum Next {
        case scalar(Unicode.Scalar)
        /// A byte, or more, that is no UTF-8.
        case invalid
        case end
    }

    private var buffered: ArraySlice<UInt8> = []

    mutating func next() -> Next {
        guard let first = peek() else { return .end }
        buffered.removeFirst()
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
        var bytes = [first]
        while bytes.count < length {
            // A key pressed after half of a scalar still counts.
            guard let byte = peek(), byte & 0xC0 == 0x80 else { return .invalid }
            bytes.append(buffered.removeFirst())
        }
        let scalar = String(validating: bytes, as: UTF8.self)?.unicodeScalars.first
        return scalar.map { .scalar($0) } ?? .invalid
    }

    private mutating func peek() -> UInt8? {
        while buffered.isEmpty {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = unsafe Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            buffered = buffer[..<count]
        }
        return buffered.first
    }
}
