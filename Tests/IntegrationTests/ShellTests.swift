import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct ShellTests {
        private func arguments(_ members: Members, _ peers: [NodeProcess]) -> [String] {
            ["node", "--key", "shell.key", "--allow", "peers.allow", "--network", "net.network"]
                + ["--listen", "127.0.0.1:0", "--socket", members.folder.file("shell.sock"), "--shell"]
                + peers.flatMap { ["--peer", $0.uri] }
        }

        private func scene() throws -> (Members, [NodeProcess]) {
            let members = try Members(["shell", "one", "two"])
            let nodes = [try members.start("one"), try members.start("two")]
            try members.settled()
            return (members, nodes)
        }

        @Test func `the session of the contract through a pipe`() throws {
            let (members, nodes) = try scene()
            let typed = "put hello world\nget hello\nget nothing\nstatus\nquit\n"
            let ending = try Program.run(
                arguments(members, nodes),
                in: members.folder,
                input: Data(typed.utf8)
            )
            #expect(ending.status == 0, "\(ending.errors)")
            let lines = ending.text.split(separator: "\n").map(String.init)
            let ready = try #require(lines.first)
            #expect(ready.hasPrefix("READY dht://"))
            let rest = Array(lines.dropFirst())
            #expect(
                Array(rest.prefix(4)) == [
                    "Stored key 'hello' at 3 nodes", "Value: world", "Key 'nothing' not found",
                    "=== Node Status ===",
                ]
            )
            let status = rest.dropFirst(4)
            #expect(status.first?.hasPrefix("Node ID: ") == true && status.first?.count == 49)
            #expect(status.contains { $0.hasPrefix("Identity: dht1") })
            #expect(status.contains { $0.hasPrefix("Address: 127.0.0.1:") })
            #expect(status.contains { $0.hasPrefix("Bucket ") && $0.hasSuffix(" nodes") })
            #expect(status.contains("Total known nodes: 2"))
            #expect(status.contains("Stored keys: 1"))
            #expect(Array(rest.suffix(2)) == ["==================", "Goodbye!"])
        }

        @Test func `the session of the contract on a terminal`() throws {
            let (members, nodes) = try scene()
            let terminal = try Terminal(arguments(members, nodes), in: members.folder)
            try terminal.expect("READY dht://")
            try terminal.expect("> ")
            for (typed, answer) in [
                ("put hello world", "Stored key 'hello' at 3 nodes"), ("get hello", "Value: world"),
                ("get nothing", "Key 'nothing' not found"), ("status", "=================="),
            ] {
                terminal.type(typed + "\r")
                try terminal.expect(answer)
                try terminal.expect("> ")
            }
            // Up, and back over the last word: history and line editing.
            terminal.type("\u{1B}[A\u{1B}[A\u{17}hello\r")
            try terminal.expect("Value: world")
            terminal.type("quit\r")
            try terminal.expect("Goodbye!")
            #expect(try terminal.wait() == 0)
        }

        @Test func `lines outlive the node, but for those that begin with a blank`() throws {
            let members = try Members(["shell"])
            let command = arguments(members, []) + ["--data", "data"]
            let first = try Terminal(command, in: members.folder)
            try first.expect("> ")
            for line in ["get größe", " get secret", "get other"] {
                first.type(line + "\r")
                try first.expect("not found")
                try first.expect("> ")
            }
            first.type("quit\r")
            try first.expect("Goodbye!")
            #expect(try first.wait() == 0)
            let file = members.folder.file("data/shell-history")
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(!members.folder.text("data/shell-history").contains("secret"))

            let second = try Terminal(command, in: members.folder)
            try second.expect("> ")
            // ^R finds it by some of its letters.
            second.type("\u{12}größ")
            try second.expect("größe")
            second.type("\r")
            try second.expect("Key 'größe' not found")
        }

        @Test func `on a terminal ^C drops a line, and what is no text is refused`() throws {
            let members = try Members(["shell"])
            let terminal = try Terminal(arguments(members, []), in: members.folder)
            try terminal.expect("> ")
            terminal.type("get dropped\u{3}get half")
            terminal.type(bytes: [0xC3])
            terminal.type("x\r")
            try terminal.expect("Error: what was typed is not UTF-8; nothing was done")
            try terminal.expect("> ")
            // In the middle of the word, the cursor moves by characters.
            terminal.type("get größ\u{2}\u{2}\u{2}\u{4}ab\r")
            try terminal.expect("Key 'gaböß' not found")
            try terminal.expect("> ")
            terminal.type("\u{3}")
            #expect(try terminal.wait() == 0)
        }

        @Test func `a node in the background of a terminal serves, without a shell`() throws {
            let members = try Members(["shell"])
            let command = ([Program.path] + arguments(members, [])).joined(separator: " ")
            let bash = ["-c", "-w", "bash", "--norc", "-i"]
            let terminal = try Terminal(bash, in: members.folder, executable: "/usr/bin/setsid")
            terminal.type("\(command) & trap 'kill $!' EXIT\r")
            try terminal.expect("READY dht://")
            terminal.type("jobs\r")
            try terminal.expect("Running")
            let socket = members.folder.file("shell.sock")
            #expect(try Program.run("-s", socket, "status", in: members.folder).status == 0)
            #expect(try Program.run("-s", socket, "stop", in: members.folder).status == 0)
        }

        @Test func `a line that is too long, or no text, is refused and not cut to another one`() throws {
            let (members, nodes) = try scene()
            let long = "put k " + String(repeating: "x", count: 1 << 16)
            let ending = try Program.run(
                arguments(members, nodes),
                in: members.folder,
                input: Data("\(long)\nget k\n".utf8)
            )
            #expect(ending.text.contains("Error: the line is longer than 65536 bytes; nothing was done\n"))
            #expect(ending.text.contains("Key 'k' not found\n"))
        }
    }
}

/// A program on a pseudo-terminal.
final class Terminal {
    private let process = Process()
    private let master: Int32
    private var screen = ""
    private var seen = 0

    init(_ arguments: [String], in folder: Folder, executable: String = Program.path) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        // Linux's numbers for unlocking a pseudo-terminal and asking which one it is.
        guard master >= 0, ioctl(master, 0x4004_5431, &isLocked) == 0,
            ioctl(master, 0x8004_5430, &number) == 0
        else {
            throw NeverHappened("a pseudo-terminal")
        }
        let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        var size = winsize(ws_row: 24, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        let handle = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = Program.environment(folder).merging(["TERM": "xterm"]) { $1 }
        process.currentDirectoryURL = folder.url
        process.standardInput = handle
        process.standardOutput = handle
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        close(master)
    }

    func type(_ text: String) { type(bytes: Array(text.utf8)) }

    func type(bytes: [UInt8]) {
        _ = write(master, bytes, bytes.count)
    }

    /// Reads on until the text appears after what was expected before.
    func expect(_ text: String) throws {
        try eventually("the terminal shows \(text); it shows: \(screen)") {
            var waiting = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            if poll(&waiting, 1, 20) > 0, waiting.revents & Int16(POLLIN) != 0 {
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = read(master, &buffer, buffer.count)
                if count > 0 { screen += String(decoding: buffer[..<count], as: UTF8.self) }
            }
            let unseen = screen.dropFirst(seen)
            guard let found = unseen.range(of: text) else { return false }
            seen = screen.distance(from: screen.startIndex, to: found.upperBound)
            return true
        }
    }

    func wait() throws -> Int32 {
        try eventually("the program ends") { !process.isRunning }
        return process.terminationStatus
    }
}
