import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct ControlTests {
        @Test func `a node is found by flag, by variable and in its usual place`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha", choosesSocket: true)
            let beta = try members.start("beta")
            let folder = members.folder
            #expect(try Program.run("id", in: folder).line == alpha.identity)
            let variable = ["DHT_SOCKET": beta.socket]
            #expect(try Program.run("id", in: folder, variables: variable).line == beta.identity)
            let flag = try Program.run("-s", alpha.socket, "id", in: folder, variables: variable)
            #expect(flag.line == alpha.identity)
            #expect(folder.mode("dht") == 0o700)

            // A third finds the usual place taken, and does without.
            try members.makeKey("third")
            let third = try members.start("third", choosesSocket: true)
            #expect(third.log.contains("no control socket"))
            #expect(try Program.run("id", in: folder).line == alpha.identity)
            #expect(try third.terminate() == 0)
            #expect(try Program.run("id", in: folder).line == alpha.identity)
        }

        @Test func `the control socket is for its owner alone, and goes with its node`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            #expect(members.folder.mode("alpha.sock") == 0o600)
            #expect(try alpha.terminate() == 0)
            #expect(try !members.folder.names().contains("alpha.sock"))
        }

        @Test func `what a killed node leaves behind is in nobody's way`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            alpha.kill()
            #expect(try members.folder.names().contains("alpha.sock"))
            #expect(try alpha.dht("status").status == 6)
            let again = try members.start("alpha")
            #expect(try again.dht("id").line == alpha.identity)
        }

        @Test func `a node that hangs is waited for as long as one says, and ^C ends that`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            alpha.signal(SIGSTOP)
            let late = try alpha.dht("status", "--timeout", "1")
            #expect(late.status == 7)
            #expect(late.complaint == "the node did not answer within 1 s (--timeout)")

            let waiting = try Execution(Program.path, ["status", "-s", alpha.socket], in: members.folder)
            try eventually("it is ready to be interrupted") { heedsInterrupts(waiting.processID) }
            try eventually("it ends") {
                waiting.signal(SIGINT)
                return !waiting.isRunning
            }
            #expect(try waiting.finish().status == 130)
            alpha.signal(SIGCONT)
            #expect(try alpha.dht("id").line == alpha.identity)
        }

        /// Whether the process does of its own what SIGINT asks for.
        private func heedsInterrupts(_ process: Int32) -> Bool {
            let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
            let caught = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
            let signals = caught?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
            return signals & 1 << UInt64(SIGINT - 1) != 0
        }

        @Test func `a node that is told to stop while others connect ends in good order`() throws {
            let members = try Members(["alpha"])
            for _ in 0..<5 {
                let alpha = try members.start("alpha", peers: [])
                alpha.signal(SIGSTOP)
                let connections = try (0..<60).map { _ in try UnixSocket.connect(to: alpha.socket) }
                defer { connections.forEach { close($0) } }
                alpha.signal(SIGTERM)
                alpha.signal(SIGCONT)
                #expect(try alpha.end() == 0)
                #expect(!alpha.log.contains("Fatal error"))
            }
        }

        @Test func `every command has its answer in JSON, one object with a schema`() throws {
            let members = try Members(["alpha", "beta"])
            let alpha = try members.start("alpha")
            let beta = try members.start("beta")
            try members.settled()
            let asked: [(words: [String], fields: [String])] = [
                (["put", "k", "v"], ["revision", "expires", "copies", "replicas"]),
                (["get", "k"], ["key", "value", "revision", "author", "expires", "copies"]),
                (["get", "k", "--all"], ["values"]),
                (["status"], ["id", "node_id", "address", "peers", "records", "rejected"]),
                (["peers"], ["peers"]),
                (["ping", "beta"], ["id", "name", "rtt_ms"]),
                (["id"], ["id", "node_id", "name"]),
                (["del", "k"], ["revision", "copies"]),
                (["reload"], ["members"]),
            ]
            for (words, fields) in asked {
                let ending = try alpha.dht(words + ["--json"])
                #expect(ending.status == 0, "\(words): \(ending.errors)")
                #expect(ending.errors.isEmpty)
                #expect(ending.text.hasSuffix("}\n") && ending.line.split(separator: "\n").count == 1)
                #expect(ending["schema"] as? Int == 1)
                for field in fields { #expect(ending[field] != nil, "\(words) lacks \(field)") }
            }
            let refused = try alpha.dht("get", "k", "--json")
            let object = try JSONSerialization.jsonObject(with: Data(refused.errors.utf8)) as? [String: Any]
            let error = object?["error"] as? [String: Any]
            #expect(object?["schema"] as? Int == 1 && error?["code"] as? String == "notFound")
            #expect(error?["exit"] as? Int == 3 && error?["message"] is String)
            #expect(refused.output.isEmpty)

            #expect(try beta.dht("stop", "--json")["stopping"] as? Bool == true)
            #expect(try beta.end() == 0)
            let made = try Program.run("keygen", "-o", "c.key", "--json", in: members.folder)
            let id = try Program.run("id", "c.key", "--json", in: members.folder)
            #expect(made["id"] as? String == id["id"] as? String && made["id"] != nil)
        }

        @Test func `check reads what a node would, and starts nothing`() throws {
            let members = try Members(["alpha", "beta"])
            let good = ["check", "--key", "alpha.key", "--allow", "peers.allow", "--network", "net.network"]
            let ending = try Program.run(good + ["--json"], in: members.folder)
            #expect(ending.status == 0 && ending["id"] as? String == members.identities["alpha"])
            #expect(ending["members"] as? Int == 2)
            try members.folder.write("nonsense\n", to: "bad.allow")
            let bad = try Program.run(good + ["--allow", "bad.allow"], in: members.folder)
            #expect(bad.status == 9 && bad.complaint.hasPrefix("bad.allow:1:1:"))
        }
    }
}
