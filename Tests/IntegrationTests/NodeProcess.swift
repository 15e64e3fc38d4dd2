import Foundation

/// A running `dht node`.
final class NodeProcess {
    let name: String
    let identity: String
    let folder: Folder
    private(set) var address = ""
    let socket: String
    private let execution: Execution

    var uri: String { "dht://\(identity)@\(address)" }
    var port: UInt16 { UInt16(address.split(separator: ":").last ?? "") ?? 0 }
    var isRunning: Bool { execution.isRunning }
    var processID: Int32 { execution.processID }
    var log: String { execution.log }

    /// Starts the node and waits until it serves.
    ///
    /// - Parameters:
    ///   - choosesSocket: Whether the node itself finds a place for its control socket.
    ///   - configuration: The file that says all else, in place of a key named as the node.
    init(
        _ name: String,
        identity: String,
        in folder: Folder,
        arguments: [String],
        choosesSocket: Bool = false,
        configuration: String? = nil,
        variables: [String: String] = [:]
    ) throws {
        (self.name, self.identity, self.folder) = (name, identity, folder)
        socket = folder.file(choosesSocket ? "dht/dht.sock" : "\(name).sock")
        let place = choosesSocket ? [] : ["--socket", socket]
        let origin = configuration.map { ["--config", $0] } ?? ["--key", "\(name).key"]
        // What is loaded before all else may change the environment, after which Swift does not find the
        // arguments; but not if a program before has done that already.
        let isPreloaded = variables["LD_PRELOAD"] != nil
        execution = try Execution(
            isPreloaded ? "/usr/bin/env" : Program.path,
            (isPreloaded ? [Program.path] : []) + ["node"] + origin + place + arguments,
            in: folder,
            variables: variables
        )
        try eventually("\(name) serves; it said: \(log)") {
            execution.text.contains("READY ") || !execution.isRunning
        }
        let line = execution.text.split(separator: "\n").first { $0.hasPrefix("READY dht://") }
        guard let line, let at = line.firstIndex(of: "@") else {
            throw NeverHappened("\(name) serves: \(log)")
        }
        address = String(line[line.index(after: at)...])
    }

    func dht(_ arguments: String..., input: Data = Data()) throws -> Program.Exit {
        try dht(arguments, input: input)
    }

    func dht(_ arguments: [String], input: Data = Data()) throws -> Program.Exit {
        try Program.run(arguments + ["--socket", socket], in: folder, input: input)
    }

    func kill() { execution.kill() }

    func signal(_ number: Int32) { execution.signal(number) }

    /// Ends it by SIGTERM; its exit status.
    func terminate() throws -> Int32 {
        signal(SIGTERM)
        return try end()
    }

    /// Waits for its end, which was asked for; its exit status.
    func end() throws -> Int32 {
        try eventually("\(name) ends") { !isRunning }
        return try execution.finish().status
    }

    func status() throws -> [String: Any] {
        let ending = try dht("status", "--json")
        return (try JSONSerialization.jsonObject(with: ending.output)) as? [String: Any] ?? [:]
    }

    func peersUp() throws -> Int { (try status()["peers"] as? [String: Any])?["up"] as? Int ?? -1 }

    func rejected() throws -> [String: Int] { try status()["rejected"] as? [String: Int] ?? [:] }

    /// Identities in its peer list that it has heard from.
    func contacts() throws -> [String] {
        let ending = try dht("peers", "--json")
        let object = try JSONSerialization.jsonObject(with: ending.output) as? [String: Any]
        let peers = object?["peers"] as? [[String: Any]] ?? []
        return peers.filter { $0["state"] as? String != "unknown" }.compactMap { $0["id"] as? String }
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
        guard ending.status == 0 else { throw NeverHappened("keygen: \(ending.errors)") }
        identities[name] = ending.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func line(_ name: String, _ options: String = "") -> String {
        "\(identities[name] ?? "?")  \(name)  \(options)\n"
    }

    func writeList(_ names: [String], to file: String = "peers.allow") throws {
        try folder.write(names.map { line($0) }.joined(), to: file)
    }

    /// Starts a member; it is told of the first one running, unless `peers` says otherwise.
    @discardableResult
    func start(
        _ name: String,
        peers: [String]? = nil,
        allow: String = "peers.allow",
        network: String = "net.network",
        listen: String = "127.0.0.1:0",
        choosesSocket: Bool = false,
        more: [String] = [],
        variables: [String: String] = [:]
    ) throws -> NodeProcess {
        let uris = peers ?? nodes.first { $0.isRunning }.map { [$0.uri] } ?? []
        let arguments = ["--allow", allow, "--network", network, "--listen", listen] + more
        let node = try NodeProcess(
            name,
            identity: identities[name] ?? "",
            in: folder,
            arguments: arguments + uris.flatMap { ["--peer", $0] },
            choosesSocket: choosesSocket,
            variables: variables
        )
        nodes.append(node)
        return node
    }

    /// Waits until every one of these knows that many others.
    func settled(_ nodes: [NodeProcess]? = nil, _ count: Int? = nil) throws {
        let nodes = nodes ?? self.nodes
        for node in nodes {
            try eventually("\(node.name) knows the others") { try node.peersUp() >= count ?? nodes.count - 1 }
        }
    }
}
