import DHTCrypto
import DHTGateway

/// The settings of a node, each from where it was given most strongly: flag, then variable, then file, then
/// default.
package struct NodeSettings: Sendable {
    private struct Entry: Hashable, Sendable {
        let value: SettingValue
        let origin: Origin
    }

    /// The configuration file, as it was named.
    package let file: String?
    private var entries: [Setting: Entry] = [:]

    /// - Parameters:
    ///   - flags: The flags that were given.
    ///   - environment: All variables; those of settings are looked at.
    package init(
        flags: [Setting: SettingValue],
        environment: [String: String],
        file: ConfigurationFile?
    ) throws(Failure) {
        self.file = file?.path
        add(flags.mapValues { Entry(value: $0, origin: .flag) })
        add(try Self.variables(environment).mapValues { Entry(value: $0, origin: .variable) })
        if let file { add(file.entries.mapValues { Entry(value: $0.value, origin: .file($0.place)) }) }
        // Variables and a file were checked as a whole, whatever outdoes them.
        for setting in Setting.allCases {
            guard let entry = entries[setting] else { continue }
            if Self.mentionsSecret(entry.value) {
                throw failure(
                    setting,
                    "a secret key stands here; it was not printed or stored. Name its file"
                )
            }
            if entry.origin == .flag, setting.kind.isBounded, let problem = setting.problem(with: entry.value)
            {
                throw failure(setting, problem)
            }
        }
    }

    /// Adds a layer to those that outdo it.
    private mutating func add(_ layer: [Setting: Entry]) {
        let outdone = Set(
            Setting.rivals.filter { pair in pair.contains { entries[$0].map(Self.counts) ?? false } }.joined()
        )
        for (setting, entry) in layer where entries[setting] == nil && !outdone.contains(setting) {
            entries[setting] = entry
        }
    }

    /// Whether it puts its rival out of force: what is switched off does not.
    private static func counts(_ entry: Entry) -> Bool { entry.value != .toggle(false) }

    private static func mentionsSecret(_ value: SettingValue) -> Bool {
        value.texts.contains { text in
            KeyKind(mentionedIn: Array(text.utf8)[...]).map { $0 != .identity } ?? false
        }
    }

    // MARK: Values

    /// The value, given or by default; `nil`: there is none, or it depends on the machine.
    package func value(_ setting: Setting) -> SettingValue? { entries[setting]?.value ?? setting.fallback }

    package func origin(_ setting: Setting) -> Origin { entries[setting]?.origin ?? .fallback }

    package func isGiven(_ setting: Setting) -> Bool { entries[setting] != nil }

    package func text(_ setting: Setting) -> String? { value(setting)?.texts.first }

    package func texts(_ setting: Setting) -> [String] { value(setting)?.texts ?? [] }

    package func number(_ setting: Setting) -> Int? {
        if case .number(let number) = value(setting) { number } else { nil }
    }

    package func isOn(_ setting: Setting) -> Bool { value(setting) == .toggle(true) }

    // MARK: Failures

    /// The setting as whoever gave it knows it, after its place in a file.
    package func word(for setting: Setting) -> String {
        switch origin(setting) {
        case .flag, .fallback: setting.flag
        case .variable: setting.variable
        case .file(let place): "\(place): \(setting.rawValue)"
        }
    }

    /// The failure of a bad value: it says where that was given.
    package func failure(_ setting: Setting, _ reason: String) -> Failure {
        if case .file = origin(setting) {
            return Failure(.configuration, "\(word(for: setting)): \(reason)")
        }
        return Failure(.invalidArgument, "\(word(for: setting)): \(reason)")
    }

    /// `--data and --ephemeral`, in the words of whoever gave them.
    package func words(for setting: Setting, and other: Setting) -> String {
        let second =
            switch origin(other) {
            case .flag, .fallback: other.flag
            case .variable: other.variable
            case .file: other.rawValue
            }
        return "\(word(for: setting)) and \(second)"
    }
}

extension Setting.Kind {
    /// Whether not everything of its form will do.
    fileprivate var isBounded: Bool {
        switch self {
        case .number, .choice: true
        case .text, .path, .texts, .paths, .toggle: false
        }
    }
}
