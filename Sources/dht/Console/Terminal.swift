import DHTGateway
import Glibc
import Synchronization

/// The terminal's modes. Changed modes are restored when the program ends, however it ends.
enum Terminal {
    private struct Saved {
        var descriptor: Int32
        var modes: termios
    }

    private static let pasteMarks = Atomic(false)
    private static let saved = Mutex<Saved?>(nil)
    private static let restoresAtExit: Void = { atexit { Terminal.restore() } }()

    /// Whether colour is welcome on standard output.
    static var hasColour: Bool {
        let refused = GlobalOptions.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return Output.isTerminal && !refused && GlobalOptions.environment["TERM"] != "dumb"
    }

    /// Modes that change from now on are brought back by ``restore()``, or at the end of the program.
    static func keepModes(_ descriptor: Int32) { change(descriptor) { _ in } }

    /// Whether the terminal says where a paste begins and where it ends.
    static func marksPastes(_ isOn: Bool) {
        guard let kind = GlobalOptions.environment["TERM"], !["", "dumb"].contains(kind) else { return }
        let wasOn = pasteMarks.exchange(isOn, ordering: .sequentiallyConsistent)
        guard wasOn != isOn else { return }
        // At the program's end nothing more ends it: the terminal may be gone.
        _ = FileBytes.writeAll(Array((isOn ? "\u{1B}[?2004h" : "\u{1B}[?2004l").utf8), to: STDOUT_FILENO)
    }

    /// Nothing typed is shown while `body` runs.
    static func withoutEcho<R>(_ descriptor: Int32, _ body: () -> R) -> R {
        change(descriptor) { $0.c_lflag &= ~tcflag_t(ECHO) }
        defer { restore() }
        return body()
    }

    static func restore() {
        marksPastes(false)
        saved.withLock {
            guard var last = $0 else { return }
            unsafe tcsetattr(last.descriptor, TCSADRAIN, &last.modes)
            $0 = nil
        }
    }

    private static func change(_ descriptor: Int32, _ edit: (inout termios) -> Void) {
        _ = restoresAtExit
        saved.withLock {
            var modes = termios()
            guard $0 == nil, unsafe tcgetattr(descriptor, &modes) == 0 else { return }
            $0 = Saved(descriptor: descriptor, modes: modes)
            edit(&modes)
            unsafe tcsetattr(descriptor, TCSADRAIN, &modes)
        }
    }
}
