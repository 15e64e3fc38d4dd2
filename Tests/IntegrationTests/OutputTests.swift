import Foundation
import Testing

extension IntegrationTests {
    /// How answers reach a terminal, and a pipe nobody reads to its end.
    @Suite(.serialized) struct OutputTests {
        @Test func `a value at a terminal is escaped, and exactly its bytes elsewhere`() throws {
            let members = try Members(["alpha"])
            let node = try members.start("alpha")
            let value = Data("a\u{1B}[31mb\nc\u{9B}d\\".utf8) + [0xFF]
            #expect(try node.dht("put", "k", "-", input: value).status == 0)
            #expect(try node.dht("get", "k").output == value)

            let shown = try Terminal(
                ["get", "k", "-s", node.socket],
                in: members.folder,
                showsErrors: true
            )
            try shown.expect("a\\x1b[31mb\r\nc\\u{9b}d\\\\\\xff\r\n")
            try shown.expect("shown escaped: ")
            #expect(try shown.wait() == 0)
            #expect(!shown.screen.contains("\u{1B}"))

            let raw = try Terminal(
                ["get", "k", "--raw", "-s", node.socket],
                in: members.folder,
                showsErrors: true
            )
            try raw.expect("a\u{1B}[31mb\r\nc\u{9B}d\\")
            #expect(try raw.wait() == 0)
            #expect(!raw.screen.contains("shown"))
            #expect(try node.dht("get", "k", "--raw", "--all").status == 2)
        }

        @Test func `no key, name or value drives a terminal through any answer`() throws {
            let members = try Members(["alpha"])
            let node = try members.start("alpha")
            let key = "k\u{1B}]0;x\u{7}\u{9B}"
            #expect(try node.dht("put", "--keep", key, "v\u{1B}[2J").status == 0)
            let commands = [
                ["get", "--all", key], ["get", "--meta", key], ["trace", key], ["ls"], ["status", "-v"],
                ["peers"], ["routes"], ["log"], ["log", "--rejected"], ["top", "--once"], ["doctor"],
                ["get", key + "x"], ["put", key, "w", "--if-rev", "1"], ["why", key], ["ping", key],
                ["put", "--keep", key, "w"], ["del", key], ["get", key, "--author", key],
            ]
            for command in commands {
                let ending = try node.dht(command)
                let isValue = command.contains("--meta")
                let text = (isValue ? "" : ending.text) + ending.errors
                let driving = text.unicodeScalars.filter { $0.value < 32 && $0 != "\n" || $0.value == 0x9B }
                #expect(driving.isEmpty, "\(command): \(ending.text)\(ending.errors)")
            }
        }

        @Test func `a reader that goes away ends the writer quietly`() throws {
            let members = try Members(["alpha"])
            let node = try members.start("alpha")
            let value = Data(repeating: 0x61, count: 1 << 20)
            #expect(try node.dht("put", "k", "-", input: value).status == 0)
            let commands = [
                "status", "get k", "log -f", "simulate --nodes 5 --hours 0.01 --reads 10 --seeds 3 --seed 1",
                "--help", "top",
            ]
            for command in commands {
                // The reader is gone when the writer starts, or takes a little of it.
                let script = """
                    set -o pipefail
                    \(Program.path) \(command) -s \(node.socket) | { [ '\(command)' = 'get k' ] && head -c1; }
                    exit ${PIPESTATUS[0]}
                    """
                let arguments = command.hasPrefix("simulate") || command == "--help"
                let ending = try Program.run(
                    "-c",
                    arguments ? script.replacing(" -s \(node.socket)", with: "") : script,
                    in: members.folder,
                    executable: "/bin/bash"
                )
                #expect(ending.errors.isEmpty, "\(command): \(ending.errors)")
                #expect([0, 141].contains(ending.status), "\(command): \(ending.status)")
            }
        }

        @Test func `a log that is followed ends soon after its reader`() throws {
            let members = try Members(["alpha"])
            let node = try members.start("alpha")
            let ending = try Program.run(
                "-c",
                "\(Program.path) log -f -s \(node.socket) | head -1; exit ${PIPESTATUS[0]}",
                in: members.folder,
                executable: "/bin/bash"
            )
            #expect(ending.status == 141 && ending.errors.isEmpty, "\(ending.errors)")
            #expect(!ending.text.isEmpty)
        }
    }
}
