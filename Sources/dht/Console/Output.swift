import DHTGateway
import FoundationEssentials
import Glibc

/// Standard output for what was asked for, standard error for talk. Nothing is buffered.
enum Output {
    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    static func line(_ text: String) { Output.text(text + "\n") }

    static func text(_ text: String) { bytes(Array(text.utf8)) }

    /// The exit code of a program that writes to a pipe nobody reads any more, and says nothing: as a shell
    /// has it of one that SIGPIPE ended.
    private static let abandonedCode: Int32 = 128 + SIGPIPE

    /// Writes to standard output; a full disk behind it ends the program, and so does a closed pipe, quietly.
    static func bytes(_ bytes: [UInt8]) {
        guard FileBytes.writeAll(bytes, to: STDOUT_FILENO) else {
            if errno == EPIPE { ProcessExit.exit(abandonedCode) }
            let failure = Failure(.internal, "standard output: \(errnoText())")
            ProcessExit.exit(failure.code.exit) { report(failure, asJSON: false) }
        }
    }

    /// Ends the program if nobody will read what it might still write.
    static func endIfAbandoned() {
        var state = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        guard unsafe poll(&state, 1, 0) == 1, state.revents & Int16(POLLERR) != 0 else { return }
        ProcessExit.exit(abandonedCode)
    }

    static func json(_ reply: some Encodable) {
        bytes(ReplyCoding.encode(reply) + [UInt8(ascii: "\n")])
    }

    /// A line of talk.
    static func talk(_ text: String) { _ = FileBytes.writeAll(Array((text + "\n").utf8), to: STDERR_FILENO) }

    static func report(_ failure: Failure, asJSON: Bool) {
        if asJSON {
            talk(String(decoding: ReplyCoding.encode(FailureReply(failure)), as: UTF8.self))
        } else {
            talk("dht: \(failure.message)")
        }
    }

    /// `2026-11-24T17:06:00Z`
    static func timestamp(unixSeconds: UInt64) -> String {
        Date(timeIntervalSince1970: Double(unixSeconds)).formatted(.iso8601)
    }
}
