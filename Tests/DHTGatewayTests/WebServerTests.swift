import Glibc
import Logging
import SecureDHT
import Synchronization
import TestKit
import Testing

@testable import DHTGateway

/// A server on a port of its own, and what it shows.
struct WebServerTests {
    private func start(_ pages: WebPages, _ limits: WebLimits = WebLimits()) async throws -> UInt16 {
        let server = try await WebServer.start(
            at: HostPort(host: "127.0.0.1", port: 0),
            token: nil,
            pages: pages,
            node: FakeNode(),
            limits: limits,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        return try #require(HostPort(String(server.url.dropFirst("http://".count)))).port
    }

    private func ask(_ port: UInt16, _ path: String, _ headers: String = "") throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor,
                bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count)
            )
        }
        try #require(result == 0)
        let question = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n".utf8)
        try #require(write(descriptor, question, question.count) == question.count)
        return descriptor
    }

    /// All that comes until `end` is in it, or the other side closes.
    private func answer(_ descriptor: Int32, until end: String) async throws -> String {
        var (text, buffer) = ("", [UInt8](repeating: 0, count: 4096))
        while !text.contains(end) {
            try await somethingToRead(at: descriptor)
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    private func whole(_ port: UInt16, _ path: String) async throws -> String {
        let descriptor = try ask(port, path, "Connection: close\r\n")
        defer { close(descriptor) }
        return try await answer(descriptor, until: "never")
    }

    @Test func `metrics and the dashboard are shown where they are given`() async throws {
        var pages = WebPages()
        pages.metrics = { "up 1\n" }
        let bare = try await start(pages)
        #expect(try await whole(bare, "/").hasPrefix("HTTP/1.1 404 "))
        #expect(try await whole(bare, "/v1/dashboard").hasPrefix("HTTP/1.1 404 "))
        let metrics = try await whole(bare, "/metrics")
        #expect(metrics.contains("text/plain; version=0.0.4"))
        #expect(metrics.hasSuffix("\r\n\r\nup 1\n"))
        pages.state = { Array("{}".utf8) }
        let page = try await whole(try await start(pages), "/")
        #expect(page.contains("text/html") && page.contains(DashboardPage.contentSecurityPolicy))
        #expect(page.hasSuffix("\r\n\r\n" + String(decoding: DashboardPage.bytes, as: UTF8.self)))
    }

    @Test func `the dashboard's events come until the client goes, to a few at a time`() async throws {
        var limits = WebLimits()
        limits.streams = 2
        let count = Mutex(0)
        var pages = WebPages()
        pages.state = {
            let number = count.withLock { count in
                count += 1
                return count
            }
            return Array("{\"n\":\(number)}".utf8)
        }
        let port = try await start(pages, limits)
        let streams = try [ask(port, "/v1/dashboard"), ask(port, "/v1/dashboard")]
        for stream in streams {
            let text = try await answer(stream, until: "}\n\n")
            #expect(text.contains("text/event-stream"))
            #expect(text.contains("data: {\"n\":"))
        }
        let refused = try await whole(port, "/v1/dashboard")
        #expect(refused.hasPrefix("HTTP/1.1 503 "))
        #expect(refused.contains("Retry-After: 10"))
        close(streams[0])
        try await eventually("the place of a client that went is another's", within: 60) {
            let stream = try ask(port, "/v1/dashboard")
            defer { close(stream) }
            return try await answer(stream, until: "\r\n\r\n").hasPrefix("HTTP/1.1 200 ")
        }
        close(streams[1])
    }
}
