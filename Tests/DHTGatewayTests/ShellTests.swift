import Testing

@testable import DHTGateway

struct ShellCommandTests {
    private func parse(_ line: String) throws(ShellCommand.Mistake) -> ShellCommand? {
        try ShellCommand.parse(Array(line.utf8))
    }

    private func put(_ key: String, _ value: String) -> ShellCommand {
        .put(key: Array(key.utf8), value: Array(value.utf8))
    }

    @Test func `the value is the rest of the line, its blanks kept`() throws {
        #expect(try parse("put hello world") == put("hello", "world"))
        #expect(try parse("put k  a  'b'  ") == put("k", " a  'b'  "))
        #expect(try parse("  PUT\tk\tv\tw\r") == put("k", "v\tw"))
    }

    @Test func `a key may be quoted`() throws {
        #expect(try parse("put 'a b' c d") == put("a b", "c d"))
        #expect(try parse("put \"it's\" so") == put("it's", "so"))
        #expect(try parse("get 'a b' ") == .get(key: Array("a b".utf8)))
        #expect(try parse("get it's") == .get(key: Array("it's".utf8)))
    }

    @Test func `a value that is no UTF-8 arrives as it was sent`() throws {
        #expect(
            try ShellCommand.parse(Array("put k ".utf8) + [0xFF, 0x00])
                == .put(key: Array("k".utf8), value: [0xFF, 0])
        )
    }

    @Test func `an empty line is no command`() throws {
        #expect(try parse("") == nil)
        #expect(try parse(" \t\r") == nil)
    }

    @Test(arguments: [
        ("status", ShellCommand.status), ("peers", .peers), ("id", .identity), ("help", .help),
        ("quit", .quit),
        ("exit", .quit), ("Status  ", .status), ("delete k", .delete(key: [0x6B])),
        ("del k", .delete(key: [0x6B])), ("ping beta", .ping(peer: "beta")),
        ("WHY beta ", .why(peer: "beta")),
    ])
    func `the other commands`(line: String, command: ShellCommand) throws {
        #expect(try parse(line) == command)
    }

    @Test(arguments: [
        ("put", "a key is missing: put KEY VALUE"), ("put k", "put needs a value: put KEY VALUE"),
        ("put k ", "put needs a value: put KEY VALUE"), ("get", "a key is missing: get KEY"),
        ("get a b", "one key only: get KEY. A key with blanks is quoted: 'a b'"),
        ("get 'a b", "a quote is not closed: get KEY"),
        ("put 'a'b c", "a blank is missing after the quoted key"),
        ("ping", "a peer's name or identity is missing: ping PEER"),
        ("why a b", "one peer only: why PEER"),
        ("status now", "status takes nothing after it"),
        ("staus", "unknown command \"staus\" (did you mean \"status\"?); try help"),
        ("frobnicate x", "unknown command \"frobnicate\"; try help"),
        ("\u{1B}[2J", "unknown command \"\\u{1b}[2J\"; try help"),
    ])
    func `mistakes are told in one line`(line: String, reason: String) {
        #expect(throws: ShellCommand.Mistake(reason: reason)) { try parse(line) }
    }
}

struct ShellTests {
    private let node = FakeNode()

    /// What the shell says to these lines, one after the other.
    private func transcript(_ lines: String...) async -> [String] {
        let shell = Shell(node)
        var said: [String] = []
        for line in lines { said += await shell.answer(Array(line.utf8)).lines }
        return said
    }

    @Test func `put, get and a miss read as they always did`() async {
        #expect(
            await transcript(
                "put hello world",
                "get hello",
                "get nothing",
                "",
                "del hello",
                "get hello",
                "del hello",
                "quit"
            )
                == [
                    "Stored key 'hello' at 3 nodes", "Value: world", "Key 'nothing' not found",
                    "Deleted key 'hello' at 3 nodes", "Key 'hello' not found", "Key 'hello' not found",
                    "Goodbye!",
                ]
        )
    }

    @Test func `status is the block it always was`() async {
        #expect(
            await transcript("put a b", "put c d", "status").dropFirst(2)
                == [
                    "=== Node Status ===",
                    "Node ID: 1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a",
                    "Identity: dht1qqqqqqqq",
                    "Address: 127.0.0.1:8002",
                    "Bucket 0: 1 nodes",
                    "Bucket 5: 2 nodes",
                    "Total known nodes: 3",
                    "Stored keys: 2",
                    "==================",
                ]
        )
    }

    @Test func `status tells of the store's room, and of what the disk lost`() {
        var status = StatusReply(
            id: "dht1q",
            nodeID: "1a",
            name: nil,
            addresses: ["127.0.0.1:1"],
            uptimeMilliseconds: 1,
            members: nil,
            peers: .init(known: 0, up: 0),
            records: .init(count: 2, bytes: 400),
            buckets: [],
            rejected: [:],
            counters: ["lost": 3, "mended": 2],
            store: .init(live: 87_031_808, disk: 94_581_555, free: 1 << 20, limit: 512 << 20)
        )
        let room = "Store: 83.0 of 512.0 MiB; on disk 90.2 MiB, of these free: 1.0 MiB"
        #expect(ShellText.status(status).contains(room))
        #expect(ShellText.status(status).contains("Lost on the disk: 3, brought again: 2"))
        status.store = .init(live: 0, disk: nil, free: nil, limit: 1 << 20)
        status.counters["lost"] = 0
        #expect(ShellText.status(status).contains("Store: 0.0 of 1.0 MiB"))
        #expect(!ShellText.status(status).contains { $0.hasPrefix("Lost") })
    }

    @Test func `a hostile value is shown escaped`() async {
        #expect(
            await transcript("put k \u{1B}]0;owned\u{07}", "get k").last == "Value: \\u{1b}]0;owned\\u{7}"
        )
    }

    @Test func `peers are rows, the unknown a dash`() async {
        #expect(
            await transcript("peers")
                == [
                    "beta  good     10.0.0.2:4100  0.250 ms  dht1b",
                    "-     unknown  -              -         dht1c",
                ]
        )
    }

    @Test func `a failure is one line and the shell goes on`() async {
        node.fail(with: Failure(.partial, "2 of 3 copies"))
        #expect(await transcript("put k v", "id") == ["Error: 2 of 3 copies", FakeNode.id])
    }

    @Test func `a mistake is one line and the shell goes on`() async {
        let shell = Shell(node)
        let answer = await shell.answer(Array("gte k".utf8))
        #expect(answer == .init(["Error: unknown command \"gte\" (did you mean \"get\"?); try help"]))
        #expect(!answer.ends)
    }

    @Test func `only quit ends the shell`() async {
        let shell = Shell(node)
        #expect(await shell.answer(Array("exit".utf8)).ends)
        #expect(await !shell.answer(Array("help".utf8)).ends)
        #expect(await shell.answer([UInt8]()) == .init([]))
    }

    @Test(arguments: [
        (0.0, "0.000 ms"), (0.1534, "0.153 ms"), (12.5, "12.500 ms"), (1999.9996, "2000.000 ms"),
    ])
    func `round trips have three decimals`(value: Double, text: String) {
        #expect(ShellText.milliseconds(value) == text)
    }
}
