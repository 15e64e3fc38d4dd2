import DHTConfiguration
import DHTGateway
import Testing

/// Flag, then variable, then file, then default.
struct NodeSettingsTests {
    private static func settings(
        flags: [Setting: SettingValue] = [:],
        _ environment: [String: String] = [:],
        file: String? = nil
    ) throws(Failure) -> NodeSettings {
        var parsed: ConfigurationFile?
        if let file { parsed = try ConfigurationFile(parsing: Array(file.utf8), path: "dht.toml") }
        return try NodeSettings(flags: flags, environment: environment, file: parsed)
    }

    struct Case: CustomStringConvertible {
        let setting: Setting
        var flag: SettingValue?
        var variable: String?
        var file: String?
        let value: SettingValue?
        let origin: String

        var description: String { "\(setting.rawValue): \(origin)" }
    }

    static let cases: [Case] = [
        Case(setting: .listen, value: .texts(["0.0.0.0:4100"]), origin: "default"),
        Case(setting: .name, value: nil, origin: "default"),
        Case(setting: .name, file: "'c'", value: .text("c"), origin: "dht.toml:1"),
        Case(setting: .name, variable: "b", file: "'c'", value: .text("b"), origin: "variable DHT_NAME"),
        Case(
            setting: .name,
            flag: .text("a"),
            variable: "b",
            file: "'c'",
            value: .text("a"),
            origin: "flag --name"
        ),
        Case(setting: .name, flag: .text("a"), file: "'c'", value: .text("a"), origin: "flag --name"),
        Case(setting: .name, variable: "", file: "'c'", value: .text("c"), origin: "dht.toml:1"),
        Case(
            setting: .httpHost,
            variable: "a,b",
            file: "['c']",
            value: .texts(["a", "b"]),
            origin: "variable DHT_HTTP_HOST"
        ),
        Case(
            setting: .listen,
            flag: .texts(["a:1"]),
            file: "['c:1']",
            value: .texts(["a:1"]),
            origin: "flag --listen"
        ),
        Case(setting: .paths, variable: "3", value: .number(3), origin: "variable DHT_PATHS"),
        Case(
            setting: .open,
            variable: "false",
            file: "true",
            value: .toggle(false),
            origin: "variable DHT_OPEN"
        ),
        Case(setting: .open, flag: .toggle(true), file: "false", value: .toggle(true), origin: "flag --open"),
        Case(setting: .sync, file: "'normal'", value: .text("normal"), origin: "dht.toml:1"),
    ]

    @Test(arguments: cases)
    func `the strongest layer counts`(_ row: Case) throws {
        let settings = try Self.settings(
            flags: row.flag.map { [row.setting: $0] } ?? [:],
            row.variable.map { [row.setting.variable: $0] } ?? [:],
            file: row.file.map { "\(row.setting.rawValue) = \($0)" }
        )
        #expect(settings.value(row.setting) == row.value)
        #expect(settings.originWords(row.setting) == row.origin)
        #expect(settings.isGiven(row.setting) == (row.origin != "default"))
    }

    @Test func `every setting can be given in all three ways, and is what the strongest says`() throws {
        func samples(_ setting: Setting) -> [SettingValue] {
            switch setting.kind {
            case .text, .path: ["/a", "/b", "/c"].map { .text($0) }
            case .texts, .paths: ["/a", "/b", "/c"].map { .texts([$0]) }
            case .number: (3...5).map { .number($0) }
            case .choice(let words): [words[0], words[1], words[0]].map { .text($0) }
            case .toggle: [true, false, true].map { .toggle($0) }
            }
        }
        for setting in Setting.allCases {
            let values = samples(setting)
            let plain =
                switch values[1] {
                case .text(let text): text
                case .texts(let texts): texts.joined(separator: ",")
                case .number(let number): "\(number)"
                case .toggle(let isOn): "\(isOn)"
                }
            let file = "\n \(setting.rawValue) = \(values[2].literal)"
            let variable = [setting.variable: plain]
            let all = try Self.settings(flags: [setting: values[0]], variable, file: file)
            #expect(all.value(setting) == values[0] && all.origin(setting) == .flag)
            let two = try Self.settings(variable, file: file)
            #expect(two.value(setting) == values[1] && two.origin(setting) == .variable)
            let one = try Self.settings(file: file)
            #expect(one.value(setting) == values[2] && one.originWords(setting) == "dht.toml:2")
        }
    }

    @Test func `what is given more strongly puts its rival out of force`() throws {
        let listed = try Self.settings(flags: [.allow: .texts(["a"])], file: "open = true")
        #expect(listed.texts(.allow) == ["a"] && !listed.isOn(.open))
        let open = try Self.settings(["DHT_OPEN": "true"], file: "allow = ['a']")
        #expect(open.isOn(.open) && open.texts(.allow).isEmpty)
        let closed = try Self.settings(["DHT_OPEN": "false"], file: "allow = ['a']")
        #expect(!closed.isOn(.open) && closed.texts(.allow) == ["a"])
        let kept = try Self.settings(flags: [.data: .text("d")], ["DHT_EPHEMERAL": "true"])
        #expect(kept.text(.data) == "d" && !kept.isOn(.ephemeral))
        let loud = try Self.settings(flags: [.verbose: .toggle(true)], file: "quiet = true")
        #expect(loud.isOn(.verbose) && !loud.isOn(.quiet))
        let typed = try Self.settings(flags: [.passphraseFile: .text("p")], file: "passphrase-fd = 3")
        #expect(typed.number(.passphraseDescriptor) == nil)
        // Side by side they stay, for the reader to refuse.
        let both = try Self.settings(file: "open = true\nallow = ['a']")
        #expect(both.isOn(.open) && both.texts(.allow) == ["a"])
        #expect(both.words(for: .open, and: .allow) == "dht.toml:1:8: open and allow")
    }

    @Test(arguments: [
        (["DHT_PATHS": "x"], "DHT_PATHS: \"x\" is not 1–8"),
        (["DHT_PATHS": "9"], "DHT_PATHS: 9 is outside 1 to 8"),
        (["DHT_OPEN": "1"], "DHT_OPEN: \"1\" is not true, false"),
        (["DHT_SYNC": "often"], "DHT_SYNC: \"often\" is neither full nor normal"),
        (["DHT_LISTEN": ","], "DHT_LISTEN: the list is empty"),
        (["DHT_LSITEN": "a:1"], "unknown variable DHT_LSITEN (did you mean \"DHT_LISTEN\"?)"),
        (["DHT_HTTP_HOSTS": "a"], "unknown variable DHT_HTTP_HOSTS (did you mean \"DHT_HTTP_HOST\"?)"),
        (["DHT_CONFI": "a"], "unknown variable DHT_CONFI (did you mean \"DHT_CONFIG\"?)"),
        (["DHT_NAME": "dht-secret-key-1qqqq"], "DHT_NAME: a secret key stands here; it was not printed"),
    ])
    func `a bad variable is refused by its name`(_ variables: [String: String], says: String) {
        let failure = #expect(throws: Failure.self) { try Self.settings(variables) }
        #expect(failure?.code == .invalidArgument)
        #expect(failure?.message.hasPrefix(says) == true, "\(failure?.message ?? "")")
        #expect(failure?.message.contains("qqqq") == false)
    }

    @Test func `variables of others are let alone`() throws {
        let foreign = [
            "DHT_PORT": "tcp://10.0.0.1:1", "DHT_SERVICE_HOST": "10.0.0.1",
            "DHT_HTTP_PORT": "tcp://10.0.0.1:1",
            "DHT_PORT_4100_UDP_PROTO": "udp", "NAME": "x",
        ]
        let settings = try Self.settings(foreign)
        #expect(Setting.allCases.allSatisfy { !settings.isGiven($0) })
    }

    @Test func `a bad value is told where it was given`() throws {
        let flagged = try Self.settings(flags: [.listen: .texts(["x"])]).failure(.listen, "no")
        #expect(flagged == Failure(.invalidArgument, "--listen: no"))
        let filed = try Self.settings(file: "\nlisten = ['x']").failure(.listen, "no")
        #expect(filed == Failure(.configuration, "dht.toml:2:10: listen: no"))
        let range = #expect(throws: Failure.self) { try Self.settings(flags: [.paths: .number(0)]) }
        #expect(range?.message == "--paths: 0 is outside 1 to 8")
    }

    @Test func `settings are shown as a file that says the same`() throws {
        let flags: [Setting: SettingValue] = [
            .key: .text("k"), .allow: .texts(["a", "b"]), .paths: .number(2),
        ]
        let lines = ConfigurationText.lines(try Self.settings(flags: flags), withOrigin: true)
        #expect(lines.count == Setting.allCases.count)
        let again = try Self.settings(file: lines.joined(separator: "\n"))
        for setting in Setting.allCases {
            #expect(again.value(setting) == (flags[setting] ?? setting.fallback))
        }
        #expect(lines[0].hasPrefix("key = \"k\"") && lines[0].hasSuffix("# flag --key"))
    }
}
