import Foundation
import Testing

extension IntegrationTests {
    /// Machines that join by a line, each with a directory of its own for all it has.
    @Suite(.serialized) struct InvitationTests {
        private static let joined = ["dht.toml", "net.key", "node.key", "peers.allow"]

        /// A machine on which `dht init` was run, and its node.
        private func founded(_ listen: String = "127.0.0.1:0") throws -> NodeProcess {
            let machine = try Folder()
            let arguments = ["init", "--dir", "conf", "--name", "alpha", "--listen", listen]
            let made = try Program.run(arguments, in: machine)
            try #require(made.status == 0, "\(made.errors)")
            return try node("alpha", made.line, on: machine)
        }

        private func node(_ name: String, _ identity: String, on machine: Folder) throws -> NodeProcess {
            try NodeProcess(
                name,
                identity: identity,
                in: machine,
                arguments: [],
                configuration: "conf/dht.toml"
            )
        }

        private func invite(_ name: String, by node: NodeProcess, _ more: String...) throws -> String {
            let invited = try node.dht(["invite", name] + more)
            try #require(invited.status == 0, "\(invited.errors)")
            #expect(invited.line.firstMatch(of: /^dht-join1[0-9a-z]{90,155}$/) != nil, "\(invited.text)")
            return invited.line
        }

        private func join(_ line: String, on machine: Folder, _ more: String...) throws -> Program.Exit {
            let arguments = ["join", line, "--dir", "conf", "--listen", "127.0.0.1:0", "--timeout", "2"]
            return try Program.run(arguments + more, in: machine)
        }

        /// One clear line and an exit code, nothing on standard output, and nothing made.
        private func expect(
            _ ending: Program.Exit,
            _ status: Int32,
            _ says: String,
            on machine: Folder,
            _ place: SourceLocation = #_sourceLocation
        ) throws {
            #expect(ending.status == status, "\(ending.errors)", sourceLocation: place)
            #expect(ending.output.isEmpty, sourceLocation: place)
            #expect(ending.complaint.contains(says), "\(ending.errors)", sourceLocation: place)
            #expect(!ending.complaint.contains("\n"), sourceLocation: place)
            #expect(!ending.errors.contains(/dht-join1[0-9a-z]/), "a secret is shown", sourceLocation: place)
            #expect(try machine.names().isEmpty, sourceLocation: place)
        }

        @Test func `from nothing to a value on the third machine by five commands`() throws {
            let begun = ContinuousClock.now
            let first = try founded()
            let lines = try first.dht("invite", "beta", "gamma")
            #expect(lines.status == 0 && lines.errors.contains("dht join LINE"), "\(lines.errors)")
            var joined: [(machine: Folder, run: Execution)] = []
            for line in lines.text.split(separator: "\n").map(String.init) {
                let machine = try Folder()
                let arguments = ["join", line, "--listen", "127.0.0.1:0", "--start", "--socket", "here.sock"]
                joined.append((machine, try Execution(Program.path, arguments, in: machine)))
            }
            try #require(joined.count == 2)
            for (machine, run) in joined {
                try eventually("it serves: \(run.log)") { run.text.contains("\nREADY dht://") }
                #expect(Set(try machine.names()).isSuperset(of: Self.joined))
                for file in ["node.key", "net.key"] { #expect(machine.mode(file) == 0o600) }
            }
            #expect(try first.dht("put", "greeting", "good morning").status == 0)
            let third = joined[1].machine
            let got = try Program.run("get", "greeting", "--socket", "here.sock", in: third)
            #expect(got.text == "good morning", "\(got.errors)")
            #expect(ContinuousClock.now - begun < .seconds(60))

            let members = try Program.run("members", "--socket", "here.sock", in: third)
            for name in ["alpha", "beta", "gamma"] {
                #expect(members.text.contains(name), "\(members.text)")
            }
            #expect(first.log.contains("an invited machine is let in"))
            // By the roster, and not by a file: whoever joined goes as everybody else.
            #expect(
                try first.dht("revoke", "beta").line.hasPrefix("revoked beta: serial 4 at 2 of 2 members")
            )
            let remaining = try Program.run("members", "--json", "--socket", "here.sock", in: third)
            #expect((remaining["members"] as? [[String: Any]])?.count == 2)
            for (_, run) in joined {
                run.signal(SIGTERM)
                #expect(try run.finish().status == 0)
            }
            #expect(try first.terminate() == 0)
        }

        @Test func `a machine joins by IPv6, and reads the line from standard input`() throws {
            let first = try founded("[::1]:0")
            let line = try invite("beta", by: first)
            let machine = try Folder()
            let arguments = ["join", "--dir", "conf", "--listen", "[::1]:0", "--name", "beta"]
            let wrong = try Program.run(arguments, in: machine)
            #expect(wrong.status == 2, "the name is the inviter's to say")
            let input = Data("\n \(line) \n".utf8)
            let joined = try Program.run(Array(arguments.dropLast(2)), in: machine, input: input)
            #expect(joined.status == 0, "\(joined.errors)")
            #expect(joined.errors.contains("joined as beta") && joined.errors.hasSuffix("conf/dht.toml\n"))
            let second = try node("beta", joined.line, on: machine)
            #expect(try first.dht("put", "key", "value").status == 0)
            #expect(try second.dht("get", "key").text == "value")
        }

        @Test func `a line that is none is refused before anybody is asked`() throws {
            let first = try founded()
            let (line, machine) = (try invite("beta", by: first), try Folder())
            try expect(
                try join(first.identity, on: machine),
                2,
                "an identity, not an invitation",
                on: machine
            )
            try expect(try join("hello", on: machine), 2, "does not begin with dht-join1", on: machine)
            let cut = String(line.dropLast(7))
            try expect(try join(cut, on: machine), 2, "copy the whole line", on: machine)
            let changed = line.dropLast() + (line.hasSuffix("q") ? "p" : "q")
            try expect(try join(String(changed), on: machine), 2, "checksum", on: machine)
            let twice = try join(line, on: machine, line)
            #expect(twice.status == 2 && twice.output.isEmpty && !twice.complaint.contains("\n"))
            #expect(try join("\(line) \(line)", on: machine).status == 2)
            #expect(try machine.names().isEmpty)
            // It is as good as new.
            #expect(try join(line, on: machine).status == 0)
        }

        @Test func `a line lets one in, once, and nobody else is told anything`() throws {
            let first = try founded()
            let tap = try DatagramTap(before: first.port)
            let line = try invite("beta", by: first, "--addr", "127.0.0.1:\(tap.port)")
            let (machine, other) = (try Folder(), try Folder())
            #expect(try join(line, on: machine).status == 0)
            let again = try join(line, on: machine)
            #expect(again.status == 4 && again.complaint.contains("is there already; nothing was made"))
            let answers = { tap.all.count { !$0.isInbound } }
            #expect(answers() == 1)
            try expect(try join(line, on: other), 6, "was used, is over", on: other)
            #expect(first.log.contains("an invitation is shown that is used up"))

            let brief = try invite("gamma", by: first, "--addr", "127.0.0.1:\(tap.port)", "--expires", "1s")
            Thread.sleep(forTimeInterval: 1.1)
            let asked = tap.all.count { $0.isInbound }
            try expect(try join(brief, on: other), 6, "was used, is over", on: other)
            #expect(tap.all.count { $0.isInbound } > asked)
            // What came to join, once more, from elsewhere: it is known, and not for whoever repeats it.
            let replayed = tap.all.filter(\.isInbound).map(\.datagram)
            let stranger = try RawSocket()
            for datagram in replayed { stranger.send(datagram, to: first.port) }
            stranger.send([UInt8](repeating: 7, count: 512), to: first.port)
            #expect(stranger.receive(milliseconds: 500) == nil)
            #expect(answers() == 1)
            #expect(try first.dht("members", "--json")["serial"] as? Int == 2)
            tap.close()
        }

        @Test func `whose inviter is away, and who cannot invite, is told so in a line`() throws {
            let first = try founded()
            let line = try invite("beta", by: first)
            let machine = try Folder()
            for (arguments, status, says) in [
                (["alpha"], Int32(4), "the name alpha is taken"),
                (["beta"], 4, "an invitation for beta is open already"),
                (["two words"], 2, "1 to 32"),
                (["gamma", "--expires", "2d"], 2, "--expires"),
                (["gamma", "--addr", "alpha.example:1"], 2, "--addr"),
            ] {
                let refused = try first.dht(["invite"] + arguments)
                #expect(refused.status == status && refused.output.isEmpty, "\(refused.errors)")
                #expect(refused.complaint.contains(says), "\(refused.errors)")
            }
            let joined = try join(line, on: machine)
            let second = try node("beta", joined.line, on: machine)
            let denied = try second.dht("invite", "gamma")
            #expect(denied.status == 5 && denied.complaint.contains("no administrator's key"))

            let (late, other) = (try invite("gamma", by: first), try Folder())
            #expect(try first.terminate() == 0)
            try expect(try join(late, on: other), 6, "nobody answers there", on: other)
        }

        @Test func `an invitation outlives its node, and is used up for good`() throws {
            let machine = try Folder()
            let port = try RawSocket().port
            let listen = "127.0.0.1:\(port)"
            let made = try Program.run(
                ["init", "--dir", "conf", "--name", "alpha", "--listen", listen],
                in: machine
            )
            let before = try node("alpha", made.line, on: machine)
            let (used, open) = (try invite("beta", by: before), try invite("gamma", by: before))
            #expect(try join(used, on: Folder()).status == 0)
            before.kill()
            let after = try node("alpha", made.line, on: machine)
            let other = try Folder()
            try expect(try join(used, on: other), 6, "was used", on: other)
            #expect(try join(open, on: other).status == 0)
            #expect(try after.dht("members", "--json")["serial"] as? Int == 3)
        }

        @Test func `a picture is drawn by qrencode, or nothing is changed`() throws {
            let first = try founded()
            let machine = first.folder
            let arguments = ["invite", "beta", "--qr", "--socket", first.socket]
            let none = try Program.run(arguments, in: machine, variables: ["PATH": machine.file("bin")])
            #expect(none.status == 9 && none.output.isEmpty)
            #expect(none.complaint.contains("apt install qrencode"), "\(none.errors)")
            try FileManager.default.createDirectory(
                atPath: machine.file("bin"),
                withIntermediateDirectories: false
            )
            let script = "#!/bin/sh\nprintf '%s|' \"$@\" >'\(machine.file("drawn"))'\necho picture >&2\n"
            try machine.write(script, to: "bin/qrencode", mode: 0o755)
            let drawn = try Program.run(arguments, in: machine, variables: ["PATH": machine.file("bin")])
            #expect(drawn.status == 0 && drawn.errors.hasPrefix("picture\n"), "\(drawn.errors)")
            #expect(machine.text("drawn").hasSuffix("|\(drawn.line.uppercased())|"))
            let joined = try join(drawn.line.uppercased(), on: Folder())
            #expect(joined.status == 0, "\(joined.errors)")
        }

        @Test func `a service has the administrator's key among its credentials`() throws {
            let machine = try Folder()
            let arguments = ["init", "--dir", "conf", "--name", "alpha", "--listen", "127.0.0.1:0"]
            let made = try Program.run(arguments, in: machine)
            try machine.write(machine.text("conf/admin.key"), to: "admin.key", mode: 0o440)
            // As it is, it would be refused.
            try machine.setMode(0o644, of: "conf/admin.key")
            let refused = try Program.run("node", "--config", "conf/dht.toml", in: machine)
            #expect(refused.status == 5 && refused.complaint.contains("conf/admin.key"), "\(refused.errors)")
            let first = try NodeProcess(
                "alpha",
                identity: made.line,
                in: machine,
                arguments: [],
                configuration: "conf/dht.toml",
                variables: ["CREDENTIALS_DIRECTORY": machine.path]
            )
            #expect(try join(try invite("beta", by: first), on: Folder()).status == 0)
        }

        @Test func `the second implementation joins by a line`() throws {
            let first = try founded()
            #expect(try first.dht("put", "key", "value").status == 0)
            let python = try PythonNode(
                "node.py",
                seed: String(repeating: "5a", count: 32),
                joining: try invite("python", by: first),
                in: first.folder
            )
            try eventually("it holds the roster") { try python.ask("roster")["serial"] as? Int == 2 }
            let found = try python.ask("get", hex("key"))
            #expect("\(found)".contains(hex("value")), "\(found)")
            #expect(try first.dht("members").text.contains("python"))
        }
    }
}
