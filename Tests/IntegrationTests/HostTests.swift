import Foundation
import Testing

extension IntegrationTests {
    /// What a shell, a terminal and a file system do to the program.
    @Suite(.serialized) struct HostTests {
        private func shell(_ script: String, in folder: Folder, _ more: String...) throws -> Program.Exit {
            try Program.run(["-c", script, Program.path] + more, in: folder, executable: "/bin/sh")
        }

        private func kind(_ name: String, in folder: Folder) throws -> FileAttributeType? {
            try FileManager.default.attributesOfItem(atPath: folder.file(name))[.type] as? FileAttributeType
        }

        // MARK: Files

        @Test func `a value is written into what is there, which stays what it is`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            let folder = members.folder
            _ = try alpha.dht("put", "k", "hello")
            func get(_ file: String) throws -> Int32 { try alpha.dht("get", "k", "-o", file).status }

            try folder.write("old", to: "target", mode: 0o600)
            for (link, target) in [("link", "target"), ("dangling", "new"), ("null", "/dev/null")] {
                let path = folder.file(link)
                try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
                #expect(try get(link) == 0)
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == target)
            }
            #expect(folder.text("target") == "hello" && folder.text("new") == "hello")
            #expect(folder.mode("target") == 0o600)

            let fifo = try shell(
                "mkfifo fifo; cat fifo >copy & \"$0\" -s \"$1\" get k -o fifo; wait",
                in: folder,
                alpha.socket
            )
            #expect(fifo.status == 0 && folder.text("copy") == "hello")
            #expect(try folder.names().filter { $0.contains("fifo") } == ["fifo"])
            let appended = "echo first >out; \"$0\" -s \"$1\" get k -o /dev/fd/1 >>out; cat out"
            #expect(try shell(appended, in: folder, alpha.socket).text == "first\nhello")
            #expect(try alpha.dht("get", "k", "-o", "-").text == "hello")
            #expect(try get(".") == 2)

            try folder.write("old", to: "twin-1")
            try FileManager.default.linkItem(atPath: folder.file("twin-1"), toPath: folder.file("twin-2"))
            #expect(try get("twin-1") == 0)
            #expect(folder.text("twin-2") == "hello")
            guard getuid() == 0 else { return }
            #expect(chown(folder.file("target"), 12_345, 12_346) == 0)
            #expect(try get("target") == 0)
            let owned = try FileManager.default.attributesOfItem(atPath: folder.file("target"))
            #expect(owned[.ownerAccountID] as? Int == 12_345)
            #expect(owned[.groupOwnerAccountID] as? Int == 12_346)
        }

        @Test func `an export is written into what is there`() throws {
            let members = try Members(["alpha"])
            let folder = members.folder
            let alpha = try members.start("alpha", more: ["--data", "node"])
            #expect(try alpha.dht("put", "k", "hello").status == 0)
            #expect(try alpha.terminate() == 0)
            try folder.write("old", to: "target", mode: 0o640)
            let script =
                "ln -s target link; mkfifo fifo; cat fifo >copy & "
                + "\"$0\" store export node -o link; \"$0\" store export node -o fifo; wait"
            #expect(try shell(script, in: folder).status == 0)
            #expect(try kind("link", in: folder) == .typeSymbolicLink)
            #expect(try kind("fifo", in: folder) != .typeRegular)
            #expect(folder.mode("target") == 0o640)
            let lines = try Program.run("store", "export", "node", "-o", "-", in: folder).text
            #expect(lines.contains("\"record\""))
            #expect(folder.text("target") == lines && folder.text("copy") == lines)
            #expect(try Program.run("store", "export", "node", "-o", "new", in: folder).status == 0)
            #expect(folder.mode("new") == 0o600)
        }

        @Test func `a key is written to files only, and through a link`() throws {
            let folder = try Folder()
            #expect(try shell("mkfifo fifo && ln -s target link", in: folder).status == 0)
            try Program.run("keygen", "-o", "target", in: folder)
            let old = folder.text("target")
            let forced = try Program.run("keygen", "--force", "-o", "link", in: folder)
            #expect(forced.status == 0 && forced.errors.contains("target.bak"))
            #expect(try kind("link", in: folder) == .typeSymbolicLink)
            #expect(folder.text("target.bak") == old && folder.text("target") != old)
            #expect(try Program.run("id", "target", in: folder).line == forced.line)
            for more in [["--force"], []] {
                let refused = try Program.run(["keygen", "-o", "fifo"] + more, in: folder)
                #expect(refused.status == 2 && refused.complaint.contains("no regular file"))
            }
            #expect(try kind("fifo", in: folder) != .typeRegular)
            #expect(try folder.names() == ["fifo", "link", "target", "target.bak"])
        }

        // MARK: Bytes

        @Test func `keys and values are the bytes that were given, all else is text or refused`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            func dht(_ words: String) throws -> Program.Exit {
                let line = "b=$(printf '\\377') c=$(printf '\\376'); \"$0\" -s \"$1\" \(words)"
                return try shell(line, in: members.folder, alpha.socket)
            }
            let put = try dht("put \"$b\" one")
            #expect(put.status == 0 && put.text.hasPrefix("Stored key '0xff' at "))
            #expect(put.errors.contains("get $'\\xff'"))
            #expect(try dht("get \"$c\"").status == 3)
            #expect(try dht("get \"$b\"").text == "one")
            #expect(try dht("put v \"$b$c\"").status == 0)
            #expect(try dht("get v").output == Data([0xFF, 0xFE]))
            #expect(try dht("put -- \"$b\" \"-$c\"").status == 0)
            #expect(try dht("get -- \"$b\"").output == Data([0x2D, 0xFE]))
            // A character of the kind that stands for a byte inside is one of the user's all the same.
            #expect(try dht("put v \"$(printf '\\364\\217\\277\\277')$b\"").status == 0)
            #expect(try dht("get v").output == Data([0xF4, 0x8F, 0xBF, 0xBF, 0xFF]))
            for words in [
                "get v -o \"out$b\"", "put v -f \"in$b\"", "get v --author \"$b\"", "get v \"--author=$b\"",
                "id \"$b\"", "ping \"$b\"", "check --key \"$b\"",
            ] {
                let refused = try dht(words)
                #expect(refused.status == 2, "\(words): \(refused.errors)")
                #expect(refused.complaint.contains("is not UTF-8"), "\(words): \(refused.errors)")
            }
            let variable = try shell("DHT_KEY=$(printf '\\377') \"$0\" check", in: members.folder)
            #expect(variable.complaint == "the variable DHT_KEY is not UTF-8; nothing was done")
            #expect(try !members.folder.names().contains { $0.hasPrefix("out") })
        }

        // MARK: Descriptors and signals

        private static let serve =
            "exec \"$0\" node --key alpha.key --allow peers.allow --network net.network "
            + "--listen 127.0.0.1:0 --socket alpha.sock"

        @Test func `closed standard streams are filled, and take nothing else's place`() throws {
            let members = try Members(["alpha"])
            let script = "exec <&- >&- 2>&-; \(Self.serve) --data node"
            let node = try Execution("/bin/sh", ["-c", script, Program.path], in: members.folder)
            let socket = members.folder.file("alpha.sock")
            try eventually("the node serves") {
                try Program.run("-s", socket, "status", in: members.folder).status == 0
            }
            for number in 0...2 {
                let link = "/proc/\(node.processID)/fd/\(number)"
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "/dev/null")
            }
            #expect(try Program.run("-s", socket, "stop", in: members.folder).status == 0)
            #expect(try node.finish().status == 0)
            #expect(members.folder.text("node/lock").isEmpty)
        }

        @Test func `too few files that may be open are an error, not a crash`() throws {
            let members = try Members(["alpha"])
            let node = try shell("ulimit -n 20; \(Self.serve) --ephemeral", in: members.folder)
            #expect(node.status == 9 && !node.isKilled)
            #expect(node.complaint.hasPrefix("only 20 files may be open at once"), "\(node.errors)")
            let status = try shell("ulimit -n 12; exec \"$0\" -s alpha.sock status", in: members.folder)
            #expect(status.status == 9 && status.complaint.hasPrefix("only 12 files"), "\(status.errors)")
        }

        @Test func `a node that is still starting ends on SIGTERM, and reloads later on SIGHUP`() throws {
            let members = try Members(["alpha"])
            let folder = members.folder
            try folder.write("secret\n", to: "pass", mode: 0o600)
            let made = ["keygen", "-o", "alpha.key", "--force", "--passphrase-file", "pass"]
            let identity = try Program.run(made, in: folder).line
            try folder.write("\(identity)  alpha\n", to: "peers.allow")
            // It waits for its passphrase until somebody opens the FIFO.
            let script = "mkfifo fifo; \(Self.serve) --ephemeral --passphrase-file fifo"
            let arguments = ["-c", script, Program.path]
            func start() throws -> Execution {
                let node = try Execution("/bin/sh", arguments, in: folder)
                try eventually("it is the node") {
                    let link = "/proc/\(node.processID)/exe"
                    let program = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
                    return program?.hasSuffix("/dht") == true
                }
                // Both signals are taken care of.
                try eventually("it listens to signals: \(node.log)") {
                    let text = try String(contentsOfFile: "/proc/\(node.processID)/status", encoding: .utf8)
                    let line = text.split(separator: "\n").first { $0.hasPrefix("SigCgt:") } ?? ""
                    let mask = UInt64(line.split(separator: "\t").last ?? "", radix: 16) ?? 0
                    return mask & 1 << UInt64(SIGTERM - 1) != 0
                }
                return node
            }
            let first = try start()
            first.signal(SIGTERM)
            let ending = try first.finish()
            #expect(ending.status == 0 && !ending.isKilled && ending.output.isEmpty)

            let second = try start()
            second.signal(SIGHUP)
            try eventually("it reads its passphrase") {
                let file = open(folder.file("fifo"), O_WRONLY | O_NONBLOCK)
                defer { if file >= 0 { close(file) } }
                return file >= 0 && write(file, "secret\n", 7) == 7
            }
            try eventually("it reloads: \(second.log)") { second.log.contains("allowlists read again") }
            second.signal(SIGTERM)
            #expect(try second.finish().status == 0)
        }
    }
}
