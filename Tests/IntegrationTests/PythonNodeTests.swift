import Foundation
import Testing

/// The second implementation, `Tests/Interop/node.py`, as a process that takes a command a line.
final class PythonNode {
    private let process = Process()
    private let input = Pipe()
    private let output: URL
    private var read = 0
    private(set) var uri = ""
    private(set) var identity = ""

    init(seed: String, network: String, allow: String, peers: [String], in folder: Folder) throws {
        output = folder.fresh()
        try Data().write(to: output)
        process.executableURL = URL(filePath: "/usr/bin/python3")
        let script = Program.root.appending(path: "Tests/Interop/node.py").path
        process.arguments =
            [
                script, "--seed", seed, "--network", network, "--allow", folder.file(allow), "--listen",
                "127.0.0.1:0",
            ]
            + peers.flatMap { ["--peer", $0] }
        process.environment = Program.environment(folder).merging(["PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        let line = try nextLine()
        guard line.hasPrefix("READY "), let at = line.firstIndex(of: "@") else {
            throw NeverHappened(what: line)
        }
        uri = String(line.dropFirst(6))
        identity = String(line[..<at].dropFirst("READY dht://".count))
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Types a command and reads its answer.
    func ask(_ words: String...) throws -> [String: Any] {
        input.fileHandleForWriting.write(Data((words.joined(separator: " ") + "\n").utf8))
        let line = try nextLine()
        return try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
    }

    private func nextLine() throws -> String {
        var line = ""
        try eventually("the second implementation answers", within: 60) {
            let text = try String(contentsOf: output, encoding: .utf8)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            guard lines.count > read + 1 else { return false }
            line = String(lines[read])
            return true
        }
        read += 1
        return line
    }
}

func hex(_ text: String) -> String { text.utf8.map { String(format: "%02x", $0) }.joined() }

extension IntegrationTests {
    @Suite(.serialized) struct PythonNodeTests {
        /// The bytes of a bech32m text: enough of a decoder for a test to read a network key it made itself.
        private func bytes(ofText text: String) -> String {
            let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l")
            let digits = text.lowercased().split(separator: "1").last.map(String.init) ?? ""
            var (value, bits, result): (UInt32, Int, [UInt8]) = (0, 0, [])
            for character in digits.dropLast(6) {
                value = value << 5 | UInt32(alphabet.firstIndex(of: character) ?? 0)
                bits += 5
                if bits >= 8 {
                    bits -= 8
                    result.append(UInt8(truncatingIfNeeded: value >> UInt32(bits)))
                    value &= (1 << UInt32(bits)) - 1
                }
            }
            return result.map { String(format: "%02x", $0) }.joined()
        }

        private func networkHex(_ folder: Folder) throws -> String {
            let line = folder.text("net.network").split(separator: "\n").first {
                $0.hasPrefix("DHT-NETWORK-1")
            }
            return bytes(ofText: String(line ?? ""))
        }

        private func seedHex(_ folder: Folder, _ name: String) -> String {
            let line = folder.text("\(name).key").split(separator: "\n").first {
                $0.hasPrefix("DHT-SECRET-KEY-1")
            }
            return bytes(ofText: String(line ?? ""))
        }

        private func list(_ members: Members) throws {
            try members.folder.write(
                members.identities.values.sorted().joined(separator: "\n") + "\n",
                to: "python.allow"
            )
        }

        @Test func `two implementations that share a page share values`() throws {
            let members = try Members(["swift", "other", "python"])
            try list(members)
            let swift = try members.start("swift")
            let other = try members.start("other")
            let python = try PythonNode(
                seed: seedHex(members.folder, "python"),
                network: try networkHex(members.folder),
                allow: "python.allow",
                peers: [swift.uri],
                in: members.folder
            )
            #expect(python.identity == members.identities["python"])
            #expect(try python.ask("ping", swift.identity)["ok"] as? Bool == true)
            try eventually("all three are known to the others") {
                try swift.peersUp() == 2 && other.peersUp() == 2
            }
            #expect(try swift.dht("ping", python.identity).status == 0)
            #expect(try python.ask("find", String(repeating: "00", count: 20))["ok"] as? Bool == true)

            #expect(
                try swift.dht("put", "from swift", "grüezi").text == "Stored key 'from swift' at 3 nodes\n"
            )
            #expect("\(try python.ask("get", hex("from swift")))".contains(hex("grüezi")))
            _ = try python.ask("put", hex("from python"), hex("bonjour"))
            #expect(try other.dht("get", "from python").text == "bonjour")
            #expect(try swift.dht("get", "from python").text == "bonjour")

            let long = String(repeating: "a value that is too long for a record ", count: 5000)
            let stored = try swift.dht("put", "long", "-", input: Data(long.utf8))
            // The other implementation keeps no content, and says so.
            #expect(stored.text == "Stored key 'long' at 2 nodes\n", "\(stored.errors)")
            #expect(try python.ask("get", hex("long"))["value"] as? String == hex(long))

            #expect(try swift.dht("del", "from swift").status == 0)
            #expect(!"\(try python.ask("get", hex("from swift")))".contains(hex("grüezi")))
            _ = try python.ask("del", hex("from python"))
            #expect(try swift.dht("get", "from python").status == 3)
        }

        @Test func `one that is on no list hears nothing from the other implementation`() throws {
            let members = try Members(["swift"])
            try members.makeKey("python")
            try list(members)
            let swift = try members.start("swift")
            _ = try swift.dht("put", "secret", "value")
            let python = try PythonNode(
                seed: seedHex(members.folder, "python"),
                network: try networkHex(members.folder),
                allow: "python.allow",
                peers: [swift.uri],
                in: members.folder
            )
            #expect(try python.ask("ping", swift.identity)["ok"] as? Bool != true)
            #expect(!"\(try python.ask("get", hex("secret")))".contains(hex("value")))
            #expect(try swift.rejected()["admission", default: 0] > 0)
            #expect(try swift.peersUp() == 0)
        }
    }
}
