import DHTCore

/// Bytes from the network as text that cannot drive a terminal.
///
/// UTF-8 without control characters is shown as it is. With some it is shown with escapes, `\n`, `\u{1b}`,
/// and a backslash doubled; what is no UTF-8 as `0x` and hexadecimal digits.
package func displayText(_ bytes: [UInt8]) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { return "0x" + hexadecimal(bytes) }
    guard text.unicodeScalars.contains(where: drivesTerminals) else { return text }
    return text.unicodeScalars.reduce(into: "") { shown, scalar in
        switch scalar {
        case "\n": shown += "\\n"
        case "\r": shown += "\\r"
        case "\t": shown += "\\t"
        case "\\": shown += "\\\\"
        case _ where drivesTerminals(scalar): shown += escape(scalar)
        default: shown.unicodeScalars.append(scalar)
        }
    }
}

/// A value for somebody at a terminal: its lines and tabs as they are, and of what could drive the terminal
/// or is no UTF-8 each byte as `\x1b`, each scalar beyond ASCII as `\u{9b}`. Then a backslash is doubled.
///
/// - Returns: `nil` if nothing had to be escaped: it can be shown as it is.
package func terminalText(_ bytes: [UInt8]) -> String? {
    if let text = String(validating: bytes, as: UTF8.self),
        !text.unicodeScalars.contains(where: { drivesTerminals($0) && $0 != "\n" && $0 != "\t" })
    {
        return nil
    }
    var shown = ""
    var rest = bytes[...]
    while let first = rest.first {
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
        guard let scalar = String(validating: rest.prefix(length), as: UTF8.self)?.unicodeScalars.first else {
            shown += escape(first)
            rest.removeFirst()
            continue
        }
        rest = rest.dropFirst(length)
        switch scalar {
        case "\n", "\t": shown.unicodeScalars.append(scalar)
        case "\\": shown += "\\\\"
        case _ where drivesTerminals(scalar):
            shown += scalar.isASCII ? escape(first) : escape(scalar)
        default: shown.unicodeScalars.append(scalar)
        }
    }
    return shown
}

/// `text` on one line, its control characters escaped and all else, backslashes too, as it is.
package func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: drivesTerminals) else { return text }
    return text.unicodeScalars.reduce(into: "") { shown, scalar in
        if scalar == "\n" {
            shown += " "
        } else if drivesTerminals(scalar) {
            shown += escape(scalar)
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
}

/// C0, DEL and C1, line separators, and the marks that turn the direction of what follows.
private func drivesTerminals(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}

private func escape(_ byte: UInt8) -> String { "\\x" + hexadecimal([byte]) }

private func escape(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16))}" }

/// A count of bytes as people say it: bytes up to 10 KiB, then whole KiB or MiB.
package func byteCountText(_ count: Int) -> String {
    switch count {
    case ..<10_240: "\(count) bytes"
    case ..<10_485_760: "\(count / 1024) KiB"
    default: "\(count / 1_048_576) MiB"
    }
}
