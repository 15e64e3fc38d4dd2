import DHTCrypto
import DHTGateway

/// A configuration file of a node, read strictly: all of it is understood, or it is refused.
package struct ConfigurationFile: Sendable {
    package struct Entry: Hashable, Sendable {
        package let value: SettingValue
        /// The place of the value.
        package let place: Place
    }

    /// Bytes; more is no configuration.
    package static let largest = 1 << 20

    /// As it was named.
    package let path: String
    package let entries: [Setting: Entry]

    /// The file at `path` with this content. Paths in it are relative to the directory that it is in.
    package init(parsing bytes: [UInt8], path: String) throws(Failure) {
        let text = try Self.text(bytes, path)
        try Self.refuseSecrets(in: text, path)
        let document = try TOMLDocument(parsing: text, path: path)
        var entries: [Setting: Entry] = [:]
        var faults: [(place: Place, reason: String)] = []
        for key in document.keys {
            guard let setting = Setting(rawValue: key) else {
                faults.append((document.place(ofKey: key), Self.stranger(key, document)))
                continue
            }
            let place = document.place(ofValue: key)
            do throws(TOMLDocument.Misfit) {
                let value = try document.value(of: setting)
                entries[setting] = Entry(value: Self.resolved(value, of: setting, path), place: place)
            } catch {
                faults.append((place, error.reason))
            }
        }
        if let first = faults.min(by: { ($0.place.line, $0.place.column) < ($1.place.line, $1.place.column) })
        {
            throw Failure(.configuration, "\(first.place): \(first.reason)")
        }
        (self.path, self.entries) = (path, entries)
    }

    // MARK: Content

    /// The text, if it is one that means the same to everybody.
    private static func text(_ bytes: [UInt8], _ path: String) throws(Failure) -> String {
        guard bytes.count <= largest else {
            throw Failure(.configuration, "\(path) is larger than 1 MiB: that is no configuration of a node")
        }
        let content = SecretFile.withoutMark(bytes)
        guard let text = String(validating: content, as: UTF8.self) else {
            let repaired = String(decoding: content, as: UTF8.self)
            let scalars = repaired.unicodeScalars
            let place = place(
                of: scalars.firstIndex(of: "\u{FFFD}") ?? scalars.startIndex,
                in: repaired,
                path
            )
            throw Failure(.configuration, "\(place): this byte is no UTF-8; save the file as UTF-8")
        }
        // A text would end there without a word.
        for end in ["\0", "\\u0000", "\\U00000000"] {
            guard let start = text.firstRange(of: end)?.lowerBound else { continue }
            throw Failure(.configuration, "\(place(of: start, in: text, path)): no text has the character 0")
        }
        return text
    }

    /// A key that was pasted where the name of its file belongs would be shown in errors and by `dht config`.
    private static func refuseSecrets(in text: String, _ path: String) throws(Failure) {
        for (index, line) in Array(text.utf8).split(separator: 0x0A, omittingEmptySubsequences: false)
            .enumerated()
        {
            guard let kind = KeyKind(mentionedIn: line), kind != .identity else { continue }
            throw Failure(
                .configuration,
                "\(path):\(index + 1):1: this line holds a secret key; it was not printed or stored. "
                    + "A key is in a file of its own: \(Setting.key.example)"
            )
        }
    }

    private static func place(of index: String.Index, in text: String, _ path: String) -> Place {
        let lines = text.unicodeScalars[..<index].split(separator: "\n", omittingEmptySubsequences: false)
        return Place(file: path, line: lines.count, column: (lines.last?.count ?? 0) + 1)
    }

    /// The fault of a key that nobody knows.
    private static func stranger(_ key: String, _ document: TOMLDocument) -> String {
        let hint = Suggestion.hint(for: key, among: Setting.allCases.map(\.rawValue))
        let isTable = document.isTable(key)
        return "unknown \(isTable ? "table" : "key") \"\(key)\"\(hint). "
            + (isTable ? "Settings stand in no table. " : "") + "All keys: dht config show"
    }

    /// The value with paths as they are from here.
    private static func resolved(_ value: SettingValue, of setting: Setting, _ file: String) -> SettingValue {
        let directory = SecretFile.directory(of: file)
        func resolved(_ path: String) -> String {
            if path.hasPrefix("/") || directory == "." { return path }
            return directory == "/" ? "/\(path)" : "\(directory)/\(path)"
        }
        return switch (setting.kind, value) {
        case (.path, .text(let path)): .text(resolved(path))
        case (.paths, .texts(let paths)): .texts(paths.map(resolved))
        default: value
        }
    }
}
