import ArgumentParser
import FoundationEssentials
import SecureDHT

/// Makes all that nodes need to know each other: on one machine, to try it. In earnest each machine makes its
/// own key, which never leaves it.
struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a folder with the keys of new nodes, the network key and the allowlist."
    )

    @Argument(help: "The folder; it is made.")
    var folder: String
    @Argument(help: "The nodes: NAME=HOST:PORT, where each is to listen over UDP.")
    var nodes: [NodeName]

    func run() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try NetworkSecret().write(to: "\(folder)/network.key")
        var list = ""
        for node in nodes {
            let key = NodeKey()
            try key.write(to: "\(folder)/\(node.name).key", name: node.name)
            list += "\(key.identity.text) \(node.name) addr=\(node.address)\n"
        }
        _ = try Allowlist(parsing: list, file: "the list of nodes")
        try Data(list.utf8).write(to: URL(filePath: "\(folder)/members"))
    }
}

/// A node that is to be: `ada=127.0.0.1:4101`.
struct NodeName: ExpressibleByArgument {
    let name: String
    let address: HostPort

    init?(argument: String) {
        guard let sign = argument.firstIndex(of: "="),
            let address = HostPort(String(argument[argument.index(after: sign)...]))
        else { return nil }
        (name, self.address) = (String(argument[..<sign]), address)
    }
}
