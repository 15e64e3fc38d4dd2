import Glibc
import HTTPTypes
import NIOCore
import TestKit
import Testing

@testable import DHTCrypto
@testable import DHTGateway

struct ByteRangeTests {
    @Test(arguments: [
        ("bytes=0-0", ByteRange.part(0..<1)), ("bytes=2-5", .part(2..<6)), ("bytes=7-", .part(7..<10)),
        ("bytes=-3", .part(7..<10)), ("bytes=-30", .part(0..<10)), ("bytes=5-99", .part(5..<10)),
        ("bytes=3-99999999999999999999", .part(3..<10)), ("Bytes=1-1", .part(1..<2)),
        ("bytes=10-", .unsatisfiable), ("bytes=10-12", .unsatisfiable), ("bytes=-0", .unsatisfiable),
        ("bytes=99999999999999999999-", .unsatisfiable),
        ("bytes=5-2", .whole), ("bytes=0-1,3-4", .whole), ("bytes=-", .whole), ("bytes=a-b", .whole),
        ("bytes=+1-2", .whole), ("bytes= 1-2", .whole), ("items=0-1", .whole), ("", .whole),
    ])
    func `a range is part of the value, none of it, or passed over`(header: String, range: ByteRange) {
        #expect(ByteRange(header, length: 10) == range)
    }

    @Test func `an empty value has no part`() {
        #expect(ByteRange("bytes=0-", length: 0) == .unsatisfiable)
        #expect(ByteRange("bytes=-1", length: 0) == .unsatisfiable)
        #expect(ByteRange(nil, length: 0) == .whole)
    }
}

struct EntityTagsTests {
    @Test(arguments: ["*", " * ", "\"1\"", "W/\"1\"", "\"1\", \"2\"", "\"\"", "\"a,b\" ,W/\"3\""])
    func `what stands in quotation marks is a tag`(header: String) {
        #expect(EntityTags(header) != nil)
    }

    @Test(arguments: ["", "1", "\"1", "1\"", "\"1\",", "\"1\" \"2\"", "w/\"1\"", "* , \"1\"", "**"])
    func `all else is refused`(header: String) { #expect(EntityTags(header) == nil) }

    @Test func `a weak tag is enough for a reader, not for a writer`() throws {
        let tags = try #require(EntityTags("W/\"7\", \"8\""))
        #expect(tags.name(7, weakly: true))
        #expect(!tags.name(7, weakly: false))
        #expect(tags.name(8, weakly: false))
        #expect(!tags.name(9, weakly: true))
        #expect(EntityTags.any.name(9, weakly: false))
    }

    @Test(arguments: [("7", 7), ("18446744073709551615", UInt64.max), ("+7", nil), ("07", nil), ("", nil)])
    func `a revision has one text`(text: String, revision: UInt64?) {
        #expect(EntityTags.Tag(isWeak: false, text: text).revision == revision)
        #expect(EntityTags.Tag(isWeak: true, text: text).revision == nil)
    }
}

struct WebHostsTests {
    @Test(arguments: [
        ("127.0.0.1:8080", true), ("127.0.0.1", true), ("localhost:1", true), ("LocalHost.", true),
        ("[::1]:8080", true), ("[0:0::1]", true), ("node.example:80", true),
        ("127.0.0.2", false), ("evil.example", false), ("localhost.evil.example", false), ("", false),
        ("localhost:x", false), ("a@localhost", false), ("[::1", false), ("[::1]x", false),
        ("localhost:80:80", false),
    ])
    func `a server on this machine is asked by its names`(host: String, isAdmitted: Bool) {
        #expect(WebHosts(bound: "127.0.0.1", names: ["Node.Example"]).admit(host) == isAdmitted)
    }

    @Test func `one at all addresses is asked by any of them, and by no name`() {
        for bound in ["0.0.0.0", "::"] {
            let hosts = WebHosts(bound: bound, names: [])
            #expect(hosts.admit("10.0.0.7:80"))
            #expect(hosts.admit("[fd00::7]:80"))
            #expect(!hosts.admit("evil.example"))
            #expect(!hosts.admit("localhost"))
            #expect(!hosts.admit(nil))
        }
        #expect(!WebHosts(bound: "10.0.0.7", names: []).admit("10.0.0.8"))
    }

    @Test(arguments: [
        ("http://a:1", "a:1", true), ("https://A", "a", true), ("http://a:2", "a:1", false),
        ("null", "a", false), ("ftp://a", "a", false), ("http://a.b", "a", false),
    ])
    func `a page asks the server it is from`(origin: String, host: String, isAdmitted: Bool) {
        #expect(WebHosts.admit(origin: origin, at: host) == isAdmitted)
    }
}

struct WebTargetTests {
    @Test func `a query has bytes by names`() throws {
        let target = try WebTarget("/a%2Fb?ttl=1%30m&x=&y")
        #expect(target.path == "/a%2Fb")
        #expect(try target["ttl"] == "10m")
        #expect(try target["x"] == "")
        #expect(try target["z"] == nil)
        #expect(throws: Problem.self) { try target.refuseUnknown(besides: ["ttl", "x"]) }
        try target.refuseUnknown(besides: ["ttl", "x", "y"])
    }

    @Test(arguments: ["/?a=1&a=2", "/?a=%", "/?a=%0", "/?%FF=1"])
    func `what may be meant in two ways is refused`(text: String) {
        #expect(throws: Problem.self) { try WebTarget(text) }
    }
}

struct ProblemTests {
    @Test func `a problem says what a failure says`() throws {
        let problem = Problem(Failure(.notFound, "a: not found"))
        #expect(problem.status == .notFound)
        #expect(problem.response.headers[.contentType] == "application/problem+json")
        #expect(Problem(Busy()).headers[.retryAfter] == "10")
        #expect(Problem(Busy()).status == .serviceUnavailable)
        #expect(Problem(problem) == problem)
    }
}

struct ConnectionPhaseTests {
    @Test func `a connection waits for headers, a body, an answer, and the next headers`() {
        var phase = ConnectionPhase()
        var seen = [phase.wait]
        phase.headCame()
        seen.append(phase.wait)
        phase.bodyEnded()
        seen.append(phase.wait)
        phase.answerEnded()
        seen.append(phase.wait)
        #expect(seen == [.head, .body, .answer, .next])
        #expect(phase.isIdle)
    }

    @Test func `who is answered before all came is bid farewell, whatever else comes`() {
        var phase = ConnectionPhase()
        phase.headCame()
        #expect(phase.answersEarly)
        phase.answerEnded()
        #expect(phase.wait == .farewell)
        phase.bodyEnded()
        phase.headCame()
        #expect(phase.wait == .farewell)
        #expect(!phase.isIdle)
    }

    @Test func `a request behind another is not idle, nor answered early`() {
        var phase = ConnectionPhase()
        phase.headCame()
        phase.bodyEnded()
        phase.headCame()
        #expect(!phase.answersEarly)
        phase.answerEnded()
        #expect(phase.wait == .body)
        phase.bodyEnded()
        phase.answerEnded()
        #expect(phase.isIdle)
    }

    @Test func `only the server itself takes as long as it likes`() {
        var phase = ConnectionPhase()
        let limits = WebLimits()
        #expect(phase.time(limits) == limits.headTime)
        phase.headCame()
        #expect(phase.time(limits) == limits.bodyTime)
        phase.bodyEnded()
        #expect(phase.time(limits) == nil)
    }
}

struct AccessTokenTests {
    private func token(_ text: String, mode: mode_t = 0o600) throws -> AccessToken {
        let folder = try Folder()
        let path = folder.file("token")
        let file = open(path, O_WRONLY | O_CREAT, mode)
        try #require(file >= 0)
        fchmod(file, mode)
        _ = write(file, text, text.utf8.count)
        close(file)
        return try AccessToken(file: path, credentialsDirectory: nil)
    }

    @Test func `a token is known again, and nothing else is`() throws {
        let text = String(repeating: "aB3-", count: 8)
        let token = try token(" \(text)\r\n")
        #expect(token.matches(text))
        #expect(!token.matches(text + " "))
        #expect(!token.matches(text.dropLast()))
        #expect(!token.matches(text.dropLast() + "+"))
        #expect(!token.matches(""))
    }

    @Test(arguments: ["", String(repeating: "a", count: 31), String(repeating: "a b", count: 20)])
    func `a short one, and one that no header can carry, is refused`(text: String) {
        #expect(throws: KeyFileError.self) { try token(text) }
    }

    @Test func `a file that others may read is refused`() {
        #expect(throws: KeyFileError.self) { try token(String(repeating: "a", count: 40), mode: 0o640) }
    }
}
