import ArgumentParser
import DHTConfiguration
import DHTGateway
import FoundationEssentials

/// Options of every command that talks to a node, or is one.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: [.customShort("s"), .long],
        help: ArgumentHelp(
            "The node's control socket: else DHT_SOCKET, $XDG_RUNTIME_DIR/dht/dht.sock, /run/dht/dht.sock.",
            valueName: "path"
        ),
        completion: .file()
    )
    var socket: String?

    @Flag(help: "One JSON object on standard output; errors as JSON too.")
    var json = false

    @Flag(name: [.short, .long], help: "No hints; a node logs errors only.")
    var quiet = false

    @Flag(name: [.short, .long], help: "More talk; a node logs for debugging.")
    var verbose = false

    @Option(
        help: ArgumentHelp("How long to wait for the node: 90s, 10m or plain seconds.", valueName: "duration")
    )
    var timeout = "30s"

    static var environment: [String: String] { ProcessInfo.processInfo.environment }

    var candidates: [ControlSocket.Candidate] {
        ControlSocket.candidates(flag: socket, environment: Self.environment)
    }

    /// A node's own: what its settings say counts in place of the flags alone.
    mutating func take(_ settings: NodeSettings) {
        socket = settings.text(.socket)
        (quiet, verbose) = (settings.isOn(.quiet), settings.isOn(.verbose))
    }

    /// The node behind the socket.
    func node() throws(Failure) -> ControlClient {
        Signals.exitOnInterrupt()
        try Descriptors.require(4)
        let seconds = try DurationText.seconds(timeout, in: 1...86_400, for: "--timeout")
        let isTold = ProgressBar.isVisible && !quiet && !json
        return ControlClient(candidates: candidates, timeout: seconds) { transfer in
            guard isTold, transfer.total > 0 else { return }
            ProgressBar.show(
                Double(transfer.done) / Double(transfer.total),
                of: "\(transfer.direction) \(byteCountText(Int(transfer.total)))"
            )
        }
    }

    /// Prints an answer: as JSON if that is wanted, else line by line.
    func show<Reply: Encodable>(_ reply: Reply, _ text: (Reply) -> [String]) {
        if json { Output.json(reply) } else { text(reply).forEach(Output.line) }
    }

    /// A command to type next, on standard error.
    func hint(_ text: String) {
        if !quiet, !json { Output.talk(text) }
    }

    /// ` -s PATH` if this command was told a socket, so that a hint leads to the same node.
    var socketFlag: String { socket.map { " -s \(shellQuoted($0))" } ?? "" }
}

/// `word` as a POSIX shell reads it back.
func shellQuoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: ","), UInt8(ascii: "+"):
            true
        default: false
        }
    }
    guard !plain || word.isEmpty else { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

/// Bytes as bash, zsh and ksh read them back: as text if they are.
func shellQuoted(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self), displayText(bytes) == text {
        return shellQuoted(text)
    }
    let digits = Array("0123456789abcdef".utf8)
    let escaped = bytes.flatMap { byte -> [UInt8] in
        switch byte {
        case 0x20...0x7E where byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\"): [byte]
        default: Array("\\x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return "$'" + String(decoding: escaped, as: UTF8.self) + "'"
}
