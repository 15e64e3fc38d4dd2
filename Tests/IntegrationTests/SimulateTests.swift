import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct SimulateTests {
        /// A world that takes no time.
        private static let small = [
            "--nodes", "5", "--hours", "0.05", "--reads", "20", "--sealing", "stand-in",
        ]

        private func simulate(_ more: String..., in folder: Folder) throws -> Program.Exit {
            try Program.run(["simulate"] + Self.small + more, in: folder)
        }

        @Test func `a simulation tells what became of the world, as text and as JSON`() throws {
            let folder = try Folder()
            let ending = try simulate("--seed", "7", in: folder)
            #expect(ending.status == 0 && ending.errors.isEmpty, "\(ending.errors)")
            let lines = ending.text.split(separator: "\n").map { String($0) }
            #expect(lines.first == "calm: nothing goes wrong")
            let starts = lines.dropFirst(2).map { $0.prefix { $0 != " " } }
            #expect(starts == ["reads", "values", "network", "rest", "digest", "Replay:"])

            let reply = try simulate("--seed", "7", "--json", in: folder)
            #expect(reply.status == 0 && reply.errors.isEmpty, "\(reply.errors)")
            #expect(reply["schema"] as? Int == 1)
            #expect(reply["seed"] as? Int == 7 && reply["nodes"] as? Int == 5)
            #expect(reply["scenario"] as? String == "calm" && reply["sealing"] as? String == "stand-in")
            #expect(reply["hours"] as? Double == 0.05)
            let digest = try #require(reply["trace_digest"] as? String)
            #expect(digest.count == 16 && digest.allSatisfy { "0123456789abcdef".contains($0) })
            #expect(ending.text.contains(digest))
            #expect((reply["virtual_hours"] as? Double ?? 0) > 0.05 && (reply["events"] as? Int ?? 0) > 0)

            let lookups = try #require(reply["lookups"] as? [String: Double])
            #expect(lookups.keys.sorted() == ["count", "hops_p50", "hops_p99", "rpcs_mean", "succeeded"])
            #expect(lookups["count"] == lookups["succeeded"] && (lookups["count"] ?? 0) > 0)
            let records = try #require(reply["records"] as? [String: Int])
            #expect(records.keys.sorted() == ["lost", "put", "wrong"])
            #expect(records["lost"] == 0 && records["wrong"] == 0 && (records["put"] ?? 0) > 0)
            let traffic = try #require(reply["traffic"] as? [String: Int])
            #expect(traffic.keys.sorted() == ["bytes", "bytes_per_node_and_day", "datagrams"])
            #expect(reply["convergence_ms"] is Int)
            #expect((reply["violations"] as? [Any])?.isEmpty == true)
            let slices = try #require(reply["slices"] as? [[String: Double]])
            #expect(slices.count <= 60)
            #expect(slices.first?.keys.sorted() == ["hops_mean", "hour", "reads", "succeeded"])
            let machine = try #require(reply["machine"] as? [String: Double])
            #expect(machine.keys.sorted() == ["events_per_second", "memory_bytes", "seconds"])
            #expect(lines.last == "Replay: \(try #require(reply["replay"] as? String))")
        }

        @Test func `the same seed gives the same run in two processes, and another seed another`() throws {
            let folder = try Folder()
            func run(_ seed: String, _ more: String...) throws -> String {
                let words = ["simulate", "--nodes", "5", "--hours", "0.05", "--reads", "20", "--seed", seed]
                let ending = try Program.run(words + more, in: folder)
                #expect(ending.status == 0, "\(ending.errors)")
                return ending.text
            }
            let first = try run("7", "--scenario", "lossy", "--churn", "30%")
            #expect(try run("7", "--scenario", "lossy", "--churn", "0.3") == first)
            #expect(first.contains("\ndigest "))
            let other = try run("8", "--scenario", "lossy", "--churn", "30%")
            #expect(digest(other) != digest(first))
            // As it says itself.
            let replay = try #require(first.split(separator: "\n").last?.split(separator: " ").dropFirst(2))
            #expect(try Program.run(replay.map { String($0) }, in: folder).text == first)
            // Without a seed it takes one nobody had.
            #expect(try simulate(in: folder).text != simulate(in: folder).text)
        }

        private func digest(_ text: String) -> Substring? {
            text.split(separator: "\n").first { $0.hasPrefix("digest ") }
        }

        @Test func `every scenario is in the help and the documents, and runs`() throws {
            let folder = try Folder()
            let help = try Program.run("help", "simulate", in: folder).text
            let documents = try String(
                contentsOf: Program.root.appending(path: "docs/cli.md"),
                encoding: .utf8
            )
            let list = try #require(
                help.components(separatedBy: "Scenarios:\n").last?.components(separatedBy: "\n\n").first
            )
            let names = list.split(separator: "\n").filter { !$0.hasPrefix("   ") }
                .compactMap { $0.split(separator: " ").first.map { String($0) } }
            #expect(names.count >= 14 && names.contains("vanish") && names.contains("swarm"))
            for name in names {
                #expect(documents.contains("\n| `\(name)` |"), "docs/cli.md has no scenario \(name)")
                var words = ["simulate", "--scenario", name, "--seed", "10", "-q"]
                words += name == "swarm" ? ["--hours", "60s", "--sealing", "stand-in"] : Self.small
                let ending = try Program.run(words, in: folder)
                #expect(
                    ending.status == 0 && ending.errors.isEmpty,
                    "\(name): \(ending.text)\(ending.errors)"
                )
                #expect(ending.text.hasPrefix("\(name): "))
            }
        }

        @Test func `what cannot be simulated is refused in one line before anything runs`() throws {
            let folder = try Folder()
            let cases: [(arguments: [String], says: String)] = [
                (["--scenario", "vansh"], "\"vansh\" is no scenario (did you mean \"vanish\"?)"),
                (["--scenario", "x"], "\"x\" is no scenario. All of them: dht help simulate"),
                (["--loss", "much"], "--loss: \"much\" is no share. Write 0.3 or 30%"),
                (["--loss", "1.5"], "--loss: 1.5 is neither 0 nor"),
                (["--churn", "101%"], "--churn: 101% is neither 0 nor"),
                (["--churn", "1e-9"], "--churn: 1e-9 is neither 0 nor"),
                (["--adversaries", "nan"], "is no share"),
                (["--vanish", "0.5"], "--scenario vanish"),
                (["--hours", "0"], "--hours: 0 is outside 1 second to 8760 hours"),
                (["--hours", "9000"], "outside 1 second to 8760 hours"),
                (["--hours", "nan"], "outside 1 second to 8760 hours"),
                (["--hours", "soon"], "\"soon\" is no time"),
                (["--nodes", "0"], "--nodes: 0 is outside 1 to 1,000,000"),
                (["--nodes", "many"], "'many' is invalid"),
                (["--paths", "9"], "--paths: 9 is outside 1 to 8"),
                (["--values", "0"], "--values"), (["--reads", "0"], "--reads"),
                (["--seeds", "0"], "--seeds"),
                (["--families", "7,7"], "--families"),
                (["--families", "7,7,0"], "--families"),
                (["--families", "1,1,1", "--scenario", "swarm"], "--families"),
                (["--seeds", "2", "--seed", "18446744073709551615"], "--seeds: no 2 seeds follow"),
                (["--sealing", "none"], "neither real nor stand-in"),
                (["--nodes", "1000", "--sealing", "real"], "fewer than 1000 nodes"),
                (["--scenario", "swarm", "--nodes", "5"], "--nodes does not go with --scenario swarm"),
                (["--scenario", "swarm", "--paths", "2"], "--paths does not go with --scenario swarm"),
                (["--plot", "a.gif"], "charts are SVG, and a.gif does not end in .svg"),
                (["--plot", "svg"], "charts are SVG, and svg does not end in .svg"),
                (["--plot", "png"], "charts are SVG, and png does not end in .svg"),
                (["--plot", "a.svg.gz"], "charts are SVG, and a.svg.gz does not end in .svg"),
                (["--plot", "none/a.png"], "charts are SVG, and none/a.png ends in .png"),
                (["--plot", "none/a.svg"], "none/a.svg cannot be written"),
                (["--trace", "none/a.txt"], "none/a.txt cannot be written"),
                (["--trace", "-"], "--trace: give a FILE"),
                (["--seeds", "2", "--plot", "a.svg"], "one world"),
                (["--seeds", "2", "--trace", "a.txt"], "one world"),
            ]
            for (arguments, says) in cases {
                let ending = try Program.run(["simulate"] + arguments, in: folder)
                #expect(ending.status == 2, "\(arguments): \(ending.errors)")
                #expect(ending.complaint.contains(says), "\(arguments): \(ending.errors)")
                #expect(ending.errors.split(separator: "\n").count == 1 && ending.output.isEmpty)
            }
            let failure = try Program.run("simulate", "--loss", "2", "--json", in: folder)
            #expect(failure.status == 2 && failure.errors.hasPrefix("{\"error\":"))
            #expect(try folder.names().isEmpty)
        }

        @Test func `a plot is an SVG, and a trace has a line for every event`() throws {
            let folder = try Folder()
            let drawn = try simulate("--plot", "a.svg", "--trace", "a.txt", "--seed", "7", in: folder)
            #expect(drawn.status == 0)
            #expect(drawn.errors == "wrote the trace to a.txt\nwrote the plot to a.svg\n")
            #expect(folder.text("a.svg").hasPrefix("<svg ") && folder.text("a.svg").hasSuffix("</svg>\n"))
            let lines = folder.text("a.txt").split(separator: "\n")
            #expect(lines.count > 500 && lines[0].hasPrefix("0.000000 n0 starts"))
            // Whoever listens changes nothing.
            #expect(try simulate("--seed", "7", in: folder).text == drawn.text)

            let quiet = try simulate("-q", "--plot", "b.SVG", "--seed", "7", in: folder)
            #expect(quiet.status == 0 && quiet.errors.isEmpty)
            #expect(folder.text("b.SVG") == folder.text("a.svg"))
            #expect(try folder.names() == ["a.svg", "a.txt", "b.SVG"])
        }

        @Test(arguments: [
            ("a.png", "rsvg-convert -o a.png a.svg"), ("b.PNG", "rsvg-convert -o b.PNG b.svg"),
            ("my plot.png", "rsvg-convert -o 'my plot.png' 'my plot.svg'"),
        ])
        func `a plot as PNG is refused before anything runs, with how to convert`(
            name: String,
            command: String
        ) throws {
            let folder = try Folder()
            // A world that would take longer than anybody waits, and begin its trace at once.
            let words = ["--nodes", "900", "--hours", "8760", "--trace", "a.txt", "--plot", name]
            let ending = try Program.run(["simulate"] + words, in: folder)
            #expect(ending.status == 2 && ending.output.isEmpty)
            #expect(ending.complaint.contains("charts are SVG") && ending.complaint.hasSuffix(command))
            #expect(ending.errors.split(separator: "\n").count == 1)
            #expect(try folder.names().isEmpty)
        }

        @Test func `several seeds give a world each, the same as one by one`() throws {
            let folder = try Folder()
            let ending = try simulate("--seed", "7", "--seeds", "2", in: folder)
            #expect(ending.status == 0)
            let lines = ending.text.split(separator: "\n")
            #expect(lines.count == 4)
            #expect(lines[0].hasPrefix("seed 7: 5 nodes, ") && lines[1].hasPrefix("seed 8: 5 nodes, "))
            #expect(lines[2].hasPrefix("2 worlds: ") && lines[3].hasSuffix("--seed 7 --seeds 2"))

            let stream = try simulate("--seed", "7", "--seeds", "2", "--json", in: folder).text
            let worlds = try stream.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(worlds.map { $0["seed"] as? Int } == [7, 8])
            let alone = try simulate("--seed", "8", "--json", in: folder)
            #expect(worlds[1]["trace_digest"] as? String == alone["trace_digest"] as? String)
            #expect(worlds[1]["replay"] as? String == alone["replay"] as? String)
        }

        @Test func `a simulation that is interrupted ends with 130 and says nothing`() throws {
            let folder = try Folder()
            let words = ["simulate", "--hours", "8760", "--trace", "a.txt", "--plot", "a.svg"]
            let long = try Execution(Program.path, words, in: folder)
            try eventually("it runs") { !folder.text("a.txt").isEmpty }
            long.signal(SIGINT)
            let ending = try long.finish()
            #expect(ending.status == 130 && ending.output.isEmpty && ending.errors.isEmpty)
            #expect(try folder.names() == ["a.txt"])
        }

        @Test func `the simulation the README shows runs and draws, in a smaller world`() throws {
            let readme = try String(contentsOf: Program.root.appending(path: "README.md"), encoding: .utf8)
            let commands = readme.split(separator: "\n").filter { $0.hasPrefix("dht simulate ") }
            #expect(commands.count == 1)
            for command in commands {
                let folder = try Folder()
                let words = command.prefix { $0 != "#" }.split(separator: " ").dropFirst()
                let ending = try Program.run(words.map { String($0) } + Self.small, in: folder)
                #expect(ending.status == 0, "\(ending.errors)")
                #expect(folder.text("vanish.svg").contains("30 % vanish"))
            }
        }
    }
}
