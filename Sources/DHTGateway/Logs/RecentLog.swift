import FoundationEssentials
import Logging
import SecureDHT
import Synchronization

/// The last lines of a process's log, each with a number, for those who ask through the control socket.
package final class RecentLog: Sendable {
    /// Lines that are remembered.
    static let capacity = 512

    private struct State {
        var lines: [LogReply.Line] = []
        var count: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func record(_ level: Logger.Level, _ text: String, at time: Date) {
        state.withLock { state in
            // Seldom, rather than each time one line.
            if state.lines.count == 2 * Self.capacity { state.lines.removeFirst(Self.capacity) }
            state.lines.append(
                .init(number: state.count, time: time.unixMilliseconds, level: level.rawValue, text: text)
            )
            state.count += 1
        }
    }

    /// Lines with this number or a higher one, the oldest first.
    package func lines(from number: UInt64) -> [LogReply.Line] {
        state.withLock { $0.lines.suffix(Self.capacity).filter { $0.number >= number } }
    }
}

/// Passes on what it is told, and remembers it.
package struct RememberingLogHandler: LogHandler {
    private var inner: any LogHandler
    private let log: RecentLog

    package init(_ inner: any LogHandler, in log: RecentLog) { (self.inner, self.log) = (inner, log) }

    package var logLevel: Logger.Level {
        get { inner.logLevel }
        set { inner.logLevel = newValue }
    }

    package var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    package func log(event: LogEvent) {
        let more = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            .joined()
        log.record(event.level, printable("\(event.message)" + more), at: Date())
        inner.log(event: event)
    }
}
