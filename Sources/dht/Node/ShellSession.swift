import DHTGateway
import Dispatch
import Glibc
import Synchronization

/// The shell on standard input and output: with editing and a prompt on a terminal, else a line in, an answer
/// out.
final class ShellSession: Sendable {
    /// Whether there is a terminal on both sides, and it listens to us.
    static var isOnTerminal: Bool {
        isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && !isInBackground
    }

    /// Whether another job has the terminal: reading from it, and changing its modes, would stop us.
    static var isInBackground: Bool {
        let group = tcgetpgrp(STDIN_FILENO)  // -1: it is no terminal, or not the one that controls us
        return group >= 0 && group != getpgrp()
    }

    /// How long a key may wait for the node.
    private static let patience = DispatchTimeInterval.seconds(1)

    /// Reading blocks, so it has a thread of its own.
    private let queue = DispatchQueue(label: "shell")
    private let node: any NodeControl
    private let shell: Shell
    private let historyFile: HistoryFile?

    /// `historyFile`: where the lines typed on a terminal are kept for the next process; `nil`: nowhere.
    init(_ node: any NodeControl, historyFile: HistoryFile? = nil) {
        (self.node, shell, self.historyFile) = (node, Shell(node), historyFile)
    }

    /// Returns after `quit`, or at the end of the input.
    func run() async {
        let source = LineSource(Self.isOnTerminal ? makeEditor() : nil)
        while true {
            let input = await withCheckedContinuation { continuation in
                queue.async { continuation.resume(returning: source.next()) }
            }
            switch input {
            case .line(let line):
                let answer = await shell.answer(line)
                if !answer.lines.isEmpty { Output.text(answer.lines.joined(separator: "\n") + "\n") }
                if answer.ends { return }
            case .refused(let reason):
                Output.line("Error: \(reason); nothing was done")
            case .end:
                Output.line(Shell.farewell)
                return
            }
        }
    }

    private func makeEditor() -> LineEditor {
        LineEditor(
            prompt: Shell.prompt,
            history: historyFile?.lines() ?? HistoryFile.rules(GlobalOptions.environment),
            file: historyFile,
            peers: { [node] in Self.peers(of: node) }
        )
    }

    /// Names, or identities of those without one; none if the node does not tell them at once. Blocks.
    private static func peers(of node: any NodeControl) -> [String] {
        let answer = Answer()
        Task {
            let peers = (try? await node.peers())?.peers ?? []
            answer.names.withLock { $0 = peers.map { $0.name ?? $0.id } }
            answer.isThere.signal()
        }
        _ = answer.isThere.wait(timeout: .now() + patience)
        return answer.names.withLock { $0 }
    }

    private final class Answer: Sendable {
        let names = Mutex<[String]>([])
        let isThere = DispatchSemaphore(value: 0)
    }
}

/// Lines of standard input. Used by one thread at a time: the session asks for a line when the last is
/// answered.
private final class LineSource: @unchecked Sendable {
    enum Input: Sendable {
        case line([UInt8])
        case refused(String)
        case end
    }

    /// Longer lines are refused.
    private static let maximumLineLength = 1 << 16

    /// `nil`: no terminal is there.
    private let editor: LineEditor?
    private let reader = LineReader(limit: maximumLineLength)

    init(_ editor: LineEditor?) { self.editor = editor }

    func next() -> Input {
        switch editor?.next() {
        case nil: read()
        case .text(let line) where line.count > Self.maximumLineLength: tooLong
        case .text(let line): .line(line)
        case .garbled: .refused("what was typed is not UTF-8")
        case .end: .end
        }
    }

    private func read() -> Input {
        switch reader.next() {
        case .whole(let line): .line(line)
        case .tooLong: tooLong
        case nil: .end
        }
    }

    private var tooLong: Input { .refused("the line is longer than \(Self.maximumLineLength) bytes") }
}
