import DHTGateway
import FoundationEssentials
import Glibc

/// Standard output for what was asked for, standard error for talk. Nothing is buffered.
enum Output {
    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    static func line(_ text: String) { Output.text(text + "\n") }

    static func text(_ text: String) { bytes(Array(text.utf8)) }

    /// Writes to standard output; a full disk or a closed pipe behind it ends the program.
    static func bytes(_ bytes: [UInt8]) {
        guard FileBytes.writeAll(bytes, to: STDOUT_FILENO) else {
            let failure = Failure(.internal, "standard output: \(errnoText())")
            ProcessExit.exit(failure.code.exit) { report(failure, asJSON: false) }
        }
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
