import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct CommandTests {
        // MARK: What keeps a node from starting

        @Test func `a node that cannot start says in one line what to do`() throws {
            let members = try Members(["alpha"])
            let folder = members.folder
            try FileManager.default.copyItem(
                atPath: folder.file("alpha.key"),
                toPath: folder.file("open.key")
            )
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640],
                ofItemAtPath: folder.file("open.key")
            )
            let identity = members.identities["alpha"] ?? ""
            try folder.write("\(identity)  alpha  wirte=yes\n", to: "typo.allow")
            let other = identity.last == "x" ? "q" : "x"
            try folder.write("\(identity.dropLast())\(other)  alpha\n", to: "checksum.allow")
            try folder.write(folder.text("alpha.key"), to: "secret.allow")
            let reserved = try String(
                contentsOf: Program.root.appending(path: "Keys/test-identities.txt"),
                encoding: .utf8
            )
            let known = try #require(
                reserved.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("dht1") }
            )
            try folder.write("\(known)  known\n", to: "known.allow")
            let running = try members.start("alpha")

            let good = ["--key", "alpha.key", "--allow", "peers.allow", "--network", "net.network"]
            let free = ["--listen", "127.0.0.1:0"]
            let cases: [(arguments: [String], status: Int32, says: String)] = [
                (["--key", "alpha.key"] + free, 9, "nobody is allowed: give --allow FILE"),
                (["--key", "alpha.key", "--open"] + free, 9, "--network"),
                (["--key", "missing.key", "--allow", "peers.allow"] + free, 9, "missing.key"),
                (["--key", "open.key", "--allow", "peers.allow"] + free, 5, "chmod 600 open.key"),
                (["--key", "alpha.key", "--allow", "typo.allow"] + free, 9, "typo.allow:1:"),
                (["--key", "alpha.key", "--allow", "typo.allow"] + free, 9, "(did you mean \"write\"?)"),
                (["--key", "alpha.key", "--allow", "checksum.allow"] + free, 9, "One character is wrong"),
                (
                    ["--key", "alpha.key", "--allow", "secret.allow"] + free, 9,
                    "It was not printed or stored"
                ),
                (["--key", "alpha.key", "--allow", "known.allow"] + free, 9, "test"),
                (good + ["--listen", running.address], 9, "in use"),
                (good + free + ["--peer", "10.0.0.1:4100"], 2, "dht://IDENTITY@HOST:PORT"),
                (
                    good + free + ["--peer", "dht://\(identity)@no-such-host.invalid:1"], 6,
                    "does not resolve"
                ),
                (good + free + ["--alow", "x"], 2, "--allow"),
                (good + free + ["--paths", "0"], 2, "--paths: 0 is outside 1 to 8"),
                (good + free + ["--paths", "x"], 2, "--paths"),
                (good + free + ["--socket", running.socket], 9, "running"),
            ]
            for (arguments, status, says) in cases {
                let ending = try Program.run(["node"] + arguments, in: folder)
                #expect(ending.status == status, "\(arguments): \(ending.errors)")
                #expect(ending.complaint.contains(says), "\(arguments): \(ending.errors)")
                #expect(!ending.complaint.contains("\n"))
                #expect(ending.output.isEmpty)
                #expect(!ending.errors.contains("DHT-SECRET-KEY-1"))
            }
        }

        @Test func `an empty list admits nobody`() throws {
            let members = try Members(["alpha", "beta"])
            try members.folder.write("", to: "empty.allow")
            let alpha = try members.start("alpha", allow: "empty.allow")
            let beta = try members.start("beta")
            _ = try beta.dht("put", "a", "b")
            try eventually("alpha turned beta away") { try alpha.rejected()["admission", default: 0] > 0 }
            #expect(try alpha.peersUp() == 0 && beta.peersUp() == 0)
        }

        // MARK: Values

        @Test func `commands answer in text and in JSON with the codes they promise`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha")
            let beta = try members.start("beta")
            try members.settled()

            let put = try alpha.dht("put", "motd", "lunch", "--json", "--ttl", "1h")
            #expect((put["copies"] as? [String: Any])?["stored"] as? Int == 2)
            #expect(put["schema"] as? Int == 1 && put["revision"] != nil && put["expires"] != nil)
            let get = try beta.dht("get", "motd", "--json")
            #expect(get["value"] as? String == "lunch")
            #expect((get["author"] as? [String: Any])?["id"] as? String == alpha.identity)
            #expect(try beta.dht("get", "motd", "-o", "out.txt").status == 0)
            #expect(members.folder.text("out.txt") == "lunch")
            _ = try alpha.dht("put", "raw", "-", input: Data([0xFF, 0]))
            #expect(try beta.dht("get", "raw", "--json")["value_base64"] as? String == "/wA=")

            let status = try alpha.dht("status", "--json")
            #expect(
                status["id"] as? String == alpha.identity && status["address"] as? String == alpha.address
            )
            let peer = (try alpha.dht("peers", "--json")["peers"] as? [[String: Any]])?.first
            #expect(peer?["name"] as? String == "beta" && peer?["state"] as? String == "good")
            #expect(peer?["rtt_ms"] is Double && peer?["address"] as? String == beta.address)
            #expect(try alpha.dht("id").text == alpha.identity + "\n")

            let missing = try beta.dht("get", "nothing")
            #expect(missing.status == 3)
            #expect(missing.complaint == "nothing: not found (asked 1 of 1 closest nodes)")
            #expect(try beta.dht("put", "motd", "mine", "--if-absent").status == 4)
            #expect(try beta.dht("put", "motd", "mine", "--min-copies", "3").status == 7)
            #expect(try alpha.dht("del", "motd").status == 0)
            #expect(try alpha.dht("del", "motd").status == 3)
            #expect(try alpha.dht("put", "", "x").status == 2)
            #expect(try alpha.dht("put", String(repeating: "k", count: 129), "x").status == 2)
            let failure = try alpha.dht("get", "nothing", "--json")
            let object = try JSONSerialization.jsonObject(with: Data(failure.errors.utf8)) as? [String: Any]
            #expect((object?["error"] as? [String: Any])?["exit"] as? Int == 3)

            #expect(try beta.dht("stop").status == 0)
            try eventually("beta ends") { !beta.isRunning }
            let gone = try beta.dht("status")
            #expect(gone.status == 6)
            let nowhere = try Program.run("get", "x", in: try Folder())
            #expect(nowhere.status == 6 && nowhere.complaint.contains("no node is running"))
        }

        private static let hasIPv6 =
            (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8))?
            .contains("00000000000000000000000000000001 ") == true

        @Test(.enabled(if: hasIPv6, "this machine has no ::1"))
        func `a node listens on both families`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha", more: ["--listen", "[::1]:0"])
            let line = alpha.log.split(separator: "\n").first { $0.contains("[::1]:") }
            let port = line?.split(separator: ":").last.flatMap { UInt16($0.filter(\.isNumber)) }
            let beta = try members.start(
                "beta",
                peers: ["dht://\(alpha.identity)@[::1]:\(try #require(port))"],
                listen: "[::1]:0"
            )
            _ = try beta.dht("put", "hello", "world")
            #expect(try alpha.dht("get", "hello").text == "world")
        }
    }
}
