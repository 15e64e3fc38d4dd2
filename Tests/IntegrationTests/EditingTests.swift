import Foundation
import Testing

extension IntegrationTests {
    /// Lines typed on a terminal, and how they are edited.
    @Suite(.serialized) struct EditingTests {
        private let members: Members

        init() throws { members = try Members(["shell"]) }

        private var folder: Folder { members.folder }
        private static let history = ".local/state/dht/history"

        private func shell(
            _ more: String...,
            columns: UInt16 = 200,
            variables: [String: String] = [:]
        ) throws -> Terminal {
            let socket = folder.file("\(UUID().uuidString.prefix(8)).sock")
            let terminal = try Terminal(
                ["node", "--key", "shell.key", "--allow", "peers.allow", "--network", "net.network"]
                    + ["--listen", "127.0.0.1:0", "--socket", socket] + more,
                in: folder,
                columns: columns,
                variables: variables
            )
            try terminal.expect("> ")
            return terminal
        }

        private func quit(_ terminal: Terminal) throws {
            terminal.type("quit\r")
            try terminal.expect("Goodbye!")
            #expect(try terminal.wait() == 0)
        }

        // MARK: History

        @Test func `lines outlive the node, but for those that are to be kept out`() throws {
            let first = try shell("--data", "data", variables: ["DHT_HISTORY_OMIT": "del"])
            for line in ["get größe", " get secret", "del secret", "get other"] {
                try first.enter(line, expecting: "not found")
            }
            try quit(first)
            #expect(folder.text(Self.history) == "get größe\nget other\nquit\n")
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.file(Self.history))
            #expect(attributes[.posixPermissions] as? Int == 0o600)

            let second = try shell("--data", "data")
            // ^R finds it by some of its letters.
            second.type("\u{12}größ")
            try second.expect("größe")
            second.type("\r")
            try second.expect("Key 'größe' not found")
            try quit(second)
        }

        @Test func `two shells at once keep the lines of both`() throws {
            try members.makeKey("other")
            let first = try shell("--data", "one")
            let second = try shell("--data", "two", "--key", "other.key")
            for (shell, line) in [(first, "one"), (second, "two"), (first, "three")] {
                try shell.enter(line, expecting: "unknown command")
            }
            try quit(second)
            try quit(first)
            #expect(folder.text(Self.history) == "one\ntwo\nthree\nquit\n")
        }

        @Test(arguments: [(["--data", "data"], "-"), (["--ephemeral"], "")])
        func `no line is kept where none shall be`(options: [String], variable: String) throws {
            let socket = folder.file("none.sock")
            let terminal = try Terminal(
                ["node", "--key", "shell.key", "--allow", "peers.allow", "--network", "net.network"]
                    + ["--listen", "127.0.0.1:0", "--socket", socket] + options,
                in: folder,
                variables: ["DHT_HISTORY": variable]
            )
            try terminal.expect("> ")
            terminal.type("get a\r")
            try terminal.expect("not found")
            // Within the session they are there.
            terminal.type("\u{1B}[A\r")
            try terminal.expect("not found")
            try quit(terminal)
            #expect(!FileManager.default.fileExists(atPath: folder.file(Self.history)))
            #expect(!FileManager.default.fileExists(atPath: folder.file("-")))
        }

        @Test func `a history is written to the file a variable names, behind its link`() throws {
            try folder.write("get a\n", to: "lines")
            try FileManager.default.createSymbolicLink(
                atPath: folder.file("link"),
                withDestinationPath: folder.file("lines")
            )
            let terminal = try shell("--ephemeral", variables: ["DHT_HISTORY": folder.file("link")])
            try quit(terminal)
            #expect(folder.text("lines") == "get a\nquit\n")
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("link")) != "")
        }

        // MARK: Keys

        @Test func `the tabulator completes commands, keys and peers, and lists what could be meant`() throws
        {
            let terminal = try shell("--ephemeral")
            try terminal.enter("pu\tconfig/web 1", expecting: "Stored key 'config/web'")
            try terminal.enter("put config/mail 2", expecting: "Stored key 'config/mail'")
            terminal.type("ge\tc\t\t")
            try terminal.expect("config/mail  config/web")
            try terminal.enter("w\t", expecting: "Value: 1")
            try members.makeKey("other")
            terminal.type("del config/m\t\r")
            try terminal.expect("Deleted key 'config/mail'")
            try quit(terminal)
        }

        @Test func `words are moved over and deleted`() throws {
            let terminal = try shell("--ephemeral")
            // Back by three words, one of them deleted, on by one, and what is typed there.
            let keys = "\u{1B}b\u{1B}[1;5D\u{1B}[1;5D\u{1B}d\u{1B}fX"
            try terminal.enter("get one/two/three" + keys, expecting: "Key '/twoX/three' not found")
            terminal.type("get one two\u{17}\u{17}three\r")
            try terminal.expect("Key 'three' not found")
            try quit(terminal)
        }

        /// A key is typed, and then one character of it removed by these keys.
        @Test(arguments: [
            ("get 日本語\u{2}\u{2}\u{7F}", "Key '本語' not found"),
            ("get a🎉b\u{2}\u{7F}", "Key 'ab' not found"),
            ("get xe\u{301}y\u{1B}[D\u{7F}", "Key 'xy' not found"),
            ("get x👨‍👩‍👧y\u{1B}[D\u{1B}[D\u{4}", "Key 'xy' not found"),
            ("get x🇩🇪y\u{1B}[D\u{1B}[D\u{1B}[C\u{7F}", "Key 'xy' not found"),
            ("get größ\u{2}\u{2}\u{2}\u{4}ab", "Key 'gaböß' not found"),
        ])
        func `characters of any width and number of scalars are one`(keys: String, answer: String) throws {
            let terminal = try shell("--ephemeral")
            terminal.type(keys + "\r")
            try terminal.expect(answer)
            try quit(terminal)
        }

        @Test func `^C drops a line and ends nothing, ^D on an empty line ends`() throws {
            let terminal = try shell("--ephemeral")
            terminal.type("get dropped\u{3}get half")
            terminal.type(bytes: [0xC3])
            try terminal.enter("x", expecting: "Error: what was typed is not UTF-8; nothing was done")
            terminal.type("\u{3}")
            try terminal.expect("quit, or ^D, ends")
            try terminal.enter("get a", expecting: "Key 'a' not found")
            terminal.type("\u{4}")
            try terminal.expect("Goodbye!")
            #expect(try terminal.wait() == 0)
        }

        @Test func `a user's own keys are honoured, also those of vi`() throws {
            try folder.write("dht:bind ^T ed-move-to-beg\nother:bind ^X ed-newline\n", to: ".editrc")
            let terminal = try shell("--ephemeral")
            terminal.type("et a\u{14}g\r")
            try terminal.expect("Key 'a' not found")
            try quit(terminal)
            try folder.write("bind -v\n", to: ".editrc")
            let visual = try shell("--ephemeral")
            visual.type("dropped\u{3}get xbc\u{1B}0wxAd\r")
            try visual.expect("Key 'bcd' not found")
            #expect(!visual.screen.contains("[?2004h"))
            visual.type("\u{3}sta\t\r")
            try visual.expect("==================")
            visual.type("quit\r")
            try visual.expect("Goodbye!")
        }

        // MARK: Pastes

        @Test(arguments: [80, 200] as [UInt16])
        func `a paste of 5000 characters arrives whole`(columns: UInt16) throws {
            let value = (0..<1000).map { String($0 + 10_000) }.joined()
            let terminal = try shell("--ephemeral", columns: columns)
            try terminal.enter("put typed \(value)", expecting: "Stored key 'typed'")
            terminal.type("\u{1B}[200~put pasted \(value)\u{1B}[201~")
            try terminal.enter("", expecting: "Stored key 'pasted'")
            for key in ["typed", "pasted"] {
                try terminal.enter("get \(key)", expecting: "Value: \(value)")
            }
            try quit(terminal)
        }

        @Test func `pasted lines wait for Enter, and are commands one after the other`() throws {
            let terminal = try shell("--ephemeral")
            terminal.type("\u{1B}[200~put a 1\r\nput b 2\nget a\n\u{1B}[201~")
            // So far nothing was done.
            try terminal.enter("\u{3}get a", expecting: "Key 'a' not found")
            terminal.type("\u{1B}[200~put a 1\r\nput b 2\nget \u{1B}[201~a\r")
            try terminal.expect("Stored key 'a'")
            try terminal.expect("> put b 2")
            try terminal.expect("Stored key 'b'")
            try terminal.expect("> get a")
            try terminal.expect("Value: 1")
            try terminal.expect("> ")
            try quit(terminal)
        }

        @Test func `lines of a terminal that does not mark pastes are commands as typed`() throws {
            let value = (0..<1000).map { String($0 + 10_000) }.joined()
            let terminal = try shell("--ephemeral")
            terminal.type("put a 1\rput b \(value)\rget a\rget b\r")
            try terminal.expect("Stored key 'a'")
            try terminal.expect("Stored key 'b'")
            try terminal.expect("Value: 1")
            try terminal.expect("Value: \(value)")
            try terminal.expect("> ")
            try quit(terminal)
        }
    }
}
