import DHTGateway

extension NodeSettings {
    private static let mark = "DHT_"

    /// The settings that variables give. An empty one gives none.
    static func variables(_ environment: [String: String]) throws(Failure) -> [Setting: SettingValue] {
        try refuseMisspelt(environment.keys)
        var values: [Setting: SettingValue] = [:]
        for setting in Setting.allCases {
            guard let text = environment.given(setting.variable) else { continue }
            let value = value(text, of: setting.kind)
            guard let value else {
                throw Failure(
                    .invalidArgument,
                    "\(setting.variable): \"\(text)\" is not \(setting.form)"
                )
            }
            if let problem = setting.problem(with: value) {
                throw Failure(.invalidArgument, "\(setting.variable): \(problem)")
            }
            values[setting] = value
        }
        return values
    }

    /// The path of the configuration file that the environment names.
    package static func file(in environment: [String: String]) -> String? {
        environment.given(Setting.fileVariable)
    }

    private static func value(_ text: String, of kind: Setting.Kind) -> SettingValue? {
        switch kind {
        case .text, .path, .choice: .text(text)
        case .texts, .paths: .texts(text.split(separator: ",").map { String($0) })
        case .number: Int(text).map { .number($0) }
        case .toggle: Bool(text).map { .toggle($0) }
        }
    }

    /// One letter beside a variable of ours is meant as that one. Others that begin so are somebody else's:
    /// an orchestrator makes `DHT_PORT` and `DHT_SERVICE_HOST` for a service named dht.
    private static func refuseMisspelt(_ names: some Collection<String>) throws(Failure) {
        let known = Setting.allCases.map(\.variable) + [Setting.fileVariable]
        for name in names.sorted() where name.hasPrefix(mark) && !known.contains(name) {
            let word = name.dropFirst(mark.count)
            let meant = known.first {
                Suggestion.distance(String(word), String($0.dropFirst(mark.count))) == 1
            }
            guard let meant else { continue }
            throw Failure(
                .invalidArgument,
                "unknown variable \(name) (did you mean \"\(meant)\"?). All of them: dht config show --origin"
            )
        }
    }
}
