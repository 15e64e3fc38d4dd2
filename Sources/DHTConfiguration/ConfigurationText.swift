/// Settings as the text of a configuration file.
package enum ConfigurationText {
    private static let head = """
        # The settings of a node: dht node --config FILE. Each is a flag as well (listen: --listen) and a
        # variable (DHT_LISTEN): a flag outdoes a variable, and a variable this file. Relative paths begin at
        # the directory of this file. dht check --config FILE says whether all is well, and
        # dht config show --config FILE --origin what a node would start with.

        """

    /// A file with a line for every setting: those in `values` are set, the others stand there as comments.
    package static func template(_ values: [Setting: SettingValue]) -> String {
        var text = head
        for setting in Setting.allCases {
            text += "\n# \(setting.definition.summary)\n"
            if let value = values[setting] {
                text += "\(setting.rawValue) = \(value.literal)\n"
            } else if let fallback = setting.fallback {
                text += "# \(setting.rawValue) = \(fallback.literal)\n"
            } else {
                text += "# Default: \(setting.fallbackWords).\n# \(setting.example)\n"
            }
        }
        return text
    }

    /// The settings, a line each; a setting without a value is a comment with its default.
    ///
    /// - Parameter withOrigin: Whether each line ends with where the value is from.
    package static func lines(_ settings: NodeSettings, withOrigin: Bool) -> [String] {
        let lines = Setting.allCases.map { setting in
            settings.value(setting).map { "\(setting.rawValue) = \($0.literal)" }
                ?? "# \(setting.rawValue): \(setting.fallbackWords)"
        }
        guard withOrigin else { return lines }
        let width = min(lines.map(\.count).max() ?? 0, 60)
        return zip(Setting.allCases, lines).map { setting, line in
            let gap = String(repeating: " ", count: max(width - line.count, 0) + 2)
            return "\(line)\(gap)# \(settings.originWords(setting))"
        }
    }
}

extension NodeSettings {
    /// `flag --key`, `variable DHT_KEY`, `dht.toml:3`, `default`.
    package func originWords(_ setting: Setting) -> String {
        switch origin(setting) {
        case .flag: "flag \(setting.flag)"
        case .variable: "variable \(setting.variable)"
        case .file(let place): "\(place.file):\(place.line)"
        case .fallback: "default"
        }
    }
}
