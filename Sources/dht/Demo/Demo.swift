import ArgumentParser
import DHTGateway
import Glibc
import SecureDHT

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract:
            "Runs a network of real nodes on this machine, shows what it promises, leaves nothing behind.",
        discussion:
            "On a terminal a shell at the first node follows. Ends 0 only if every step went as promised."
    )

    static let sizes = 3...32

    @Argument(help: "How many nodes: 3 to 32.")
    var nodes = 5

    func run() async throws {
        try Descriptors.require(8 * Self.sizes.upperBound)
        guard Self.sizes.contains(nodes) else {
            throw Failure(
                .invalidArgument,
                "\(nodes) nodes: a demo has \(Self.sizes.lowerBound) to \(Self.sizes.upperBound)"
            )
        }
        Signals.exitOnInterrupt()
        for signal in [SIGTERM, SIGHUP] { Signals.exits(on: signal, with: 128 + signal) }
        let narrator = Narrator()
        let tour = Tour(try DemoNetwork(), narrator)
        let first = try await tour.run(nodes: nodes)
        guard ShellSession.isOnTerminal else { return }
        narrator.chapter(
            "Your turn: a shell at \(first.name). Try: put hello world, get hello, status, peers, quit"
        )
        if let dashboard = first.dashboard { narrator.done("its dashboard: \(dashboard)/") }
        await ShellSession(first.control).run()
    }
}

/// Says what happens, in colour where that is welcome.
struct Narrator {
    private let hasColour = Terminal.hasColour

    func chapter(_ text: String) {
        let text = wrapped(text).joined(separator: "\n")
        Output.line(hasColour ? "\n\u{1B}[1m\(text)\u{1B}[0m" : "\n\(text)")
    }

    func done(_ text: String) {
        let lines = wrapped(text, indentation: hasColour ? 4 : 6).joined(separator: "\n")
        Output.line((hasColour ? "  \u{1B}[32m✓\u{1B}[0m " : "  ok  ") + lines)
    }
}

/// The steps of the demo. Each checks what it says, and throws if it is not so.
private struct Tour {
    private static let greetingKey = Array("greeting".utf8)
    private static let greeting = Array("hello from the first node".utf8)

    private let network: DemoNetwork
    private let narrator: Narrator

    init(_ network: DemoNetwork, _ narrator: Narrator) { (self.network, self.narrator) = (network, narrator) }

    /// Returns the first node, which is still running.
    func run(nodes count: Int) async throws -> DemoNode {
        let nodes = try await start(count)
        guard let first = nodes.first, let last = nodes.last else { preconditionFailure("a demo has nodes") }
        try await share(from: first, to: last)
        try await shareBytes(from: nodes[1], to: nodes[2])
        try await refuseOutsider(nodes)
        let survivors = try await loseNodes(nodes)
        try await delete(survivors)
        narrator.chapter("Everything went as promised.")
        return first
    }

    private func start(_ count: Int) async throws -> [DemoNode] {
        narrator.chapter("1. \(count) nodes that know each other by their keys")
        let members = try (1...count).map { try network.makeKey(named: "node-\($0)") }
        try network.writeShared(members)
        narrator.done("\(count) fresh keys, one allowlist that names them all, one network key")

        let first = try await network.start(members[0], peers: [], isSeen: true)
        let others = try members.dropFirst().map { try network.launch($0, peers: [first.uri]) }
        var nodes = [first]
        for other in others { nodes.append(try await network.awaitReady(other)) }
        narrator.done(
            "\(count) nodes serve, each a process of its own: " + nodes.map(\.port).joined(separator: ", ")
        )

        let enough = min(count - 1, 8)
        for node in nodes {
            try await eventually("\(node.name) knows \(enough) others") {
                try await node.control.status().peers.known >= enough
            }
        }
        narrator.done("every one of them knows at least \(enough) others")
        return nodes
    }

    private func share(from writer: DemoNode, to reader: DemoNode) async throws {
        narrator.chapter("2. A value, written here and read there")
        let reply = try await writer.control.put(Self.greetingKey, Self.greeting, PutQuery())
        try expect(reply.copies.stored >= 2, "the value has \(reply.copies.stored) copies")
        narrator.done(
            "\(writer.name): put greeting '\(displayText(Self.greeting))' → " + ShellText.stored(reply)
        )
        try await read(Self.greetingKey, Self.greeting, at: reader)
        narrator.done("\(reader.name): get greeting → \(displayText(Self.greeting))")
    }

    private func shareBytes(from writer: DemoNode, to reader: DemoNode) async throws {
        narrator.chapter("3. Any bytes will do")
        let key = Array("every byte".utf8)
        let value = (0...255).map { UInt8($0) }
        _ = try await writer.control.put(key, value, PutQuery())
        try await read(key, value, at: reader)
        narrator.done(
            "the 256 different bytes went in at \(writer.name) and came out at \(reader.name) unchanged"
        )
    }

    private func refuseOutsider(_ nodes: [DemoNode]) async throws {
        narrator.chapter("4. An outsider: has the network key, is on nobody's allowlist")
        let before = try await rejections(nodes)
        let outsider = try await network.start(
            try network.makeKey(named: "outsider"),
            peers: nodes.map(\.uri)
        )

        do throws(Failure) {
            _ = try await outsider.control.get(Self.greetingKey, GetQuery())
            throw Failure(.internal, "the outsider read a value")
        } catch {
            try expect([.notFound, .unreachable, .partial].contains(error.code), error.message)
            narrator.done("outsider: get greeting → nothing (\(error.message))")
        }

        let intrusion = Array("intrusion".utf8)
        // It may keep a copy of its own; what counts is that no member has one.
        _ = try? await outsider.control.put(intrusion, Array("I was here".utf8), PutQuery())
        for node in nodes {
            try await expectNothing(intrusion, at: node)
        }
        narrator.done("outsider: put intrusion 'I was here' → no member has it")

        let after = try await rejections(nodes)
        try expect(after > before, "no member counted a rejected datagram")
        narrator.done(
            "the members' counters of rejected datagrams rose from \(before) to \(after); it got no answer"
        )
        network.kill(outsider)
    }

    private func loseNodes(_ nodes: [DemoNode]) async throws -> [DemoNode] {
        // Two are left at least, so that a deletion reaches more than the one that deletes.
        let losses = nodes.count > 3 ? 2 : 1
        narrator.chapter("5. \(losses == 2 ? "Two nodes die" : "A node dies") without a word")
        let lost = nodes.suffix(losses)
        let survivors = Array(nodes.dropLast(losses))
        for node in lost { network.kill(node) }
        narrator.done(lost.map { "kill -9 \($0.name)" }.joined(separator: ", "))
        for node in survivors { try await read(Self.greetingKey, Self.greeting, at: node) }
        narrator.done(
            "the greeting is still there: " + survivors.map(\.name).joined(separator: ", ") + " read it"
        )
        return survivors
    }

    private func delete(_ nodes: [DemoNode]) async throws {
        narrator.chapter("6. A value goes")
        let reply = try await nodes[0].control.delete(Self.greetingKey)
        narrator.done("\(nodes[0].name): del greeting → " + ShellText.deleted(reply))
        for node in nodes { try await expectNothing(Self.greetingKey, at: node) }
        narrator.done("nobody finds it any more")
    }

    private func read(_ key: [UInt8], _ expected: [UInt8], at node: DemoNode) async throws {
        let reply = try await node.control.get(key, GetQuery())
        try expect(
            reply.values.first?.value.bytes == expected,
            "\(node.name) has another value for '\(displayText(key))'"
        )
    }

    private func expectNothing(_ key: [UInt8], at node: DemoNode) async throws {
        do throws(Failure) {
            _ = try await node.control.get(key, GetQuery())
        } catch {
            try expect(error.code == .notFound, error.message)
            return
        }
        throw Failure(.internal, "the demo failed: \(node.name) has a value for '\(displayText(key))'")
    }

    private func rejections(_ nodes: [DemoNode]) async throws -> UInt64 {
        var sum: UInt64 = 0
        for node in nodes { sum += try await node.control.status().rejected.values.reduce(0, +) }
        return sum
    }

    /// Waits until `condition` holds, ten seconds at most.
    private func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while try await !condition() {
            try expect(ContinuousClock.now < deadline, "not within ten seconds: \(what)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func expect(_ condition: Bool, _ otherwise: String) throws(Failure) {
        guard condition else { throw Failure(.internal, "the demo failed: \(otherwise)") }
    }
}
