import Foundation
import SecureDHT
import Testing

/// The README's "As a library", run as it stands there: the test below compares the two, line by line.
private func readmeExample(_ print: (String) -> Void) async throws {
    // README begins
    let (ada, bob, network) = (NodeKey(), NodeKey(), NetworkSecret())
    let list = try Allowlist(parsing: "\(ada.identity.text) ada\n\(bob.identity.text) bob", file: "members")
    var setup = NodeConfiguration(key: ada, network: network, admission: .members(list))
    setup.listen = [HostPort(host: "127.0.0.1", port: 0)]
    let first = try await DHTNode.start(setup)
    let meeting = HostPort(host: "127.0.0.1", port: first.reachableAddress.port)
    (setup.key, setup.peers) = (bob, [PeerAddress(identity: first.identity, address: meeting)])
    let second = try await DHTNode.start(setup)
    try await second.put("world", for: "hello")
    print(try await first.get("hello")?.text ?? "nothing")
    await second.stop()
    await first.stop()
    // README ends
}

@Suite struct ReadmeExampleTests {
    @Test func `the library example of the README does what it says`() async throws {
        var printed: [String] = []
        try await readmeExample { printed.append($0) }
        #expect(printed == ["world"])
    }

    @Test func `the README shows the example that is run`() throws {
        let here = URL(filePath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let source = try String(contentsOf: here, encoding: .utf8)
        func lines(of text: String, between start: String, and end: String) -> [String] {
            let after = text.components(separatedBy: start).dropFirst().first ?? ""
            let block = after.components(separatedBy: end).first ?? ""
            return block.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
                !$0.isEmpty
            }
        }
        let shown = lines(of: readme, between: "<!-- runs: library -->\n```swift", and: "```")
        #expect(shown.count >= 10)
        #expect(shown == lines(of: source, between: "// README begins", and: "// README ends"))
    }
}
