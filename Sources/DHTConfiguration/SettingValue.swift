/// The value of a setting.
package enum SettingValue: Hashable, Sendable {
    case text(String)
    case texts([String])
    case number(Int)
    case toggle(Bool)

    /// As a configuration file has it.
    package var literal: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .texts(let texts): "[" + texts.map(Self.quoted).joined(separator: ", ") + "]"
        case .number(let number): "\(number)"
        case .toggle(let isOn): "\(isOn)"
        }
    }

    /// The texts it has.
    var texts: [String] {
        switch self {
        case .text(let text): [text]
        case .texts(let texts): texts
        case .number, .toggle: []
        }
    }

    /// A basic string of TOML.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where character.properties.generalCategory == .control:
                let digits = String(character.value, radix: 16, uppercase: true)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }
}

extension SettingValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .texts(let texts): try container.encode(texts)
        case .number(let number): try container.encode(number)
        case .toggle(let isOn): try container.encode(isOn)
        }
    }
}

/// Where a setting has its value from.
package enum Origin: Hashable, Sendable {
    case flag
    case variable
    case file(Place)
    /// Nobody gave it.
    case fallback
}

/// A place in a configuration file.
package struct Place: Hashable, Sendable, CustomStringConvertible {
    package let file: String
    /// From 1.
    package let line: Int
    /// From 1, in characters.
    package let column: Int

    package var description: String { "\(file):\(line):\(column)" }
}
