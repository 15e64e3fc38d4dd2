import Foundation
import Logging
import Testing

@testable import DHTGateway

struct LogLineTests {
    private let time = Date(timeIntervalSince1970: 1_700_000_000.25)

    @Test func `as JSON it is an object on a line of its own`() throws {
        let line = LogLine(at: time, .warning, "two\nlines \"here\"", ["peer": "beta", "count": "3"])
        let text = try #require(String(bytes: line.json, encoding: .utf8))
        #expect(
            text == """
                {"fields":{"count":"3","peer":"beta"},"level":"warning","message":"two\\nlines \\"here\\"",\
                "schema":1,"time":"2023-11-14T22:13:20.250Z"}

                """
        )
    }

    @Test func `the journal gets fields with our names`() {
        let line = LogLine(at: time, .error, "no", ["send-failed.EAGAIN": "3", "__x": "", "ä": "1"])
        #expect(
            String(decoding: line.journalEntry, as: UTF8.self) == """
                MESSAGE=no
                PRIORITY=3
                SYSLOG_IDENTIFIER=dht
                DHT___X=
                DHT_SEND_FAILED_EAGAIN=3
                DHT__=1

                """
        )
    }

    @Test func `a value of several lines has its length before it, and no other can be made up`() {
        let line = LogLine(at: time, .info, "a\nPRIORITY=0", [:])
        let expected =
            Array("MESSAGE\n".utf8) + [12, 0, 0, 0, 0, 0, 0, 0]
            + Array("a\nPRIORITY=0\nPRIORITY=6\nSYSLOG_IDENTIFIER=dht\n".utf8)
        #expect(line.journalEntry == expected)
    }

    @Test(arguments: zip(Logger.Level.allCases, [7, 7, 6, 5, 4, 3, 2]))
    func `levels are those of syslog`(level: Logger.Level, priority: Int) {
        let entry = String(decoding: LogLine(at: time, level, "", [:]).journalEntry, as: UTF8.self)
        #expect(entry.contains("PRIORITY=\(priority)\n"))
    }

    @Test func `values of a logger and of an event are one, the event's before the other's`() {
        let lines = RecentLines()
        var handler = LineLogHandler { lines.append($0) }
        handler[metadataKey: "node"] = "a"
        handler[metadataKey: "peer"] = "b"
        let logger = Logger(label: "dht") { _ in handler }
        logger.info("met", metadata: ["peer": "c"])
        #expect(lines.all.map(\.fields) == [["node": "a", "peer": "c"]])
        #expect(lines.all.map(\.message) == ["met"])
    }
}

private final class RecentLines: @unchecked Sendable {
    private let lock = NSLock()
    private var lines: [LogLine] = []

    func append(_ line: LogLine) { lock.withLock { lines.append(line) } }

    var all: [LogLine] { lock.withLock { lines } }
}
