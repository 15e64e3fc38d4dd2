import Foundation

/// A running `dht node`.
final class NodeProcess {
    let name: String
    let identity: String
    let folder: Folder
    private(set) var address = ""
    private let process = Process()
    private let output: URL
    private let errors: URL

    var socket: String { folder.file("\(name).sock") }
    var uri: String { "dht://\(identity)@\(address)" }
    var port: UInt16 { UInt16(address.split(separator: ":").last ?? "") ?? 0 }
    var isRunning: Bool { process.isRunning }
    var processID: Int32 { process.processIdentifier }
    var log: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }
    var said: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }

    /// Starts the node and waits until it serves.
    init(_ name: String, identity: String, in folder: Folder, arguments: [String], executable: String = Program.path) throws {
        (self.name, self.identity, self.folder) = (name, identity, folder)
        (output, errors) = (folder.fresh(), folder.fresh())
        for file in [output, errors] { try Data().write(to: file) }
        process.executableURL = URL(filePath: executable)
        process.arguments = ["node", "--key", "\(name).key", "--socket", socket] + arguments
        process.environment = Program.environment(folder)
        process.currentDirectoryURL = folder.url
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        try eventually("\(name) serves; it said: \(log)") { said.contains("READY ") || !process.isRunning }
        guard let line = said.split(separator: "\n").first(where: { $0.hasPrefix("READY dht://") }),
            let at = line.firstIndex(of: "@")
        else { throw NeverHappened(what: "\(name) serves: \(log)") }
        address = String(line[line.index(after: at)...])
    }

    deinit { kill() }

    func dht(_ arguments: String..., input: Data = Data()) throws -> Program.Ending {
        try Program.run(arguments + ["--socket", socket], in: folder, input: input)
    }

    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func signal(_ number: Int32) { Foundation.kill(process.processIdentifier, number) }

    /// Ends it by SIGTERM; its exit status.
    func terminate() throws -> Int32 {
        signal(SIGTERM)
        try eventually("\(name) ends") { !process.isRunning }
        return process.terminationStatus
    }

    func status() throws -> [String: Any] {
        let ending = try dht("status", "--json")
        return (try JSONSerialization.jsonObject(with: ending.output)) as? [String: Any] ?? [:]
    }

    func peersUp() throws -> Int { (try status()["peers"] as? [String: Any])?["up"] as? Int ?? -1 }

    func rejected() throws -> [String: Int] { try status()["rejected"] as? [String: Int] ?? [:] }

    /// Identities in its peer list with an address.
    func contacts() throws -> [String] {
        let ending = try dht("peers", "--json")
        let object = try JSONSerialization.jsonObject(with: ending.output) as? [String: Any]
        let peers = object?["peers"] as? [[String: Any]] ?? []
        return peers.filter { $0["address"] is String }.compactMap { $0["id"] as? String }
    }

    /// Kilobytes of memory in use.
    func residentKilobytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
}

/// Members with keys, an allowlist and a network key in one folder.
final class Members {
    let folder: Folder
    private(set) var identities: [String: String] = [:]
    private(set) var nodes: [NodeProcess] = []

    init(_ names: [String], folder: Folder? = nil) throws {
        self.folder = try folder ?? Folder()
        try Program.run("keygen", "--network", "-o", "net.network", in: self.folder)
        for name in names { try makeKey(name) }
        try writeList(names)
    }

    func makeKey(_ name: String) throws {
        let ending = try Program.run("keygen", "-o", "\(name).key", in: folder)
        guard ending.status == 0 else { throw NeverHappened(what: "keygen: \(ending.errors)") }
        identities[name] = ending.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func line(_ name: String, _ options: String = "") -> String { "\(identities[name] ?? "?")  \(name)  \(options)\n" }

    func writeList(_ names: [String], to file: String = "peers.allow") throws {
        try folder.write(names.map { line($0) }.joined(), to: file)
    }

    func adopt(_ node: NodeProcess) { nodes.append(node) }

    /// Starts a member; it is told of the first one running, unless `peers` says otherwise.
    @discardableResult
    func start(
        _ name: String, peers: [String]? = nil, allow: String = "peers.allow", network: String = "net.network",
        listen: String = "127.0.0.1:0", more: [String] = []
    ) throws -> NodeProcess {
        let uris = peers ?? nodes.first { $0.isRunning }.map { [$0.uri] } ?? []
        let arguments = ["--allow", allow, "--network", network, "--listen", listen] + more
        let node = try NodeProcess(
            name, identity: identities[name] ?? "", in: folder,
            arguments: arguments + uris.flatMap { ["--peer", $0] })
        nodes.append(node)
        return node
    }

    /// Waits until every one of these knows that many others.
    func acquainted(_ nodes: [NodeProcess]? = nil, _ count: Int? = nil) throws {
        let nodes = nodes ?? self.nodes
        for node in nodes {
            try eventually("\(node.name) knows the others") { try node.peersUp() >= count ?? nodes.count - 1 }
        }
    }
}
