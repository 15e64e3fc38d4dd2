import DHTGateway
import Dispatch
import FoundationEssentials
import Glibc
import SecureDHT
import Synchronization

/// A member or an outsider of the demo, before it runs.
struct DemoMember {
    let name: String
    let identity: Identity
    let keyFile: String
}

/// A node of the demo, started.
struct DemoNode {
    let name: String
    let process: ChildProcess
    let control: ControlClient
    /// `dht://…`, as its READY line had it.
    let uri: String
    /// Its dashboard's address, if it has one.
    let dashboard: String?

    var port: String { uri.split(separator: ":").last.map { ":\($0)" } ?? uri }
}

/// The files and processes of a demo, in a directory nobody else can read. Ends with the program, however
/// that ends.
final class DemoNetwork: Sendable {
    /// A node that was started and may not serve yet.
    struct Launch {
        let name: String
        let process: ChildProcess
        let socket: String
    }

    private let directory: String
    /// Where a node's first words are awaited: that blocks.
    private let queue = DispatchQueue(label: "demo", attributes: .concurrent)

    /// Processes and files to be cleaned up: seen from `atexit`, so not an instance's.
    private struct Remains {
        var directory: String?
        var processes: [ChildProcess] = []
    }
    private static let remains = Mutex(Remains())

    init() throws {
        let parent = GlobalOptions.environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        var template = Array("\(parent)/dht-demo-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw Failure(.internal, "no directory for the demo can be made in \(parent): \(errnoText())")
        }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Self.remains.withLock { [directory] in $0.directory = directory }
        atexit { DemoNetwork.cleanUp() }
    }

    func makeKey(named name: String) throws -> DemoMember {
        let key = NodeKey()
        let file = path("\(name).key")
        try key.write(to: file, name: name)
        return DemoMember(name: name, identity: key.identity, keyFile: file)
    }

    /// The allowlist with these members, and the network key.
    func writeShared(_ members: [DemoMember]) throws {
        let lines = members.map { "\($0.identity.text)  \($0.name)\n" }.joined()
        try FileBytes.replaceFile(path("peers.allow"), with: Array(lines.utf8))
        try NetworkSecret().write(to: path("net.key"))
    }

    func start(_ member: DemoMember, peers: [String], isSeen: Bool = false) async throws -> DemoNode {
        try await awaitReady(launch(member, peers: peers, isSeen: isSeen))
    }

    /// Starts a node's process. Its shell reads a pipe of ours, so that it ends when we do, even if we crash.
    /// `isSeen`: with a dashboard.
    func launch(_ member: DemoMember, peers: [String], isSeen: Bool = false) throws(Failure) -> Launch {
        let socket = path("\(member.name).sock")
        var arguments = [
            "node", "--shell", "--name", member.name, "--key", member.keyFile, "--allow", path("peers.allow"),
            "--network", path("net.key"), "--listen", "127.0.0.1:0", "--socket", socket,
            "--ephemeral",
        ]
        for peer in peers { arguments += ["--peer", peer] }
        if isSeen { arguments += ["--http", "127.0.0.1:0"] }
        let process = try ChildProcess(arguments: arguments, log: path("\(member.name).log"))
        Self.remains.withLock { $0.processes.append(process) }
        return Launch(name: member.name, process: process, socket: socket)
    }

    func awaitReady(_ launch: Launch) async throws -> DemoNode {
        let line = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: launch.process.firstLine(within: 10)) }
        }
        let bytes = (try? FileBytes.readFile(path("\(launch.name).log"), limit: 1 << 16)) ?? []
        let log = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let line, line.hasPrefix("READY ") else {
            let last = log.last ?? "it said nothing"
            throw Failure(.internal, "the demo failed: \(launch.name) does not serve: \(last)")
        }
        let candidate = ControlSocket.Candidate(path: launch.socket, label: launch.socket)
        return DemoNode(
            name: launch.name,
            process: launch.process,
            control: ControlClient(candidates: [candidate], timeout: 10),
            uri: String(line.dropFirst("READY ".count)),
            dashboard: log.first { $0.hasPrefix(Self.told) }.map { String($0.dropFirst(Self.told.count)) }
        )
    }

    /// The beginning of the line by which a node tells where it serves HTTP.
    private static let told = "http at "

    func kill(_ node: DemoNode) { node.process.kill() }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    private static func cleanUp() {
        let remains = remains.withLock { remains in
            defer { remains = Remains() }
            return remains
        }
        for process in remains.processes { process.kill() }
        if let directory = remains.directory { try? FileManager.default.removeItem(atPath: directory) }
    }
}
