import Glibc
import Synchronization

/// How far something long has come, on standard error: `seed 4711 [########----------]  42 %`. It is gone
/// when the program ends, however it ends.
enum ProgressBar {
    private struct State {
        /// The text on the terminal's line.
        var shown = ""
        var drawnAt: ContinuousClock.Instant?
        var isOver = false
    }

    private static let state = Mutex(State())
    private static let erasesAtExit: Void = { atexit { ProgressBar.erase(forGood: true) } }()
    private static let width = 30
    private static let pause = Duration.milliseconds(100)

    /// Whether somebody would see it.
    static var isVisible: Bool { isatty(STDERR_FILENO) == 1 }

    /// Draws it, unless it was drawn a moment ago. `share`: 0…1.
    static func show(_ share: Double, of name: String) {
        _ = erasesAtExit
        state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.drawnAt, now - last < pause { return }
            guard !state.isOver else { return }
            state.drawnAt = now
            let text = text(share, name)
            guard text != state.shown else { return }
            write("\r\(text)" + blanks(state.shown.count - text.count))
            state.shown = text
        }
    }

    /// Takes it away until it is shown again.
    static func erase() { erase(forGood: false) }

    private static func erase(forGood: Bool) {
        state.withLock { state in
            if !state.shown.isEmpty { write("\r" + blanks(state.shown.count) + "\r") }
            (state.shown, state.drawnAt, state.isOver) = ("", nil, forGood)
        }
    }

    private static func text(_ share: Double, _ name: String) -> String {
        let full = Int(share * Double(width))
        let bar = String(repeating: "#", count: full) + String(repeating: "-", count: width - full)
        let percentage = "\(Int(share * 100))"
        return "\(name) [\(bar)] " + blanks(3 - percentage.count) + "\(percentage) %"
    }

    private static func blanks(_ count: Int) -> String { String(repeating: " ", count: max(count, 0)) }

    private static func write(_ text: String) { _ = FileBytes.writeAll(Array(text.utf8), to: STDERR_FILENO) }
}
