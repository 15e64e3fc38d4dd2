import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct ValueTests {
        @Test func `the longest key and value fit, the next do not, and a value may be empty`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            let (key, value) = (String(repeating: "k", count: 128), String(repeating: "v", count: 640))
            #expect(try alpha.dht("put", key, value).status == 0)
            #expect(try alpha.dht("get", key).text == value)
            #expect(try alpha.dht("put", "nothing at all", "-").status == 0)
            let empty = try alpha.dht("get", "nothing at all")
            #expect(empty.status == 0 && empty.output.isEmpty)
            for (key, value, says) in [
                (key + "k", "v", "key is 129 bytes"), ("", "v", "key is empty"),
                ("k", String(repeating: "v", count: 16 << 20 | 1), "value is more than 16777216 bytes"),
            ] {
                let ending = try alpha.dht("put", key, "-", input: Data(value.utf8))
                #expect(ending.status == 2 && ending.output.isEmpty)
                #expect(ending.complaint.contains(says), "\(ending.errors)")
            }
        }

        @Test func `a value is read over disjoint paths, as many as there are`() throws {
            let members = try Members(["alpha", "beta", "gamma"])
            let alpha = try members.start("alpha", more: ["--paths", "2"])
            let beta = try members.start("beta")
            _ = try members.start("gamma")
            try members.settled()
            _ = try alpha.dht("put", "k", "v")
            for node in [alpha, beta] {
                #expect(try node.dht("get", "k").text == "v")
                #expect(try node.dht("get", "k", "--paths", "3").text == "v")
                #expect(try node.dht("get", "k", "--paths", "8", "--replicas", "8").text == "v")
            }
            for (paths, says) in [
                ("0", "--paths: 0 is outside 1 to 8"), ("9", "--paths: 9 is outside 1 to 8"),
                ("x", "--paths"),
            ] {
                let refused = try beta.dht("get", "k", "--paths", paths)
                #expect(refused.status == 2 && refused.output.isEmpty, "\(refused.errors)")
                #expect(refused.complaint.contains(says) && !refused.complaint.contains("\n"))
            }
            let checked = try Program.run(
                ["check", "--key", "alpha.key", "--allow", "peers.allow", "--paths", "9"],
                in: members.folder
            )
            #expect(checked.status == 2 && checked.complaint.contains("--paths: 9 is outside 1 to 8"))
        }

        @Test func `two authors of one key stand side by side`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha")
            let beta = try members.start("beta")
            try members.settled()
            _ = try alpha.dht("put", "who", "alpha was here")
            _ = try beta.dht("put", "who", "beta was here")
            #expect(try alpha.dht("get", "who").text == "beta was here")
            #expect(try beta.dht("get", "who", "--author", "alpha").text == "alpha was here")
            #expect(try beta.dht("get", "who", "--author", alpha.identity).text == "alpha was here")
            let all = try alpha.dht("get", "who", "--all").line.split(separator: "\n").map {
                $0.split(separator: "  ").map(String.init)
            }
            #expect(all.map { $0[0] } == ["beta", "alpha"])
            #expect(all.map { $0[2] } == ["beta was here", "alpha was here"])
            let meta = try alpha.dht("get", "who", "--meta")
            #expect(meta.text == "beta was here")
            #expect(meta.errors.contains("author: \(beta.identity) (beta)"))

            // Deleting takes one's own alone.
            #expect(try beta.dht("del", "who").text == "Deleted key 'who' at 2 nodes\n")
            #expect(try beta.dht("get", "who").text == "alpha was here")
        }

        @Test func `a write that names a revision replaces that one and no other`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha")
            let beta = try members.start("beta")
            try members.settled()
            let first = try alpha.dht("put", "turn", "1", "--if-absent", "--json")
            let revision = try #require(first["revision_text"] as? String)
            #expect(try beta.dht("put", "turn", "2", "--if-absent").status == 4)
            #expect(try beta.dht("put", "turn", "2", "--if-rev", revision).status == 0)
            let late = try alpha.dht("put", "turn", "3", "--if-rev", revision)
            #expect(late.status == 4 && late.complaint.contains(beta.identity))
            #expect(try alpha.dht("get", "turn").text == "2")
        }

        @Test func `a member that may only read is told so`() throws {
            let members = try Members(["alpha", "reader"])
            try members.folder.write(
                members.line("alpha") + members.line("reader", "write=no"),
                to: "peers.allow"
            )
            let alpha = try members.start("alpha")
            let reader = try members.start("reader")
            try members.settled()
            _ = try alpha.dht("put", "k", "v")
            #expect(try reader.dht("get", "k").text == "v")
            let refused = try reader.dht("put", "k", "mine")
            #expect(refused.status == 5)
            #expect(refused.complaint.contains("write=no"))
            #expect(try reader.dht("del", "k").status == 5)
            #expect(try alpha.dht("get", "k").text == "v")
            #expect(try alpha.dht("get", "k", "--all").line.split(separator: "\n").count == 1)
        }

        @Test func `a node need not be on its own list to read what it wrote`() throws {
            let members = try Members(["alpha", "beta"])
            try members.writeList(["beta"], to: "alpha.allow")
            try members.writeList(["alpha"], to: "beta.allow")
            let alpha = try members.start("alpha", allow: "alpha.allow")
            #expect(try alpha.dht("put", "mine", "alone", "--min-copies", "1").status == 0)
            #expect(try alpha.dht("get", "mine").text == "alone")
            let beta = try members.start("beta", allow: "beta.allow")
            try members.settled()
            #expect(try beta.dht("put", "yours", "together").text == "Stored key 'yours' at 2 nodes\n")
            for node in [alpha, beta] { #expect(try node.dht("get", "yours").text == "together") }
            #expect(try alpha.dht("reload").status == 0)
            #expect(try alpha.dht("get", "mine").text == "alone")
        }

        @Test func `a node whose only peer died says that nobody answers`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha")
            let beta = try members.start("beta")
            try members.settled()
            alpha.kill()
            let ending = try beta.dht("get", "k")
            #expect(ending.status == 6)
            #expect(
                ending.complaint.hasPrefix(
                    "the only other member does not answer, so whether there is a value"
                )
            )
        }

        @Test func `a value comes from a file and goes into one`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            let bytes = Data((0...255).map { UInt8($0) })
            try bytes.write(to: members.folder.url.appending(path: "in"))
            #expect(try alpha.dht("put", "file", "-f", "in").status == 0)
            let ending = try alpha.dht("get", "file", "-o", "out")
            #expect(ending.status == 0 && ending.output.isEmpty)
            #expect(FileManager.default.contents(atPath: members.folder.file("out")) == bytes)
            let names = try members.folder.names()
            #expect(try alpha.dht("get", "none", "-o", "other").status == 3)
            #expect(try members.folder.names() == names)
            #expect(
                try alpha.dht("put", "file", "-f", "missing").complaint.hasPrefix("missing cannot be read")
            )
        }

        /// Bytes that nothing shortens.
        private func noise(_ count: Int) -> Data {
            var generator = SystemRandomNumberGenerator()
            var bytes = Data(capacity: count)
            while bytes.count < count {
                withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
            }
            return bytes.prefix(count)
        }

        @Test func `files of any length go in and come out, through a restart of all nodes`() throws {
            let members = try Members(["alpha", "beta", "gamma"])
            let names = ["alpha", "beta", "gamma"]
            var nodes: [NodeProcess] = []
            for name in names {
                nodes.append(try members.start(name, more: ["--data", members.folder.file(name)]))
            }
            try members.settled(nodes)
            let lengths = [641, 64_000, 1_000_001, 16 << 20]
            let values = lengths.map { noise($0) }
            for (length, value) in zip(lengths, values) {
                let file = members.folder.file("in")
                try value.write(to: URL(fileURLWithPath: file))
                let put = try nodes[0].dht("put", "file \(length)", "-f", file)
                #expect(put.text == "Stored key 'file \(length)' at 3 nodes\n", "\(put.errors)")
            }
            for isAgain in [false, true] {
                for (index, node) in nodes.enumerated() {
                    for (length, value) in zip(lengths, values) {
                        let file = members.folder.file("out \(index)")
                        let get = try node.dht("get", "file \(length)", "-o", file)
                        #expect(get.status == 0, "\(get.errors)")
                        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == value)
                        #expect(try node.dht("get", "file \(length)").output == value)
                    }
                }
                guard !isAgain else { break }
                for node in nodes { node.kill() }
                nodes = []
                for name in names {
                    nodes.append(try members.start(name, more: ["--data", members.folder.file(name)]))
                }
                try members.settled(nodes)
            }
        }

        @Test func `values that are kept are listed`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            #expect(try alpha.dht("ls", "--own").text.isEmpty)
            _ = try alpha.dht("put", "kept", "v", "--keep", "--ttl", "90s")
            _ = try alpha.dht("put", "not kept", "v")
            let line = try alpha.dht("ls", "--own").text
            #expect(line.hasPrefix("kept  ") && line.contains("  90 s  renewed 20"), "\(line)")
            #expect(line.split(separator: "\n").count == 1)
            #expect(try alpha.dht("ls", "--own", "--json").text.contains(#""lifetime":90"#))
            #expect(try alpha.dht("ls").text == line)
        }
    }
}
