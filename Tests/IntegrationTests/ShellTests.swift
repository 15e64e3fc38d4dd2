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
