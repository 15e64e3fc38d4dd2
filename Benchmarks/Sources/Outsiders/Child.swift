import DHTCore
import DHTCrypto
import DHTEnvelope
import Foundation
import Logging
import SecureDHT

/// This program again, as a process that is a node.
final class Child {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var typed = Data()

    init(_ role: String, _ cast: Cast, more: [String] = []) throws {
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [role]
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        for line in [cast.network] + cast.seeds {
            say(line.map { String($0, radix: 16) }.joined(separator: " "))
        }
        for line in more { say(line) }
    }

    var id: Int32 { process.processIdentifier }

    func say(_ line: String) { input.fileHandleForWriting.write(Data((line + "\n").utf8)) }

    /// The next line it prints.
    func hear() -> String {
        while true {
            if let end = typed.firstIndex(of: 10) {
                defer { typed = Data(typed[(end + 1)...]) }
                return String(decoding: typed[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            precondition(!more.isEmpty, "the other process has ended")
            typed += more
        }
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }

    /// Nanoseconds that all its threads had the processor, in user space and in the system's.
    var processorTime: UInt64 {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        return tasks.reduce(0) { sum, task in
            let text =
                (try? String(contentsOfFile: "/proc/\(id)/task/\(task)/schedstat", encoding: .utf8)) ?? ""
            return sum + (UInt64(text.split(separator: " ").first ?? "") ?? 0)
        }
    }

    // MARK: In that process

    private static func readCast() -> Cast {
        func bytes() -> [UInt8] {
            (readLine() ?? "").split(separator: " ").compactMap { UInt8($0, radix: 16) }
        }
        let network = bytes()
        return Cast(seeds: (0..<Cast.count).map { _ in bytes() }, network: network)
    }

    private static func start(_ cast: Cast, _ index: Int, peers: [PeerAddress]) async throws -> DHTNode {
        var logger = Logger(label: "outsiders")
        logger.logLevel = .critical
        let configuration = NodeConfiguration(
            key: NodeKey(cast.signingKey(index)),
            network: NetworkSecret(cast.networkKey),
            admission: .members(cast.list(for: index)),
            listen: [HostPort(host: "127.0.0.1", port: 0)],
            peers: peers,
            logger: logger
        )
        return try await DHTNode.start(configuration)
    }

    /// Prints its port, and for each line how many datagrams it has received and dropped for each reason.
    static func beVictim() async throws {
        let node = try await start(readCast(), Cast.victim, peers: [])
        print(node.reachableAddress.port)
        fflush(nil)
        while readLine() != nil {
            let status = await node.status()
            let dropped = status.rejected.filter { $0.count > 0 }.map { "\($0.reason)=\($0.count)" }
            let received = status.counters.first { $0.name == "received" }?.count ?? 0
            print(([String(received)] + dropped).joined(separator: " "))
            fflush(nil)
        }
    }

    /// Reads a port and pings who is there; then prints for each number it reads how many of so many pings
    /// were answered.
    static func bePinger() async throws {
        let cast = readCast()
        let port = UInt16(readLine() ?? "") ?? 0
        let victim = cast.identity(Cast.victim)
        let address = PeerAddress(identity: victim, address: HostPort(host: "127.0.0.1", port: port))
        let node = try await start(cast, Cast.pinger, peers: [address])
        while try await node.ping(victim) == nil {}
        while let line = readLine() {
            var answered = 0
            for _ in 0..<(Int(line) ?? 0) where try await node.ping(victim) != nil { answered += 1 }
            print(answered)
            fflush(nil)
        }
    }
}
