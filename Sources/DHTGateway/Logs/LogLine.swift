import FoundationEssentials
import Logging

/// A line of the log for programs: each value apart from the sentence it belongs to.
package struct LogLine: Encodable, Sendable {
    private let schema = 1
    /// RFC 3339, in UTC, with milliseconds.
    private let time: String
    package let level: String
    package let message: String
    package let fields: [String: String]

    package init(at time: Date, _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
        self.time = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        (self.level, self.message) = (level.rawValue, message)
        fields = metadata.mapValues { "\($0)" }
    }

    /// An object on a line of its own.
    package var json: [UInt8] { ReplyCoding.encode(self) + [UInt8(ascii: "\n")] }

    /// As journald's socket takes it (systemd.io/JOURNAL_NATIVE_PROTOCOL): `MESSAGE`, `PRIORITY`,
    /// `SYSLOG_IDENTIFIER`, and each field with `DHT_` before its name.
    package var journalEntry: [UInt8] {
        var entry: [UInt8] = []
        func append(_ name: String, _ value: String) {
            let bytes = Array(value.utf8)
            entry += name.utf8
            if bytes.contains(UInt8(ascii: "\n")) {
                // A value of several lines comes after its length, 8 bytes, the lowest first.
                entry.append(UInt8(ascii: "\n"))
                let count = UInt64(bytes.count)
                entry += (0..<8 as Range<UInt64>).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
            } else {
                entry.append(UInt8(ascii: "="))
            }
            entry += bytes + [UInt8(ascii: "\n")]
        }
        append("MESSAGE", message)
        append("PRIORITY", "\(priority)")
        append("SYSLOG_IDENTIFIER", "dht")
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { append(Self.journalName(name), value) }
        return entry
    }

    /// The severity of syslog, RFC 5424, section 6.2.1.
    private var priority: Int {
        switch Logger.Level(rawValue: level) {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info, nil: 6
        case .debug, .trace: 7
        }
    }

    /// Capital letters, digits and `_`, 64 at most.
    private static func journalName(_ name: String) -> String {
        let letters = name.uppercased().unicodeScalars.map { scalar -> Character in
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                ? Character(scalar) : "_"
        }
        return String("DHT_\(String(letters))".prefix(64))
    }
}

/// Makes a ``LogLine`` of each event, and gives it away.
package struct LineLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    private let write: @Sendable (LogLine) -> Void

    package init(_ write: @escaping @Sendable (LogLine) -> Void) { self.write = write }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let metadata = metadata.merging(event.metadata ?? [:]) { $1 }
        write(LogLine(at: Date(), event.level, "\(event.message)", metadata))
    }
}
