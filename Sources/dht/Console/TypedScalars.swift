import Glibc

/// The scalars of standard input, read as they come: no byte is waited for that a scalar can do without.
struct TypedScalars {
    enum Next {
        case scalar(Unicode.Scalar)
        /// A byte, or more, that is no UTF-8.
        case invalid
        case end
    }

    /// A text that was pasted, up to the mark of its end.
    struct Paste {
        /// Its ends of lines are line feeds, and there is none at its end.
        var text = ""
        /// Whether it has bytes that are no text, or is longer than anybody means.
        var isGarbled = false
    }

    /// The terminal's mark of the end of a paste.
    private static let pasteEnd = "\u{1B}[201~".unicodeScalars
    private static let longestPaste = 1 << 20

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

    /// The text after the mark of a paste's beginning.
    mutating func paste() -> Paste {
        var paste = Paste()
        var scalars = String.UnicodeScalarView()
        reading: while true {
            switch next() {
            case .end: break reading
            case .invalid: paste.isGarbled = true
            case .scalar("\0"): paste.isGarbled = true
            case .scalar(let scalar):
                guard scalars.count < Self.longestPaste else {
                    paste.isGarbled = true
                    scalars.removeAll()
                    continue
                }
                scalars.append(scalar)
                if scalar == "~", scalars.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) {
                    scalars.removeLast(Self.pasteEnd.count)
                    break reading
                }
            }
        }
        paste.text = Self.lines(scalars)
        return paste
    }

    /// With one scalar at the end of each line, and none of the text.
    private static func lines(_ scalars: String.UnicodeScalarView) -> String {
        var text = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in scalars {
            if scalar == "\r" || scalar == "\n" && previous != "\r" {
                text.append("\n")
            } else if scalar != "\n" {
                text.append(scalar)
            }
            previous = scalar
        }
        while text.last == "\n" { text.removeLast() }
        return String(text)
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
