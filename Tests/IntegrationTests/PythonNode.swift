import Foundation

/// A program of the second implementation as a process that takes a command a line: `node.py` in
/// `Tests/Interop`, or `hostile.py`.
final class PythonNode {
    private let process = Process()
    private let input = Pipe()
    private let output: URL
    private var read = 0
    private(set) var uri = ""
    private(set) var identity = ""

    convenience init(
        _ script: String,
        seed: String,
        network: String,
        allow: String,
        peers: [String],
        more: [String] = [],
        in folder: Folder
    ) throws {
        let arguments =
            ["--network", network, "--allow", folder.file(allow)] + peers.flatMap { ["--peer", $0] } + more
        try self.init(script, seed: seed, arguments, in: folder)
    }

    /// Joins by the line of an invitation.
    convenience init(_ script: String, seed: String, joining line: String, in folder: Folder) throws {
        try self.init(script, seed: seed, ["--join", line], in: folder)
    }

    private init(_ script: String, seed: String, _ arguments: [String], in folder: Folder) throws {
        output = folder.stream()
        try Data().write(to: output)
        process.executableURL = URL(filePath: "/usr/bin/python3")
        let script = Program.root.appending(path: "Tests/Interop").appending(path: script).path
        process.arguments = [script, "--seed", seed, "--listen", "127.0.0.1:0"] + arguments
        process.environment = Program.environment(folder).merging(["PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        let line = try nextLine()
        guard line.hasPrefix("READY "), let at = line.firstIndex(of: "@") else {
            throw NeverHappened(line)
        }
        uri = String(line.dropFirst(6))
        identity = String(line[..<at].dropFirst("READY dht://".count))
    }

    deinit {
        end()
    }

    /// Types a command and reads its answer.
    func ask(_ words: String...) throws -> [String: Any] {
        type(words.joined(separator: " "))
        return try reply()
    }

    /// Types a command whose answer is read later.
    func type(_ command: String) { input.fileHandleForWriting.write(Data((command + "\n").utf8)) }

    /// The answer to the next of the commands typed.
    func reply() throws -> [String: Any] {
        let line = try nextLine()
        return try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
    }

    /// Whether the next answer is there.
    var hasReplied: Bool { (try? lines.count > read + 1) ?? false }

    private var lines: [Substring] {
        get throws {
            try String(contentsOf: output, encoding: .utf8)
                .split(separator: "\n", omittingEmptySubsequences: false)
        }
    }

    func end() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private func nextLine() throws -> String {
        var line = ""
        try eventually("the second implementation answers", within: 60) {
            let lines = try lines
            guard lines.count > read + 1 else { return false }
            line = String(lines[read])
            return true
        }
        read += 1
        return line
    }
}

func hex(_ text: String) -> String { text.utf8.map { String(format: "%02x", $0) }.joined() }

extension Members {
    /// Starts a member, or whoever else has a key here, by a program of the second implementation.
    func python(
        _ name: String,
        by script: String = "node.py",
        peers: [NodeProcess],
        more: [String] = []
    ) throws -> PythonNode {
        try folder.write(identities.values.sorted().joined(separator: "\n") + "\n", to: "python.allow")
        return try PythonNode(
            script,
            seed: secret("\(name).key", "DHT-SECRET-KEY-1"),
            network: secret("net.network", "DHT-NETWORK-1"),
            allow: "python.allow",
            peers: peers.map(\.uri),
            more: more,
            in: folder
        )
    }

    /// The bytes of the key in a file, in hexadecimal.
    private func secret(_ file: String, _ prefix: String) -> String {
        let line = folder.text(file).split(separator: "\n").first { $0.hasPrefix(prefix) }
        return bytes(ofText: String(line ?? ""))
    }

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
}
