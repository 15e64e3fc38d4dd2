import Foundation
import Testing

extension IntegrationTests {
    /// Backups of nodes that run, and nodes made of backups.
    @Suite(.serialized) struct BackupTests {
        /// A member with a database in a directory of its name.
        private func start(_ members: Members, _ name: String) throws -> NodeProcess {
            try members.start(name, more: ["--data", name])
        }

        /// Bytes of no pattern.
        private static func value(_ length: Int) -> Data {
            var state: UInt64 = 1
            return Data(
                (0..<length).map { _ in
                    state = state &* 6_364_136_223_846_793_005 &+ 1
                    return UInt8(truncatingIfNeeded: state >> 56)
                }
            )
        }

        @Test func `all that was acknowledged before a backup under load is in a node made of it`() throws {
            let members = try Members(["a"])
            let folder = members.folder
            let a = try start(members, "a")
            let long = Self.value(2 << 20)
            #expect(try a.dht("put", "long", "-", input: long).status == 0)
            #expect(try a.dht("put", "kept", "alive", "--keep").status == 0)
            let writers = (0..<4).map { Writer($0, a.socket) }
            try eventually("they write") { writers.allSatisfy { $0.count > 20 } }

            let before = writers.map(\.count)
            let ending = try a.dht("backup", "a.backup", "--json")
            let after = writers.map(\.count)
            #expect(ending.status == 0, "\(ending.errors)")
            #expect(zip(before, after).contains { $0 < $1 }, "others write meanwhile")
            for writer in writers { writer.stop() }
            #expect(writers.allSatisfy { $0.failures == 0 })
            #expect(ending["path"] as? String == "a.backup" && ending["seconds"] is Double)
            #expect(ending["bytes"] as? Int ?? 0 > long.count)
            #expect(ending["records"] as? Int ?? 0 >= before.reduce(0, +) + 2)
            #expect(folder.mode("a.backup") == 0o600)
            #expect(try folder.names().filter { $0.contains("draft") } == [])
            a.kill()
            try FileManager.default.removeItem(atPath: folder.file("a"))

            let restored = try Program.run("restore", "a.backup", "--data", "elsewhere", in: folder)
            #expect(restored.status == 0, "\(restored.errors)")
            #expect(restored.text.hasPrefix("Restored ") && folder.mode("elsewhere") == 0o700)
            let check = try Program.run("store", "check", "elsewhere", in: folder)
            #expect(check.status == 0 && check.text.hasSuffix("ok\n"), "\(check.text)")
            let again = try members.start("a", peers: [], more: ["--data", "elsewhere"])
            #expect(try again.dht("get", "long").output == long)
            #expect(try again.dht("ls", "--own").text.hasPrefix("kept"))
            for (writer, count) in zip(writers, before) {
                for number in [1, count / 2, count] {
                    let key = writer.key(number)
                    #expect(try again.dht("get", key).text == "value of \(key)", "\(key), before the backup")
                }
                #expect(try held(by: again, writer, count) == count, "\(writer.number)")
            }
        }

        /// How many of a writer's first values a node has.
        private func held(by node: NodeProcess, _ writer: Writer, _ count: Int) throws -> Int {
            let client = try RawClient(node.socket)
            defer { client.close() }
            return try (1...count).count { number in
                try client.ask("GET", "/v1/values/\(writer.path(number))").status == 200
            }
        }

        @Test func `a node made of a backup writes above what it wrote after that`() throws {
            let members = try Members(["a", "b"])
            let folder = members.folder
            let a = try start(members, "a")
            let b = try start(members, "b")
            try members.settled()
            for key in ["one", "two", "three"] { #expect(try a.dht("put", key, "old").status == 0) }
            #expect(try a.dht("put", "kept", "old", "--keep").status == 0)
            #expect(try a.dht("backup", "a.backup").status == 0)
            for key in ["one", "two", "kept"] { #expect(try a.dht("put", key, "new").status == 0) }
            #expect(try a.dht("del", "three").status == 0)
            a.kill()
            let restored = try Program.run("restore", "a.backup", "--data", "a", "--force", in: folder)
            #expect(restored.status == 0 && restored.errors.contains("a/records.sqlite.bak"))

            let again = try members.start("a", peers: [b.uri], more: ["--data", "a"])
            try members.settled([again, b], 1)
            for node in [again, b] {
                #expect(try node.dht("get", "one").text == "new")
                #expect(try node.dht("get", "kept").text == "new")
                #expect(try node.dht("get", "three").status == 3)
            }
            #expect(try again.dht("put", "two", "newest").status == 0)
            for node in [again, b] { #expect(try node.dht("get", "two").text == "newest") }
        }

        @Test func `a backup goes where it may, and a stopped node's is made of its directory`() throws {
            let members = try Members(["a"])
            let folder = members.folder
            let a = try start(members, "a")
            #expect(try a.dht("put", "key", "value").status == 0)
            #expect(try a.dht("backup", "file").status == 0)
            let first = folder.bytes("file")
            let taken = try a.dht("backup", "file")
            #expect(taken.status == 4 && taken.complaint.contains("exists and was left alone"))
            #expect(folder.bytes("file") == first)
            #expect(try a.dht("backup", "file", "--force").status == 0)
            #expect(folder.mode("file") == 0o600)
            #expect(try a.dht("backup", "nowhere/file").status == 2)
            let piped = try a.dht("backup", "-")
            #expect(piped.status == 0 && Array(piped.output.prefix(15)) == Array("SQLite format 3".utf8))
            let running = try Program.run("backup", "off", "--data", "a", in: folder)
            #expect(running.status == 9 && running.complaint.contains("in use"))
            #expect(try a.terminate() == 0)

            let stopped = try a.dht("backup", "off")
            #expect(stopped.status == 6 && stopped.complaint.contains("dht backup off --data DIR"))
            #expect(folder.bytes("off") == nil)
            #expect(try Program.run("backup", "off", "--data", "a", in: folder).status == 0)
            for (name, input) in [("off", Data()), ("-", piped.output)] {
                let to = "of\(name)"
                let ending = try Program.run("restore", name, "--data", to, in: folder, input: input)
                #expect(ending.status == 0, "\(ending.errors)")
                #expect(try Program.run("store", "check", to, in: folder).status == 0)
            }
            let other = try Program.run(
                ["restore", "off", "--data", "b", "--new-identity", "--json"],
                in: folder
            )
            #expect(other.status == 0 && other["id"] is NSNull && other["records"] as? Int == 1)
            try members.makeKey("b")
            try members.writeList(["a", "b"])
            let b = try members.start("b", peers: [], more: ["--data", "b"])
            #expect(try b.dht("get", "key").text == "value", "a replica like any other")
        }

        @Test func `a node without a database says so`() throws {
            let members = try Members(["a"])
            let a = try members.start("a", more: ["--ephemeral"])
            let ending = try a.dht("backup", "file")
            #expect(ending.status == 9 && ending.complaint.contains("--ephemeral"))
            #expect(try members.folder.names().contains("file") == false)
        }

        @Test func `what is no whole backup of ours is refused, and nothing is left of it`() throws {
            let members = try Members(["a"])
            let folder = members.folder
            let a = try start(members, "a")
            for number in 0..<50 { #expect(try a.dht("put", "\(number)", "value").status == 0) }
            #expect(try a.dht("backup", "good").status == 0)
            let good = try #require(folder.bytes("good"))
            try folder.write(Array(good.dropLast(5000)), to: "cut")
            try folder.write("no database", to: "text")
            var foreign = good
            foreign[68] ^= 1
            try folder.write(foreign, to: "foreign")
            var damaged = good
            for index in 4096..<good.count { damaged[index] ^= 0xA5 }
            try folder.write(damaged, to: "damaged")
            for (name, status) in [("cut", 8), ("damaged", 8), ("text", 9), ("foreign", 9), ("absent", 2)] {
                let ending = try Program.run("restore", name, "--data", "new", in: folder)
                #expect(ending.status == Int32(status), "\(name): \(ending.status) \(ending.errors)")
                let left = (try? FileManager.default.contentsOfDirectory(atPath: folder.file("new"))) ?? []
                #expect(left.filter { $0 != "lock" } == [], "\(name)")
            }
            let used = try Program.run("restore", "good", "--data", "a", "--force", in: folder)
            #expect(used.status == 9 && used.complaint.contains("in use"))
            #expect(try a.terminate() == 0)
            let taken = try Program.run("restore", "good", "--data", "a", in: folder)
            #expect(taken.status == 4 && taken.complaint.contains("--force"))
        }

        @Test func `a client that is killed leaves nothing at the node`() throws {
            let members = try Members(["a"])
            let a = try start(members, "a")
            #expect(try a.dht("put", "long", "-", input: Self.value(8 << 20)).status == 0)
            func copies() throws -> Int {
                let folder = "/proc/\(a.processID)/fd"
                return try FileManager.default.contentsOfDirectory(atPath: folder).count { name in
                    let target = try? FileManager.default.destinationOfSymbolicLink(
                        atPath: "\(folder)/\(name)"
                    )
                    return target?.contains("records.sqlite.copy-") == true
                }
            }
            // It reads nothing of the answer, which does not fit into the socket.
            let socket = try UnixSocket.connect(to: a.socket)
            let question = Array("GET /v1/backup HTTP/1.1\r\nhost: dht\r\n\r\n".utf8)
            #expect(write(socket, question, question.count) == question.count)
            try eventually("the copy is made") { try copies() > 0 }
            let second = try a.dht("backup", "second")
            #expect(second.status == 7 && second.complaint.contains("another backup"))
            close(socket)
            try eventually("it is gone") { try copies() == 0 }
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: members.folder.file("a"))
                    .filter { $0.contains("copy") } == []
            )
            #expect(try a.dht("backup", "third").status == 0)
        }

        @Test func `a full disk ends a backup with an error, and leaves nothing`() throws {
            let members = try Members(["a"])
            let folder = members.folder
            let library = folder.file("failing-disk.so")
            let source = Program.root.appending(path: "Tests/Endurance/failing-disk.c").path
            let compiled = try Execution(
                "/usr/bin/env",
                ["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                in: folder
            ).finish()
            guard compiled.status == 0 else {
                print("there is no cc, so a full disk is not tried: \(compiled.errors)")
                return
            }
            let data = try #require(realpath(folder.path, nil).map { String(cString: $0) }) + "/a"
            let variables = [
                "LD_PRELOAD": library, "DISK_BELOW": data, "DISK_TRIGGER": folder.file("trigger"),
            ]
            let a = try members.start("a", more: ["--data", "a"], variables: variables)
            #expect(try a.dht("put", "key", "value").status == 0)
            try folder.write("\(ENOSPC) 100\n", to: "trigger")
            let ending = try a.dht("backup", "file")
            #expect(ending.status == 1 && ending.complaint.contains("full"), "\(ending.errors)")
            try FileManager.default.removeItem(atPath: folder.file("trigger"))
            #expect(folder.bytes("file") == nil)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: data)
                    .filter { $0.contains("copy") } == []
            )

            // And at the client's side.
            let place = folder.file("place")
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
            let below = URL(filePath: data).deletingLastPathComponent().appending(path: "place").path
            let trigger = try folder.write("\(ENOSPC) 100\n", to: "trigger of the client")
            let here = try Execution(
                "/usr/bin/env",
                [Program.path, "backup", "place/file", "--socket", a.socket],
                in: folder,
                variables: ["LD_PRELOAD": library, "DISK_BELOW": below, "DISK_TRIGGER": trigger]
            ).finish()
            #expect(here.status == 1 && here.complaint.contains("cannot be written"), "\(here.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("place")) == [])
            #expect(try a.dht("backup", "file").status == 0)
        }
    }
}

/// Puts short values at a node, one after the other, until it is stopped.
private final class Writer: @unchecked Sendable {
    let number: Int
    private let lock = NSCondition()
    private var state = (count: 0, failures: 0, isStopping: false, isOver: false)

    /// Values that were acknowledged.
    var count: Int { lock.withLock { state.count } }
    var failures: Int { lock.withLock { state.failures } }

    init(_ number: Int, _ socket: String) {
        self.number = number
        Thread.detachNewThread { [self] in
            run(socket)
            lock.withLock {
                state.isOver = true
                lock.broadcast()
            }
        }
    }

    func key(_ value: Int) -> String { "\(number)/\(value)" }

    func path(_ value: Int) -> String {
        Data(key(value).utf8).base64EncodedString().replacing("=", with: "").replacing("+", with: "-")
            .replacing("/", with: "_")
    }

    private func run(_ socket: String) {
        guard let client = try? RawClient(socket) else { return }
        defer { client.close() }
        while !lock.withLock({ state.isStopping }) {
            let next = count + 1
            let answer = try? client.ask("PUT", "/v1/values/\(path(next))", body: "value of \(key(next))")
            lock.withLock {
                if answer?.status == 200 { state.count += 1 } else { state.failures += 1 }
                if answer == nil { state.isStopping = true }
            }
        }
    }

    /// Returns when its last request is answered.
    func stop() {
        lock.withLock {
            state.isStopping = true
            while !state.isOver { lock.wait() }
        }
    }
}

/// One connection to a control socket.
private final class RawClient {
    private let socket: Int32
    private var waiting: [UInt8] = []

    init(_ path: String) throws { socket = try UnixSocket.connect(to: path) }

    func close() { Foundation.close(socket) }

    func ask(_ method: String, _ path: String, body: String = "") throws -> (status: Int, body: String) {
        let head = "\(method) \(path) HTTP/1.1\r\nhost: dht\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
        let question = Array((head + body).utf8)
        guard write(socket, question, question.count) == question.count else {
            throw NeverHappened("the node takes a request")
        }
        let lines = try take(until: Array("\r\n\r\n".utf8)).split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let length = lines.first { $0.lowercased().hasPrefix("content-length:") }?
            .split(separator: " ").last.flatMap { Int($0) }
        return (status, try take(length ?? 0))
    }

    private func take(until end: [UInt8]) throws -> String {
        while true {
            if let range = waiting.firstRange(of: end) {
                defer { waiting.removeFirst(range.upperBound) }
                return String(decoding: waiting[..<range.lowerBound], as: UTF8.self)
            }
            try fill()
        }
    }

    private func take(_ count: Int) throws -> String {
        while waiting.count < count { try fill() }
        defer { waiting.removeFirst(count) }
        return String(decoding: waiting[..<count], as: UTF8.self)
    }

    private func fill() throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(socket, &buffer, buffer.count)
        guard count > 0 else { throw NeverHappened("the node answers") }
        waiting += buffer[..<count]
    }
}
