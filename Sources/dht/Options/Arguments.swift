import ArgumentParser
import DHTGateway
import Glibc

/// The words of the command line as the bytes they are. A key and a value may be any bytes; everything else
/// is UTF-8, or refused.
///
/// The parser knows only text, so bytes that are none travel through it as characters of their own, one for
/// each byte.
enum Arguments {
    /// Stands for the byte 0; the last of the planes for private use. A word that has such characters itself
    /// has their bytes marked too, so that nothing is mistaken.
    private static let firstMark: UInt32 = 0x10_FF00

    /// Options without a value; what follows one of them is no value of it.
    private static let flags = [
        "--", "--json", "-q", "--quiet", "-v", "--verbose", "--if-absent", "--keep", "--all", "--raw",
        "--meta",
    ]
    private static let commandsWithBytes = ["put", "get", "del"]

    /// All words but the program's name.
    static func read() throws(Failure) -> [String] {
        var words: [[UInt8]] = []
        for index in 1..<max(Int(CommandLine.argc), 1) {
            guard let start = unsafe CommandLine.unsafeArgv[index] else { break }
            let length = unsafe strlen(start)
            words.append(
                unsafe UnsafeRawBufferPointer(start: start, count: length).withMemoryRebound(to: UInt8.self) {
                    unsafe Array($0)
                }
            )
        }
        return try texts(words)
    }

    /// The words as the parser takes them.
    static func texts(_ words: [[UInt8]]) throws(Failure) -> [String] {
        let texts = words.map(text)
        let takesBytes = texts.contains { commandsWithBytes.contains($0) }
        let end = texts.firstIndex(of: "--") ?? texts.endIndex
        for (index, text) in texts.enumerated() where isMarked(text) {
            let previous = index == 0 ? "" : texts[index - 1]
            let isPlain = words[index].first != UInt8(ascii: "-") && isNoOption(previous)
            guard takesBytes, index > end || isPlain else {
                throw Failure(
                    .invalidArgument,
                    "argument \(index + 1), \(displayText(words[index])), is not UTF-8. Only the key and the "
                        + "value of put, get and del may be other bytes; nothing was done"
                )
            }
        }
        return texts
    }

    private static func isNoOption(_ word: String) -> Bool { !word.hasPrefix("-") || flags.contains(word) }

    private static func text(_ word: [UInt8]) -> String {
        if let text = String(validating: word, as: UTF8.self), !isMarked(text) { return text }
        var text = String.UnicodeScalarView()
        var rest = word[...]
        while let byte = rest.first {
            // A character, if the next bytes are one.
            let length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
            let scalars = String(validating: rest.prefix(length), as: UTF8.self)?.unicodeScalars
            if let scalars, scalars.count == 1, let scalar = scalars.first, scalar.value < firstMark {
                text.append(scalar)
                rest = rest.dropFirst(length)
            } else if let mark = Unicode.Scalar(firstMark + UInt32(byte)) {
                text.append(mark)
                rest = rest.dropFirst()
            }
        }
        return String(text)
    }

    private static func isMarked(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.value >= firstMark }
    }

    /// The bytes that ``read()`` had for a word.
    static func bytes(of text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar in
            scalar.value >= firstMark ? [UInt8(scalar.value - firstMark)] : Array(String(scalar).utf8)
        }
    }

    /// Variables that name files, addresses and directories of ours: refused if they are not UTF-8, for
    /// repaired they would name others.
    static func checkEnvironment() throws(Failure) {
        let names = ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"]
        var place = unsafe environ
        while let entry = unsafe place.pointee {
            unsafe place += 1
            let bytes = unsafe Array(
                UnsafeRawBufferPointer(start: entry, count: strlen(entry))
            )
            guard String(validating: bytes, as: UTF8.self) == nil else { continue }
            let name = displayText(Array(bytes.prefix { $0 != UInt8(ascii: "=") }))
            guard name.hasPrefix("DHT_") || names.contains(name) else { continue }
            throw Failure(.invalidArgument, "the variable \(name) is not UTF-8; nothing was done")
        }
    }
}

/// Bytes given as an argument, whatever they are.
struct BytesArgument: ExpressibleByArgument {
    let bytes: [UInt8]

    init(argument: String) { bytes = Arguments.bytes(of: argument) }

    var isLone: Bool { bytes == [UInt8(ascii: "-")] }
}
