import ArgumentParser
import DHTGateway

struct Routes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes",
        abstract: "Shows the running node's routing table, bucket by bucket."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        globals.show(try await globals.node().routes(), InsightText.routes)
    }
}

struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Looks for a key, and shows who was asked, in which order, and what each said."
    )

    @Argument(help: "1 to 128 bytes.")
    var key: BytesArgument

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let trace = try await globals.node().trace(key.bytes)
        globals.show(trace, InsightText.trace)
        if trace.hops.isEmpty {
            globals.hint("nobody was asked: no contacts. See: dht peers\(globals.socketFlag)")
        }
    }
}

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Asks all members for a sign of life, looks at the machine, and says what is wrong.",
        discussion: "Exit code 0 only if nothing is wrong, else 7."
    )

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply = try await globals.node().doctor()
        globals.show(reply) { $0.ok ? ["All is well"] : InsightText.findings($0.findings) }
        if !reply.ok { throw ExitCode(Failure.Code.partial.exit) }
    }
}

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Shows how this node and a peer see one another, and what is wrong between them."
    )

    @Argument(help: "An identity or a member's name.")
    var peer: String

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        globals.show(try await globals.node().why(peer), InsightText.why)
    }
}

struct Log: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Shows the last lines of the running node's log, or the datagrams it turned away.",
        discussion: "With --json an object a line."
    )

    /// Between two questions.
    private static let pause = Duration.milliseconds(500)

    @Flag(help: "Datagrams that were turned away: time, reason, source.")
    var rejected = false

    @Flag(name: [.customShort("f"), .long], help: "Goes on until ^C.")
    var follow = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let node = try globals.node()
        var next: UInt64 = 0
        repeat {
            next = try await show(from: next, of: node)
            guard follow else { return }
            Output.endIfAbandoned()
            try await Task.sleep(for: Self.pause)
        } while true
    }

    /// Returns the number of what comes next.
    private func show(from number: UInt64, of node: ControlClient) async throws -> UInt64 {
        if rejected {
            let rejections = try await node.rejections(from: number).rejections
            for rejection in rejections { globals.show(rejection) { [InsightText.rejection($0)] } }
            return rejections.last.map { $0.number + 1 } ?? number
        }
        let lines = try await node.log(from: number).lines
        for line in lines { globals.show(line) { [InsightText.line($0)] } }
        return lines.last.map { $0.number + 1 } ?? number
    }
}

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows the running node on one screen of 80 columns, anew every second, until ^C.",
        discussion: "Where standard output is no terminal, or with --once, it shows it once."
    )

    private static let pause = Duration.seconds(1)

    @Flag(help: "Once, and not over and over.")
    var once = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let node = try globals.node()
        var before: StatusReply?
        let isLive = !once && !globals.json && Output.isTerminal
        repeat {
            let (status, peers) = (try await node.status(), try await node.peers())
            if globals.json { return Output.json(status) }
            let screen = InsightText.screen(status, peers, since: before)
            if isLive {
                // Home, each line erased to its end, the rest of the screen erased.
                Output.text("\u{1b}[H" + screen.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J")
            } else {
                screen.forEach(Output.line)
            }
            before = status
            if isLive { try await Task.sleep(for: Self.pause) }
        } while isLive
    }
}
