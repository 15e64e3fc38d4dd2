import ArgumentParser
import DHTGateway
import Glibc

struct Put: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        _superCommandName: DHT.name,
        abstract: "Stores a value under a key, signed by the running node's identity."
    )

    @Argument(help: "1 to 128 bytes.")
    var key: BytesArgument

    @Argument(help: "At most 16 MiB; - or nothing takes standard input.")
    var value: BytesArgument?

    @Option(
        name: .customShort("f"),
        help: ArgumentHelp("The value is this file's content.", valueName: "file"),
        completion: .file()
    )
    var file: String?

    @Option(
        help: ArgumentHelp("How long the value lives: 90s, 10m, 24h, 7d. Default 24h.", valueName: "duration")
    )
    var ttl: String?

    @Option(help: ArgumentHelp("Only if the newest value has this revision.", valueName: "revision"))
    var ifRev: UInt64?

    @Flag(help: "Only if nobody has a value there.")
    var ifAbsent = false

    @Option(help: ArgumentHelp("Copies without which the write has failed: 1 to 8.", valueName: "number"))
    var minCopies: Int?

    @Flag(help: "Keep the value alive as long as the node runs: write it anew at half its lifetime.")
    var keep = false

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let node = try globals.node()
        var query = PutQuery(isKept: keep)
        if let ttl { query.lifetime = try DurationText.seconds(ttl, in: ValueLimits.lifetimes, for: "--ttl") }
        if keep, let lifetime = query.lifetime { try ValueLimits.check(keptLifetime: lifetime) }
        guard ifRev == nil || !ifAbsent else {
            throw Failure(.invalidArgument, "--if-rev and --if-absent exclude each other")
        }
        query.condition = ifAbsent ? .absent : ifRev.map { .revision($0) }
        if let minCopies { try ValueLimits.check(copies: minCopies, for: "--min-copies") }
        query.minimumCopies = minCopies
        let key = key.bytes
        try ValueLimits.check(key: key)
        let bytes = try readValue()
        try ValueLimits.check(valueLength: bytes.count)

        let reply = try await node.put(key, bytes, query)
        ProgressBar.erase()
        if globals.json {
            Output.json(reply)
        } else {
            Output.line(ShellText.stored(reply))
            for reservation in ShellText.reservations(reply) { Output.talk(reservation) }
        }
        if !reply.unreached.isEmpty { throw ExitCode(Failure.Code.partial.exit) }
        guard !globals.json else { return }
        let end = key.first == UInt8(ascii: "-") ? "-- " : ""  // or it would pass for an option
        globals.hint("read it back: dht\(globals.socketFlag) get \(end)\(shellQuoted(key))")
    }

    private func readValue() throws(Failure) -> [UInt8] {
        let limit = ControlRoutes.maximumBodyLength
        let bytes: [UInt8]
        if let file {
            guard value == nil else { throw Failure(.invalidArgument, "give a VALUE or -f FILE, not both") }
            bytes = try FileBytes.readFile(file, limit: limit)
        } else if let value, !value.isLone {
            return value.bytes
        } else {
            guard value != nil || isatty(STDIN_FILENO) == 0 else {
                throw Failure(.invalidArgument, "no value: give VALUE, - for standard input, or -f FILE")
            }
            guard let input = FileBytes.readAll(STDIN_FILENO, limit: limit) else {
                throw Failure(.internal, "standard input cannot be read: \(errnoText())")
            }
            bytes = input
        }
        guard bytes.count <= limit else { throw Failure.valueTooLarge(moreThan: limit) }
        return bytes
    }
}

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        _superCommandName: DHT.name,
        abstract: "Writes the newest value under a key to standard output, byte for byte.",
        discussion: "On a terminal control characters are shown escaped; --raw gives them as they are."
    )

    @Argument(help: "1 to 128 bytes.")
    var key: BytesArgument

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp("Write the value to this file; - is standard output.", valueName: "file"),
        completion: .file()
    )
    var output: String?

    @Option(
        help: ArgumentHelp("Only this author's value: an identity or a member's name.", valueName: "author")
    )
    var author: String?

    @Flag(help: "List every author's value.")
    var all = false

    @Flag(help: "Write exactly the value's bytes to a terminal too: they may drive it.")
    var raw = false

    @Flag(help: "Tell author, revision, expiry and copies on standard error.")
    var meta = false

    @Option(
        help: ArgumentHelp("Replicas whose answers are compared: 1 to 8. Default 3.", valueName: "number")
    )
    var replicas: Int?

    @Option(
        help: ArgumentHelp(
            "Disjoint paths of the lookup, 1 to 8. Default: the node's --paths.",
            valueName: "number"
        )
    )
    var paths: Int?

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let node = try globals.node()
        let key = key.bytes
        try ValueLimits.check(key: key)
        if let replicas { try ValueLimits.check(copies: replicas, for: "--replicas") }
        if let paths { try ValueLimits.check(paths: paths, for: "--paths") }
        guard !all || output == nil else {
            throw Failure(.invalidArgument, "--all and -o exclude each other")
        }
        guard !all || !raw else {
            throw Failure(.invalidArgument, "--all and --raw exclude each other: a list is always escaped")
        }
        let output = output == "-" ? nil : output

        let query = GetQuery(author: author, replicas: replicas, paths: paths, all: all)
        let reply = try await node.get(key, query)
        ProgressBar.erase()
        guard let newest = reply.values.first else { throw Failure(.internal, "an answer without a value") }
        if let output {
            try FileBytes.replaceFile(output, with: newest.value.bytes)
            globals.hint("wrote \(byteCountText(newest.value.bytes.count)) to \(output)")
        }
        if meta { describe(newest, reply) }
        if reply.isIsolated {
            globals.hint("nobody else answers: this is what the node has itself, and may be old")
        }
        if globals.json {
            Output.json(reply)
        } else if all {
            for value in reply.values {
                let author = value.author.name ?? value.author.id
                Output.line("\(author)  \(value.revision)  \(displayText(value.value.bytes))")
            }
        } else if output == nil {
            show(newest.value.bytes)
        }
    }

    /// A terminal is not driven by what somebody else wrote, unless that is asked for.
    private func show(_ value: [UInt8]) {
        guard Output.isTerminal else { return Output.bytes(value) }
        let escaped = raw ? nil : terminalText(value)
        Output.bytes((escaped.map { Array($0.utf8) } ?? value) + [UInt8(ascii: "\n")])
        if escaped != nil {
            Output.talk("shown escaped: control characters, or no UTF-8. Its bytes: --raw or -o FILE")
        }
    }

    private func describe(_ value: ValueReply, _ reply: GetReply) {
        Output.talk("author: \(value.author.id)" + (value.author.name.map { " (\($0))" } ?? ""))
        Output.talk("revision: \(value.revision)")
        Output.talk("expires: \(Output.timestamp(unixSeconds: value.expires))")
        Output.talk("copies: \(value.copies.found) found, \(reply.answered) of \(reply.asked) nodes answered")
    }
}

struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "del",
        abstract: "Deletes our value under a key by writing a tombstone."
    )

    @Argument(help: "1 to 128 bytes.")
    var key: BytesArgument

    @OptionGroup var globals: GlobalOptions

    func run() async throws {
        let reply = try await globals.node().delete(key.bytes)
        if globals.json {
            Output.json(reply)
        } else {
            Output.line(ShellText.deleted(reply))
            if let unreached = ShellText.unreached(reply) { Output.talk(unreached) }
        }
        if !reply.unreached.isEmpty { throw ExitCode(Failure.Code.partial.exit) }
    }
}
