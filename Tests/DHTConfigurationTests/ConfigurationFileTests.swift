import DHTConfiguration
import DHTGateway
import Testing

/// What a configuration file says, and where it is wrong.
struct ConfigurationFileTests {
    private static func parse(_ text: String, path: String = "dht.toml") throws(Failure) -> ConfigurationFile
    {
        try ConfigurationFile(parsing: Array(text.utf8), path: path)
    }

    @Test func `a file sets what it says, paths from its own directory`() throws {
        let file = try Self.parse(
            """
            # a comment
            key = "node.key"
            allow = [
                "peers.allow",  # ours
                "/srv/more.allow",
            ]
            listen = ['127.0.0.1:0', "[::1]:4100"]
            "paths" = 0x3
              sync = \"""
            normal\"""
            ephemeral = true
            http-host = ["a"]
            name = "a \\"b\\" \\u00e9"
            """,
            path: "/etc/dht/dht.toml"
        )
        let values = file.entries.mapValues(\.value)
        #expect(
            values == [
                .key: .text("/etc/dht/node.key"),
                .allow: .texts(["/etc/dht/peers.allow", "/srv/more.allow"]),
                .listen: .texts(["127.0.0.1:0", "[::1]:4100"]), .paths: .number(3), .sync: .text("normal"),
                .ephemeral: .toggle(true), .httpHost: .texts(["a"]), .name: .text("a \"b\" é"),
            ]
        )
        #expect(file.entries[.key]?.place.description == "/etc/dht/dht.toml:2:7")
        #expect(file.entries[.listen]?.place.line == 7)
        #expect(file.entries[.sync]?.place.line == 9)
        #expect(try Self.parse("", path: "x").entries.isEmpty)
        for (path, key) in [("dht.toml", "k"), ("a/dht.toml", "a/k"), ("/dht.toml", "/k"), ("./x", "k")] {
            #expect(try Self.parse("key = \"k\"", path: path).entries[.key]?.value == .text(key))
        }
        let marked = try ConfigurationFile(
            parsing: [0xEF, 0xBB, 0xBF] + Array("name = 'a'\r\n".utf8),
            path: "x"
        )
        #expect(marked.entries[.name]?.value == .text("a"))
    }

    static let faults: [(text: String, says: String)] = [
        ("lsiten = [\"a:1\"]", "dht.toml:1:1: unknown key \"lsiten\" (did you mean \"listen\"?)"),
        (
            "\n\n  socket_group = \"a\"",
            "dht.toml:3:3: unknown key \"socket_group\" (did you mean \"socket-group\"?)"
        ),
        (
            "name = \"a\"\n\"--listen\" = [\"a:1\"]",
            "dht.toml:2:1: unknown key \"--listen\" (did you mean \"listen\"?)"
        ),
        ("config = \"x\"", "dht.toml:1:1: unknown key \"config\""),
        (
            "name = \"a\"\n[node]\nkey = \"k\"",
            "dht.toml:2:1: unknown table \"node\". Settings stand in no table"
        ),
        ("[[peers]]\n", "dht.toml:1:1: unknown key \"peers\" (did you mean \"peer\"?)"),
        ("http.token = \"x\"", "dht.toml:1:1: http is a text in quotes, and this is a table"),
        (
            "key = 7",
            "dht.toml:1:7: key is a text in quotes, and this is a whole number. Write: key = \"file\""
        ),
        (
            "listen = \"a:1\"",
            "dht.toml:1:10: listen is a list of texts, and this is a text. Write: listen = ["
        ),
        (
            "listen = [1, \"a:1\"]",
            "dht.toml:1:10: listen is a list of texts, and this is a list of something"
        ),
        ("listen = []", "dht.toml:1:10: listen: the list is empty"),
        ("peer = [\"\"]", "dht.toml:1:8: peer: a text is empty"),
        ("name = ''", "dht.toml:1:8: name: a text is empty"),
        (
            "paths = 1.0",
            "dht.toml:1:9: paths is a whole number, 1 to 8, and this is a number with a fraction"
        ),
        ("paths = 9", "dht.toml:1:9: paths: 9 is outside 1 to 8"),
        ("open = \"yes\"", "dht.toml:1:8: open is true or false, and this is a text. Write: open = true"),
        ("open = 1", "dht.toml:1:8: open is true or false, and this is a whole number"),
        ("name = 2026-01-01", "dht.toml:1:8: name is a text in quotes, and this is a date or time"),
        (
            "sync = \"fulll\"",
            "dht.toml:1:8: sync: \"fulll\" is neither full nor normal (did you mean \"full\"?)"
        ),
        ("key = \"a\"\n# x\n\tkey = \"b\"", "dht.toml:3:2: key is set twice, in line 1 too; keep one"),
        ("paths = 10\nname = 1\nkex = 1", "dht.toml:1:9: paths: 10 is outside"),
        ("kex = 1\nname = 1", "dht.toml:1:1: unknown key \"kex\" (did you mean \"key\"?)"),
        (
            "name = \"a\"\nkey = node.key",
            "dht.toml:2:7: this text is in no quotes. key is a text in quotes. Write: key = \"file\""
        ),
        ("key \"a\"", "dht.toml:1:5: expected '=', saw '\"'"),
        ("key = \"a", "dht.toml:1:9:"),
        ("key =", "dht.toml:1:6:"),
        ("data = /srv/dht", "dht.toml:1:8: this text is in no quotes. data is a text in quotes. Write: data"),
        (
            "  open = on",
            "dht.toml:1:10: this text is in no quotes. open is true or false. Write: open = true"
        ),
        ("nope = on", "dht.toml:1:8: could not determine value type. A line is: key = value"),
        (
            "paths = 1 2",
            "dht.toml:1:11: expected a comment or whitespace, saw '2'. paths is a whole number, 1 to 8"
        ),
        ("listen = [\"a:1\"\nname = \"b\"", "dht.toml:2:1:"),
        ("name = \"\u{7}\"", "dht.toml:1:9:"),
        ("# ä\nname = \"b\0\"", "dht.toml:2:10: no text has the character 0"),
        ("name = \"b\\u0000c\"", "dht.toml:1:10: no text has the character 0"),
        ("key = \"DHT-SECRET-KEY-1QQQQ", "dht.toml:1:1: this line holds a secret key; it was not printed"),
    ]

    @Test(arguments: faults)
    func `what is wrong is told with its place and what is expected`(text: String, says: String) {
        let failure = #expect(throws: Failure.self) { try Self.parse(text) }
        #expect(failure?.code == .configuration)
        #expect(failure?.message.hasPrefix(says) == true, "\(text): \(failure?.message ?? "")")
        #expect(failure?.message.contains("QQQQ") == false)
    }

    @Test func `bytes that are no text, and too many of them, are refused`() {
        let failure = #expect(throws: Failure.self) {
            try ConfigurationFile(parsing: Array("name = 'a'\nkey = \"".utf8) + [0xFF, 0x22], path: "x")
        }
        #expect(
            failure?.message.hasPrefix("x:2:8: this byte is no UTF-8") == true,
            "\(failure?.message ?? "")"
        )
        let much = [UInt8](repeating: 0x0A, count: ConfigurationFile.largest + 1)
        #expect(throws: Failure.self) { try ConfigurationFile(parsing: much, path: "x") }
        let long = Array(("listen = [" + String(repeating: "\n1,", count: 20_000)).utf8)
        #expect(throws: Failure.self) { try ConfigurationFile(parsing: long, path: "x") }
        let depth = Array(("listen = " + String(repeating: "[", count: 100_000)).utf8)
        #expect(throws: Failure.self) { try ConfigurationFile(parsing: depth, path: "x") }
    }

    @Test func `a made file is read as it was meant, and so is each of its comments that is a setting`()
        throws
    {
        let values: [Setting: SettingValue] = [
            .key: .text("node.key"), .allow: .texts(["peers.allow"]), .name: .text("a\\\"\u{1}b"),
        ]
        let text = ConfigurationText.template(values)
        #expect(try Self.parse(text).entries.mapValues(\.value) == values)
        let settings = Setting.allCases.map(\.rawValue)
        var found: Set<String> = []
        for line in text.split(separator: "\n") where line.hasPrefix("# ") {
            let setting = line.dropFirst(2)
            guard let key = settings.first(where: { setting.hasPrefix("\($0) = ") }) else { continue }
            let entries = try Self.parse(String(setting)).entries
            #expect(entries.count == 1)
            found.insert(key)
        }
        #expect(found == Set(settings).subtracting(values.keys.map(\.rawValue)))
    }
}
