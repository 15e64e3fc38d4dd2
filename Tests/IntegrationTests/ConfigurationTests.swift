import DHTConfiguration
import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct ConfigurationTests {
        private static let files = ["admin.key", "dht.toml", "members.roster", "net.key", "node.key"]

        private static func initialize(_ more: String..., in folder: Folder) throws -> Program.Exit {
            try Program.run(["init", "--listen", "127.0.0.1:0"] + more, in: folder)
        }

        // MARK: init

        @Test func `init makes all that a node needs, and the node starts with it`() throws {
            let folder = try Folder()
            let made = try Self.initialize("--dir", "conf", "--name", "alpha", in: folder)
            #expect(made.status == 0, "\(made.errors)")
            #expect(made.text.hasPrefix("dht1") && made.text.count == 63)
            #expect(made.errors.hasPrefix("dht node --config conf/dht.toml\n"))
            #expect(made.errors.contains("dht invite NAME"))
            #expect(!(made.text + made.errors).contains("DHT-"))
            for key in ["node.key", "net.key", "admin.key"] { #expect(folder.mode("conf/\(key)") == 0o600) }
            #expect(folder.mode("conf") == 0o700)
            #expect(folder.text("conf/members.roster").contains("\n\(made.line)  alpha\n"))
            let checked = try Program.run("check", "--config", "conf/dht.toml", in: folder)
            #expect(checked.status == 0 && checked.text.hasSuffix("\nok\n"), "\(checked.errors)")
            #expect(checked.text.contains("identity: \(made.line)\nmembers: 1\nnetwork key: your own\n"))

            let node = try NodeProcess(
                "alpha",
                identity: made.line,
                in: folder,
                arguments: [],
                configuration: "conf/dht.toml"
            )
            #expect(node.uri.hasPrefix("dht://\(made.line)@127.0.0.1:"))
            #expect(try node.dht("put", "hello", "world").status == 0)
            #expect(try node.dht("get", "hello").text == "world")
            #expect(try node.status()["name"] as? String == "alpha")

            // The lists are read again, the settings are not: by now there are none.
            let other = try Program.run("keygen", "-o", "beta.key", in: folder)
            try folder.write("nonsense", to: "conf/dht.toml")
            #expect(try node.dht("admit", other.line, "beta").status == 0)
            let exported = try node.dht("roster", "export")
            try folder.write(exported.text, to: "conf/members.roster")
            #expect(try node.dht("reload").text.hasPrefix("Reloaded: 2 members\n"))
            try folder.write(exported.text + "nobody\n", to: "conf/members.roster")
            node.signal(SIGHUP)
            try eventually("the log tells of the reload") { node.log.contains("conf/members.roster:") }
            #expect(try node.terminate() == 0)
        }

        @Test func `init replaces nothing, and makes all or nothing`() throws {
            let folder = try Folder()
            let made = try Self.initialize("-q", in: folder)
            #expect(made.status == 0 && made.errors.isEmpty)
            #expect(try folder.names() == Self.files)
            let contents = Self.files.map { folder.text($0) }
            let again = try Self.initialize(in: folder)
            #expect(again.status == 4 && again.output.isEmpty)
            #expect(again.complaint.contains("node.key is there already; nothing was made"))
            #expect(Self.files.map { folder.text($0) } == contents)

            for name in Self.files {
                let half = try Folder()
                try half.write("mine", to: name)
                #expect(try Self.initialize(in: half).status == 4)
                #expect(try half.names() == [name] && half.text(name) == "mine")
            }
            let full = try Folder()
            let command = "ulimit -f 0; trap '' XFSZ; exec '\(Program.path)' init --dir new"
            let ending = try Program.run("-c", command, in: full, executable: "/bin/bash")
            #expect(ending.status == 1 && ending.output.isEmpty)
            #expect(try full.names().isEmpty)
            #expect(try Program.run("init", "--dir", "a/b", in: full).status == 2)
            #expect(try Program.run("init", "--name", "two words", in: full).status == 2)
            #expect(try Program.run("init", "--listen", "4100", in: full).status == 2)
            #expect(try full.names().isEmpty)
        }

        @Test func `the own line has the address that others reach`() throws {
            let folder = try Folder()
            let made = try Program.run("init", "--listen", "10.0.0.1:4100", "--json", in: folder)
            #expect(made["id"] as? String != nil && made.errors.isEmpty)
            #expect(folder.text("members.roster").hasSuffix("  addr=10.0.0.1:4100\n"))
            let everywhere = try Program.run("init", "--dir", "b", "--listen", "*:4100", in: folder)
            #expect(everywhere.status == 0)
            #expect(!folder.text("b/members.roster").hasSuffix("4100\n"))
        }

        // MARK: Errors

        @Test func `a file that is not wholly right keeps the node from starting`() throws {
            let folder = try Folder()
            #expect(try Self.initialize(in: folder).status == 0)
            let good = "key = \"node.key\"\nnetwork = \"net.key\"\nallow = [\"members.roster\"]\n"
            let cases: [(text: String, says: String)] = [
                (
                    good + "lsiten = [\"127.0.0.1:0\"]",
                    "bad.toml:4:1: unknown key \"lsiten\" (did you mean \"listen\"?)"
                ),
                (good + "  listen = [\"127.0.0.1\"]", "bad.toml:4:12: listen: \"127.0.0.1\" is no HOST:PORT"),
                (good + "listen = \"127.0.0.1:0\"", "bad.toml:4:10: listen is a list of texts"),
                (good + "peer = [\"10.0.0.1:1\"]", "bad.toml:4:8: peer: "),
                (good + "paths = 9", "bad.toml:4:9: paths: 9 is outside 1 to 8"),
                (good + "key = \"node.key\"", "bad.toml:4:1: key is set twice, in line 1 too"),
                (good + "name = alpha", "bad.toml:4:8: this text is in no quotes"),
                (good + "http = \"8080\"", "bad.toml:4:8: http: \"8080\" is no HOST:PORT"),
                (good + "http-token = \"t\"", "bad.toml:4:14: http-token needs --http HOST:PORT"),
                (good + "open = true", "bad.toml:4:8: open and allow exclude each other"),
                (
                    good + "data = \"d\"\nephemeral = true",
                    "bad.toml:4:8: data and ephemeral exclude each other"
                ),
                (good + "socket-group = \"no such\"", "bad.toml:4:16: socket-group: there is no group"),
                ("key = \"none.key\"\nallow = [\"members.roster\"]", "none.key"),
                ("allow = [\"members.roster\"]", "no key"),
                ("key = \"node.key\"", "nobody is allowed"),
            ]
            for (text, says) in cases {
                try folder.write(text, to: "bad.toml")
                for command in ["check", "node"] {
                    let ending = try Program.run(command, "--config", "bad.toml", in: folder)
                    #expect(ending.status == 9, "\(text): \(ending.errors)")
                    #expect(ending.complaint.contains(says), "\(text): \(ending.errors)")
                    #expect(ending.output.isEmpty && !ending.complaint.contains("\n"))
                }
            }
            let missing = try Program.run("node", "--config", "none.toml", in: folder)
            #expect(
                missing.status == 9 && missing.complaint.hasPrefix("none.toml cannot be read: No such file")
            )
            try folder.write(good, to: "loose.toml", mode: 0o666)
            let loose = try Program.run("check", "--config", "loose.toml", in: folder)
            #expect(loose.status == 5 && loose.complaint.contains("chmod o-w loose.toml"))
            let variable = ["DHT_LSITEN": "127.0.0.1:0"]
            let misspelt = try Program.run("check", "--config", "dht.toml", in: folder, variables: variable)
            #expect(misspelt.status == 2 && misspelt.complaint.contains("did you mean \"DHT_LISTEN\"?"))
        }

        // MARK: config show

        @Test func `config show says what counts and where it is from`() throws {
            let folder = try Folder()
            try folder.write(
                "name = \"file\"\nlisten = [\"127.0.0.1:3\"]\nkey = \"node.key\"\n\nsync = \"normal\"\n",
                to: "conf.toml"
            )
            let variables = ["DHT_NAME": "variable", "DHT_LISTEN": "127.0.0.1:2", "DHT_CONFIG": "conf.toml"]
            let show = ["config", "show", "--name", "flag"]
            let shown = try Program.run(show + ["--origin"], in: folder, variables: variables)
            #expect(shown.status == 0, "\(shown.errors)")
            let lines = shown.text.split(separator: "\n")
            #expect(lines.count == Setting.allCases.count)
            for (start, end) in [
                ("name = \"flag\" ", "  # flag --name"),
                ("listen = [\"127.0.0.1:2\"] ", "  # variable DHT_LISTEN"),
                ("key = \"node.key\" ", "  # conf.toml:3"), ("sync = \"normal\" ", "  # conf.toml:5"),
                ("paths = 1 ", "  # default"), ("# http: none ", "  # default"),
            ] {
                #expect(
                    lines.contains { $0.hasPrefix(start) && $0.hasSuffix(end) },
                    "\(start): \(shown.text)"
                )
            }
            // What it shows is a file that says the same, without variables and flags.
            let plain = try Program.run(show, in: folder, variables: variables)
            try folder.write(plain.text, to: "again.toml")
            #expect(
                try Program.run("config", "show", "--config", "again.toml", in: folder).text == plain.text
            )

            let object = try Program.run(show + ["--json"], in: folder, variables: variables)
            #expect(object["file"] as? String == "conf.toml" && object["schema"] as? Int == 1)
            let settings = try #require(object["settings"] as? [[String: Any]])
            #expect(settings.compactMap { $0["key"] as? String } == Setting.allCases.map(\.rawValue))
            let key = settings.first { $0["key"] as? String == "key" }
            #expect(key?["origin"] as? String == "file" && key?["place"] as? String == "conf.toml:3:7")
            let unknown = try Program.run("config", "shwo", in: folder)
            #expect(unknown.status == 2 && unknown.complaint.contains("did you mean \"show\"?"))
        }

        @Test func `every option of a node is a setting, and every setting an option`() throws {
            let help = try Program.run("node", "--help", in: try Folder())
            let flags = help.text.split(separator: "\n").compactMap { line in
                line.prefixMatch(of: #/  (?:-\w, )?(--[\w-]+)/#).map { String($0.1) }
            }
            let own: Set = ["--config", "--json", "--timeout", "--version", "--help"]
            #expect(Set(flags).subtracting(own) == Set(Setting.allCases.map(\.flag)))
        }
    }
}
