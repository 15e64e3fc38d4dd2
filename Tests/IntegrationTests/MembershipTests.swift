import Foundation
import Testing

extension IntegrationTests {
    /// A roster over real processes: one command on one machine, and all of them follow.
    @Suite(.serialized) struct MembershipTests {
        private static let names = (1...8).map { "member-\($0)" }

        /// Running members, the first of which has the administrator's key; all began with the same roster.
        private func team(_ names: [String] = names, more: [String] = []) throws -> Members {
            let members = try Members(names + more + ["root"])
            let list =
                "@admin \(members.identities["root"] ?? "?")  root\n"
                + names.map { members.line($0) }.joined()
            try members.folder.write(list, to: "members")
            let signed = try sign("members", in: members, to: "members.roster")
            try #require(signed.status == 0, "\(signed.errors)")
            for name in names {
                let admin = members.nodes.isEmpty ? ["--admin", "root.key"] : []
                try members.start(name, allow: "members.roster", more: admin + directory(name))
            }
            try members.settled()
            return members
        }

        private func directory(_ name: String) -> [String] { ["--data", "\(name).data"] }

        private func sign(_ file: String, in members: Members, to output: String, _ more: String...) throws
            -> Program.Exit
        {
            let arguments = ["roster", "sign", file, "--admin", "root.key", "--network", "net.network"]
            return try Program.run(arguments + ["-o", output] + more, in: members.folder)
        }

        private func serial(_ node: NodeProcess) throws -> Int {
            try node.dht("members", "--json")["serial"] as? Int ?? -1
        }

        @Test func `one is admitted and one revoked while others read, and nobody answers who is out`() throws
        {
            let members = try team(more: ["newcomer"])
            let (first, victim) = (members.nodes[0], members.nodes[7])
            #expect(try first.dht("put", "ours", "value").status == 0)
            #expect(try victim.dht("put", "theirs", "value").status == 0)

            let id = members.identities["newcomer"] ?? "?"
            let admitted = try first.dht("admit", id, "newcomer")
            #expect(admitted.status == 0, "\(admitted.errors)")
            #expect(
                admitted.line.firstMatch(of: /^admitted newcomer: serial 2 at 8 of 9 members in \d\.\d s$/)
                    != nil
            )
            #expect(admitted.errors.contains("1 do not answer now"))
            // It was told of a roster that does not have it, by somebody who knows the present one.
            let newcomer = try members.start(
                "newcomer",
                peers: [members.nodes[3].uri],
                allow: "members.roster",
                more: directory("newcomer")
            )
            try eventually("the newcomer is one of them") { try newcomer.dht("get", "ours").line == "value" }
            #expect(try serial(newcomer) == 2)

            let load = Load(on: Array(members.nodes[1...6]))
            let revoked = try first.dht("revoke", "member-8")
            let since = Date()
            #expect(revoked.status == 0, "\(revoked.errors)")
            #expect(
                revoked.line.firstMatch(of: /^revoked member-8: serial 3 at 8 of 8 members in \d\.\d s$/)
                    != nil
            )
            // It has the old one, and nobody who would answer.
            try eventually("the revoked is alone") { try victim.dht("ping", "member-1").status == 6 }
            #expect(Date().timeIntervalSince(since) < 15)
            #expect(try serial(victim) == 2)
            for node in members.nodes where node !== victim {
                #expect(try node.dht("get", "theirs").status == 3)
                #expect(try !node.contacts().contains(victim.identity))
            }
            let (reads, failures) = load.end()
            #expect(reads > 10 && failures.isEmpty, "\(reads): \(failures)")

            // A process begins with the roster it had.
            #expect(try members.nodes[2].terminate() == 0)
            let again = try members.start(
                "member-3",
                peers: [],
                allow: "members.roster",
                more: directory("member-3")
            )
            #expect(try serial(again) == 3)
        }

        @Test func `what is not done is told by its exit code, and nothing is changed`() throws {
            let members = try team(Array(Self.names.prefix(3)), more: ["other", "mallory"])
            let (first, second) = (members.nodes[0], members.nodes[1])
            func complaint(_ exit: Program.Exit, _ status: Int32) -> String {
                #expect(exit.status == status, "\(exit.errors)")
                #expect(exit.complaint.split(separator: "\n").count == 1)
                return exit.complaint
            }
            let id = members.identities["other"] ?? "?"
            #expect(
                complaint(try first.dht("admit", members.nodes[1].identity, "x"), 4).contains(
                    "is a member already"
                )
            )
            #expect(complaint(try first.dht("admit", id, "member-2"), 4).contains("is taken by"))
            #expect(complaint(try second.dht("admit", id, "other"), 5).contains("no administrator's key"))
            #expect(complaint(try second.dht("revoke", "member-3"), 5).contains("no administrator's key"))
            #expect(
                complaint(try first.dht("revoke", "nobody"), 2).contains("neither an identity nor the name")
            )
            #expect(complaint(try first.dht("revoke", "member-1"), 2).contains("this node itself"))
            #expect(complaint(try first.dht("revoke", "root"), 2).contains("the only administrator"))
            #expect(
                complaint(try first.dht("admit", id, "other", "10.0.0.1:1"), 2).contains("addr=HOST:PORT")
            )
            #expect(try first.dht("roster", "show").status == 0)

            // Files: signed by nobody, older, of another text, by another.
            #expect(
                complaint(try first.dht("roster", "push", "members"), 9).contains("this is no signed roster")
            )
            #expect(
                try first.dht("roster", "push", "members.roster").line.hasPrefix(
                    "pushed members.roster: serial 1 at 3"
                )
            )
            let exported = try first.dht("roster", "export", "-o", "next")
            #expect(exported.status == 0)
            #expect(try sign("next", in: members, to: "next.roster", "--serial", "0").status == 9)
            #expect(try sign("next", in: members, to: "next.roster").errors.contains("serial 2, 3 members"))
            let pushed = try second.dht("roster", "push", "next.roster")
            #expect(pushed.status == 0 && pushed.line.contains("serial 2 at 3 of 3"), "\(pushed.errors)")
            #expect(
                complaint(try first.dht("roster", "push", "members.roster"), 4).contains("serial 1 is over")
            )
            let last = try sign("next", in: members, to: "last.roster", "--serial", "\(UInt64.max)")
            #expect(last.status == 0)
            #expect(try sign("last.roster", in: members, to: "after.roster").status == 9)

            // One that answers and follows nobody: its list has the members, and no administrator.
            try members.writeList(["member-1", "member-2", "member-3", "other"])
            let stubborn = try members.start("other", peers: [first.uri])
            #expect(stubborn.isRunning)
            let admitted = try first.dht("admit", id, "other")
            #expect(admitted.status == 0 || admitted.status == 7, "\(admitted.errors)")
            try eventually("the others know it") { try first.contacts().contains(stubborn.identity) }
            let partial = try first.dht("revoke", members.identities["mallory"] ?? "?")
            #expect(partial.status == 7, "\(partial.errors)")
            #expect(partial.line.hasSuffix("; not yet at other"))
        }

        @Test func `the second implementation follows rosters of this one`() throws {
            let members = try team(Array(Self.names.prefix(3)), more: ["python"])
            let first = members.nodes[0]
            let id = members.identities["python"] ?? "?"
            #expect(try first.dht("admit", id, "python").status == 0)
            let root = members.identities["root"] ?? "?"
            let python = try members.python("python", peers: [first], more: ["--admin", root])
            try eventually("it holds the roster") { try python.ask("roster")["serial"] as? Int == 2 }
            let before = try python.ask("roster")["members"] as? [String]
            #expect(try first.dht("revoke", "member-3").status == 0)
            try eventually("it follows") { try python.ask("roster")["serial"] as? Int == 3 }
            let after = try python.ask("roster")["members"] as? [String]
            #expect(before.map(\.count) == after.map { $0.count + 1 })
            #expect(try first.dht("members").text.firstMatch(of: #/python +good +3 /#) != nil)
        }

        @Test func `reload takes over a roster's file that is newer, and counts who is a member`() throws {
            let members = try team(Array(Self.names.prefix(3)), more: ["fourth"])
            let node = members.nodes[1]
            let unchanged = try node.dht("reload")
            #expect(unchanged.text.hasPrefix("Reloaded: 3 members\n"), "\(unchanged.errors)")
            let text = try String(contentsOfFile: members.folder.file("members"), encoding: .utf8)
            try members.folder.write(text + members.line("fourth"), to: "members")
            #expect(try sign("members", in: members, to: "members.roster", "--serial", "4").status == 0)
            let reloaded = try node.dht("reload")
            #expect(reloaded.text.hasPrefix("Reloaded: 4 members\nAdded: fourth\n"), "\(reloaded.errors)")
            try eventually("all follow") { try members.nodes.allSatisfy { try serial($0) == 4 } }
            #expect(!members.nodes[0].log.contains("not on its own list"))
        }
    }

    /// Reads of a value, one after the other, at several nodes at once.
    private final class Load: @unchecked Sendable {
        private let lock = NSLock()
        private var isOver = false
        private var reads = 0
        private var failures: [String] = []
        private let group = DispatchGroup()

        init(on nodes: [NodeProcess]) {
            for node in nodes.prefix(3) {
                let (folder, socket) = (node.folder, node.socket)
                DispatchQueue.global().async(group: group) { [self] in
                    while !lock.withLock({ isOver }) {
                        let exit = try? Program.run("get", "ours", "--socket", socket, in: folder)
                        lock.withLock {
                            reads += 1
                            if exit?.line != "value" { failures.append(exit?.errors ?? "it does not run") }
                        }
                    }
                }
            }
        }

        /// The reads so far, and what went wrong with them.
        func end() -> (Int, [String]) {
            lock.withLock { isOver = true }
            group.wait()
            return (reads, failures)
        }
    }
}
