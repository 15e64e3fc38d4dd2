import FoundationEssentials
import Synchronization

/// Bytes that somebody is to have, until they are taken.
final class RestOfValue: Sendable {
    private let rest: Mutex<[UInt8]?>

    init(_ bytes: [UInt8]) { rest = Mutex(bytes) }

    var bytes: [UInt8] { rest.withLock { $0 ?? [] } }

    func take() -> [UInt8]? {
        rest.withLock { rest in
            defer { rest = nil }
            return rest
        }
    }
}

/// JSON of long values, part by part: the same that ``ReplyCoding`` makes of them.
enum ValueText {
    /// Bytes of a value written at once: three for each four letters.
    static let step = 48_000
    /// Between two values.
    static let separator = Array(",".utf8)

    /// The text before, between and after the places of one value in an object.
    struct Frame: Sendable {
        /// The value is text, else base64.
        private let isText: Bool
        private var parts: [[UInt8]]

        /// Of a reply with its newest value, in both of its places. The last part ends the list, to which
        /// others may be added before.
        init(of reply: GetReply, _ newest: [UInt8]) {
            isText = Self.isText(newest)
            var frame = reply
            frame.values = Array(reply.values.prefix(1))
            let stand = Self.standIn(isText: isText)
            if !frame.values.isEmpty { frame.values[0].value = stand }
            parts = Self.split(ReplyCoding.encode(frame), at: stand, isText: isText)
            guard let last = parts.popLast() else { return }
            // `"}` ends the value, `]}` the list and the reply.
            parts.append(Array(last.dropLast(2)))
            parts.append(Array(last.suffix(2)))
        }

        /// Of one value in the list of them.
        init(of value: ValueReply, _ bytes: [UInt8]) {
            isText = Self.isText(bytes)
            var frame = value
            let stand = Self.standIn(isText: isText)
            frame.value = stand
            parts = Self.split(ReplyCoding.encode(frame), at: stand, isText: isText)
        }

        mutating func next() -> [UInt8] { parts.isEmpty ? [] : parts.removeFirst() }

        /// A part of the value as it stands in JSON; not the last of it is to have a multiple of three bytes.
        func text(of part: ArraySlice<UInt8>) -> [UInt8] {
            isText ? ValueText.escaped(part) : Array(Data(part).base64EncodedString().utf8)
        }

        private static func isText(_ bytes: [UInt8]) -> Bool {
            (try? UTF8Span(validating: bytes.span)) != nil
        }

        /// A placeholder for the value while the rest is encoded, of the same kind: nobody can guess it.
        private static func standIn(isText: Bool) -> Octets {
            var chance = SystemRandomNumberGenerator()
            let numbers = (0..<4).map { _ in UInt64.random(in: .min ... .max, using: &chance) }
            let letters = Array(numbers.map { String($0, radix: 16) }.joined(separator: "-").utf8)
            return Octets(isText ? letters : [0xFF] + letters)
        }

        private static func split(_ json: [UInt8], at standIn: Octets, isText: Bool) -> [[UInt8]] {
            let letters = isText ? standIn.bytes : Array(Data(standIn.bytes).base64EncodedString().utf8)
            var (parts, rest) = ([[UInt8]](), json[...])
            while let place = rest.indices.first(where: { rest[$0...].starts(with: letters) }) {
                parts.append(Array(rest[..<place]))
                rest = rest[(place + letters.count)...]
            }
            return parts + [Array(rest)]
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// Text between the quotes of a JSON string.
    static func escaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var escaped: [UInt8] = []
        escaped.reserveCapacity(text.count + text.count / 16)
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""): escaped += Array("\\\"".utf8)
            case UInt8(ascii: "\\"): escaped += Array("\\\\".utf8)
            case 0x08: escaped += Array("\\b".utf8)
            case 0x0C: escaped += Array("\\f".utf8)
            case 0x0A: escaped += Array("\\n".utf8)
            case 0x0D: escaped += Array("\\r".utf8)
            case 0x09: escaped += Array("\\t".utf8)
            case 0..<0x20:
                escaped += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: escaped.append(byte)
            }
        }
        return escaped
    }
}
