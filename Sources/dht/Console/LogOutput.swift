import DHTConfiguration
import DHTGateway
import Glibc
import Logging

/// Writes the log to standard error, or to the journal of the system.
enum LogOutput {
    private static let journal = "/run/systemd/journal/socket"

    /// `format`: as the user wants it; else it goes to the journal as entries with fields if standard error
    /// leads there, and is text if not.
    static func handler(
        _ format: LogFormat?,
        label: String,
        environment: [String: String]
    ) -> any LogHandler {
        switch format ?? (leadsToJournal(environment["JOURNAL_STREAM"]) ? .journal : .text) {
        case .text: return StreamLogHandler.standardError(label: label)
        case .json: return LineLogHandler { write($0.json) }
        case .journal:
            return LineLogHandler { line in
                if !Datagram.send(line.journalEntry, to: journal) { write(line.json) }
            }
        }
    }

    /// systemd.exec(5): device and inode of the stream that it gave the process.
    private static func leadsToJournal(_ stream: String?) -> Bool {
        var status = stat()
        guard let stream, unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }

    private static func write(_ bytes: [UInt8]) { _ = FileBytes.writeAll(bytes, to: STDERR_FILENO) }
}
