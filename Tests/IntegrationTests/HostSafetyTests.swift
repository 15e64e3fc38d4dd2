import Foundation
import Testing

extension IntegrationTests {
    /// Who else may change what a node goes by, who listens, and files that go away under it.
    @Suite(.serialized) struct HostSafetyTests {
        private let members: Members
        private var folder: Folder { members.folder }

        init() throws { members = try Members(["alpha"]) }

        private func shell(_ script: String, _ more: String...) throws -> Program.Exit {
            try Program.run(["-c", script, Program.path] + more, in: folder, executable: "/bin/sh")
        }

        private static let node = "\"$0\" node --key alpha.key --network net.network --listen 127.0.0.1:0"

        // MARK: Owners

        @Test func `what others may change is refused, with what to type`() throws {
            try folder.write(folder.text("peers.allow"), to: "open.allow", mode: 0o666)
            #expect(try shell("mkdir -m 0777 open; cp peers.allow open; mkdir -m 0777 data").status == 0)
            let good = "\(Self.node) --socket s.sock --allow peers.allow"
            var cases = [
                ("\(Self.node) --ephemeral --allow open.allow", "chmod o-w open.allow"),
                ("\(Self.node) --ephemeral --allow open/peers.allow", "chmod o-w open"),
                ("\(good) --data data", "chmod o-w data"),
                ("\(good) --ephemeral --socket open/s.sock", "chmod o-w open"),
            ]
            if getuid() == 0 {
                let theirs = "cp peers.allow theirs;cp -p alpha.key key;mkdir own;chown 12345 theirs key own"
                #expect(try shell(theirs).status == 0)
                cases += [
                    (good.replacingOccurrences(of: "alpha.key", with: "key"), "chown 0 key"),
                    ("\(Self.node) --ephemeral --allow theirs", "chown 0 theirs"),
                    ("\(good) --data own", "chown 0 own"),
                    ("\(good) --ephemeral --socket own/s.sock", "chown 0 own"),
                ]
            }
            for (command, remedy) in cases {
                let ending = try shell("exec timeout 60 \(command)")
                #expect(ending.status == 5, "\(command): \(ending.errors)")
                #expect(ending.complaint.hasSuffix("Fix: \(remedy)"), "\(command): \(ending.errors)")
            }
        }

        @Test(.enabled(if: getuid() == 0, "only root can be somebody else"))
        func `nothing is said to a stranger who listens`() throws {
            let python = """
                import os, socket, sys
                os.setgroups([]); os.setgid(12345); os.setuid(12345)
                s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666)
                s.listen(); c = s.accept()[0]; print("said", c.recv(1000), flush=True)
                """
            let folders = "mkdir -m 1777 shared; mkdir theirs; chown 12345 theirs; chmod 711 ."
            #expect(try shell(folders).status == 0)
            func listen(_ name: String) throws -> Execution {
                let path = folder.file(name)
                let stranger = try Execution("/usr/bin/python3", ["-c", python, path], in: folder)
                try eventually("somebody listens: \(stranger.log)") {
                    FileManager.default.fileExists(atPath: path)
                }
                usleep(300_000)
                return stranger
            }
            let stranger = try listen("shared/s")
            let refused = try Program.run("-s", "shared/s", "put", "k", "secret", in: folder)
            #expect(refused.status == 5 && refused.complaint.contains("user 12345 listens there"))
            #expect(try stranger.finish().text == "said b''\n")
            // In a directory of his own he is who was meant.
            let owner = try listen("theirs/s")
            _ = try Program.run("-s", "theirs/s", "--timeout", "1s", "put", "k", "secret", in: folder)
            #expect(try owner.finish().text.contains("PUT /v1/values"))
        }

        // MARK: Files that go away

        @Test func `a node whose directory is gone acknowledges nothing and says so`() throws {
            let alpha = try members.start("alpha", more: ["--data", "node"])
            #expect(try alpha.dht("put", "k", "v").status == 0)
            #expect(try alpha.status()["store_problem"] == nil)
            try FileManager.default.removeItem(atPath: folder.file("node"))
            let put = try alpha.dht("put", "other", "v")
            #expect(put.status == 7, "\(put.text)\(put.errors)")
            #expect(!put.text.contains("Stored"))
            let problem = try alpha.status()["store_problem"] as? String ?? ""
            #expect(problem.contains("node/records.sqlite was removed or replaced while the node runs"))
            let status = try alpha.dht("status").text
            #expect(status.contains("\nStore: nothing is kept: node/records.sqlite was"))
            #expect(alpha.log.contains("nothing is kept"))
            #expect(try alpha.terminate() == 0)
        }

        // MARK: Two processes

        @Test func `both are told when two want one directory`() throws {
            let alpha = try members.start("alpha", more: ["--data", "node"])
            let second = try shell("\(Self.node) --allow peers.allow --data node --socket second.sock")
            #expect(second.status == 9 && second.complaint.contains("in use by another process"))
            try eventually("the first is told: \(alpha.log)") {
                alpha.log.contains("another process wanted this node's directory")
            }
            let third = try shell("\(Self.node) --allow peers.allow --ephemeral --socket alpha.sock")
            #expect(third.status == 9 && third.complaint.contains("already running on"))
            try eventually("the first is told: \(alpha.log)") {
                alpha.log.contains("another process wanted this node's control socket")
            }
        }

        // MARK: Texts

        @Test func `a passphrase file may begin with a byte order mark`() throws {
            try folder.write("\u{FEFF}secret\n", to: "marked", mode: 0o600)
            try folder.write("secret\n", to: "plain", mode: 0o600)
            let made = try Program.run("keygen", "-o", "p.key", "--passphrase-file", "plain", in: folder)
            let read = try Program.run("id", "p.key", "--passphrase-file", "marked", in: folder)
            #expect(made.status == 0 && read.line == made.line)
        }

        @Test func `a node that cannot lock memory, or is not on its own list, says so`() throws {
            try members.makeKey("other")
            try members.writeList(["other"], to: "other.allow")
            let script = "ulimit -l 0; exec \(Self.node) --allow other.allow --ephemeral --socket s.sock"
            let unable = "exec setpriv --bounding-set=-ipc_lock sh -c '\(script)' \"$0\""
            let arguments = ["-c", getuid() == 0 ? unable : script, Program.path]
            let node = try Execution("/bin/sh", arguments, in: folder)
            try eventually("it serves: \(node.log)") { node.text.contains("READY ") || !node.isRunning }
            #expect(node.log.contains("secrets are not locked in memory"))
            #expect(node.log.contains("not on its own list"))
            #expect(node.log.contains("\nnetwork ") && node.isRunning)
        }

        @Test func `check, status and READY show one fingerprint of the network key`() throws {
            let alpha = try members.start("alpha")
            let flags = ["check", "--key", "alpha.key", "--network", "net.network", "--allow", "peers.allow"]
            let check = try Program.run(flags + ["--json"], in: folder)
            let network = try #require(check["network"] as? String)
            #expect(network.count == 8)
            #expect(try alpha.status()["network"] as? String == network)
            #expect(try alpha.status()["version"] as? String != nil)
            #expect(alpha.log.contains("network \(network)\n"))
            try Program.run("keygen", "--network", "-o", "other.network", in: folder)
            let other = try Program.run(flags + ["--network", "other.network", "--json"], in: folder)
            #expect(other["network"] as? String != network)
        }

        @Test func `a reload tells who came and who went`() throws {
            let alpha = try members.start("alpha")
            try members.makeKey("beta")
            try members.writeList(["alpha", "beta"])
            let first = try alpha.dht("reload").text.split(separator: "\n")
            #expect(first.prefix(2) == ["Reloaded: 2 members", "Added: beta"])
            #expect(first.last?.hasPrefix("List: ") == true)
            try members.writeList([])
            let refused = try alpha.dht("reload")
            #expect(refused.status == 9 && refused.complaint.contains("dht reload --force"))
            let forced = try alpha.dht("reload", "--force")
            #expect(forced.status == 0 && forced.text.contains("Removed: alpha, beta"))
            #expect(forced.errors.contains("not on the list"))
        }
    }
}
