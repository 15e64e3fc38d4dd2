import Foundation
import Testing

extension IntegrationTests {
    /// What people are told when others cannot be reached: the rows of the table in docs/operations.md.
    @Suite(.serialized) struct TruthTests {
        private struct Health {
            let isOK: Bool
            let reasons: [String]
        }

        private func health(of node: NodeProcess) throws -> Health {
            let health = try node.status()["health"] as? [String: Any] ?? [:]
            return Health(
                isOK: health["ok"] as? Bool ?? false,
                reasons: health["reasons"] as? [String] ?? []
            )
        }

        /// A write and a read of a node that has others on its list and reaches none of them.
        private func expectIsolation(of node: NodeProcess, _ isolation: String) throws {
            let put = try node.dht("put", "alone", "value")
            #expect(put.status == 7)
            #expect(put.text.isEmpty)
            #expect(put.errors.contains("stored here only; \(isolation); it goes on trying"))
            let get = try node.dht("get", "nothing")
            #expect(get.status == 6)
            #expect(get.errors.contains(isolation))
            #expect(try node.dht("del", "nothing").status == 6)
            let own = try node.dht("get", "alone")
            #expect(own.status == 0)
            #expect(own.text == "value")
            #expect(own.errors.contains("nobody else answers"))
            let health = try health(of: node)
            #expect(!health.isOK)
            #expect(health.reasons == ["isolated: \(isolation)"])
            #expect(try node.dht("status").text.contains("Not well: isolated: \(isolation)"))
            try eventually("it is logged") { node.log.contains("nobody answers: \(isolation)") }
        }

        /// Beta and gamma, whose list lacks alpha; `wide.allow` has all three.
        private func oneSided() throws -> Members {
            let members = try Members(["beta", "gamma"])
            try members.makeKey("alpha")
            try members.writeList(["alpha", "beta", "gamma"], to: "wide.allow")
            return members
        }

        @Test func `a node whose list names nobody else is well alone`() throws {
            let members = try Members(["alpha"])
            let alpha = try members.start("alpha")
            #expect(try alpha.dht("put", "k", "v").status == 0)
            #expect(try alpha.dht("get", "nothing").status == 3)
            #expect(try health(of: alpha).isOK)
        }

        @Test func `a node that never reached anybody counts copies against its list`() throws {
            let members = try Members(["alpha", "beta", "gamma"])
            let alpha = try members.start("alpha")
            try expectIsolation(of: alpha, "none of 2 members answers")
            #expect(try alpha.dht("put", "k", "v", "--min-copies", "1").status == 0, "as was asked for")
        }

        @Test func `after the others are gone and a restart writes are measured against them still`() throws {
            let members = try Members(["alpha", "beta", "gamma", "delta"])
            let alpha = try members.start("alpha", more: ["--data", "alpha.data"])
            for name in ["beta", "gamma"] { try members.start(name) }
            try members.settled()
            #expect(try alpha.dht("put", "k", "v").text == "Stored key 'k' at 3 nodes\n")
            try eventually("its contacts are written down") {
                try FileManager.default.contentsOfDirectory(atPath: members.folder.file("alpha.data")).count
                    > 0
            }
            for node in members.nodes.dropFirst() { node.kill() }
            #expect(try alpha.dht("put", "k2", "v").status == 7)
            #expect(try alpha.peersUp() == 0)
            _ = try alpha.terminate()
            let again = try members.start("alpha", peers: [], more: ["--data", "alpha.data"])
            let put = try again.dht("put", "k3", "v")
            #expect(put.status == 7)
            #expect(put.errors.contains("stored here only; none of 3 members answers"))
            try eventually("the log says so") { again.log.contains("nobody answers") }

            let beta = try members.start("beta", peers: [again.uri])
            try members.settled([again, beta], 1)
            try eventually("and that it is over") { again.log.contains("others answer again") }
            #expect(try health(of: again).isOK)
            try eventually("it went on trying") { try beta.dht("get", "k3").text == "v" }
            #expect(try again.dht("put", "k4", "v").text == "Stored key 'k4' at 2 nodes\n")
        }

        @Test func `who is refused by all is told so, and they see who knocks`() throws {
            let members = try oneSided()
            let beta = try members.start("beta")
            let gamma = try members.start("gamma")
            try members.settled()
            let uris = [beta.uri, gamma.uri]
            let alpha = try members.start("alpha", peers: uris, allow: "wide.allow")
            try expectIsolation(of: alpha, "none of 2 members answers")
            #expect(!alpha.log.contains("the system refused to send"))
            #expect(alpha.log.contains("refused by beta? see the peers there"))
            let peers = try alpha.dht("peers").text
            #expect(peers.contains("unknown") && peers.contains(beta.address), "\(peers)")

            let knocking = try beta.status()["knocking"] as? [[String: Any]] ?? []
            #expect(knocking.map { $0["id"] as? String } == [alpha.identity])
            #expect(knocking.first?["address"] as? String == alpha.address)
            #expect(
                beta.log.contains("not on the list here asks in vain") && beta.log.contains(alpha.identity)
            )
            #expect(
                try beta.dht("status").text.contains("not on the list: \(alpha.identity) at \(alpha.address)")
            )

            try members.writeList(["alpha", "beta", "gamma"])
            for node in [beta, gamma] { #expect(try node.dht("reload").status == 0) }
            try members.settled([alpha, beta, gamma], 2)
            #expect((try beta.status()["knocking"] as? [Any])?.isEmpty == true)
            try eventually("it is whole") { alpha.log.contains("others answer again") }
            #expect(try alpha.dht("put", "k", "v").text == "Stored key 'k' at 3 nodes\n")
        }

        @Test func `who is refused by some works with the others`() throws {
            let members = try oneSided()
            let beta = try members.start("beta")
            let gamma = try members.start("gamma", allow: "wide.allow")
            try members.settled([beta, gamma], 1)
            let alpha = try members.start("alpha", peers: [beta.uri, gamma.uri], allow: "wide.allow")
            try members.settled([alpha], 1)
            #expect(try alpha.dht("put", "k", "v").text == "Stored key 'k' at 2 nodes\n")
            #expect(try alpha.dht("get", "nothing").status == 3)
            #expect(try health(of: alpha).isOK)
        }

        @Test func `another network key is told as a cause`() throws {
            let members = try Members(["alpha", "beta"])
            let beta = try members.start("beta")
            try Program.run("keygen", "--network", "-o", "other.network", in: members.folder)
            let alpha = try members.start("alpha", peers: [beta.uri], network: "other.network")
            try expectIsolation(of: alpha, "the only other member does not answer")
            try eventually("beta is alone as well, and knows why") {
                beta.log.contains("another network key made: compare `network` in the status of both")
            }
            let networks = try [alpha, beta].map { try $0.status()["network"] as? String ?? "" }
            #expect(networks[0] != networks[1])
        }

        @Test func `where nobody listens a node is isolated`() throws {
            let members = try Members(["alpha", "beta"])
            let beta = try members.start("beta")
            let uri = beta.uri
            beta.kill()
            let alpha = try members.start("alpha", peers: [uri])
            try expectIsolation(of: alpha, "the only other member does not answer")
        }

        @Test func `of two processes with one key both are told`() throws {
            let members = try Members(["alpha", "beta"])
            let beta = try members.start("beta")
            let first = try members.start("alpha", more: ["--data", "first.data"])
            try members.settled([beta, first], 1)
            try FileManager.default.copyItem(
                atPath: members.folder.file("alpha.key"),
                toPath: members.folder.file("copy.key")
            )
            let second = try NodeProcess(
                "copy",
                identity: first.identity,
                in: members.folder,
                arguments: [
                    "--allow", "peers.allow", "--network", "net.network", "--listen", "127.0.0.1:0", "--data",
                    "second.data", "--peer", beta.uri,
                ]
            )
            try members.settled([second], 1)
            for node in [first, second] {
                try eventually("\(node.name) is told", within: 60) {
                    _ = try node.dht("get", "nothing")
                    return try health(of: node).reasons.contains { $0.hasPrefix("two-processes: ") }
                }
                #expect(node.log.contains("another process runs with this node's key: stop one of them"))
            }
            let suspects = try beta.status()["suspects"] as? [[String: Any]] ?? []
            #expect(suspects.contains { $0["id"] as? String == first.identity })
        }

        // MARK: Conditional writes

        /// Two nodes write under one key at once, on one condition; what became of each is told rightly.
        private func race(_ nodes: [NodeProcess], _ round: Int, _ condition: [String], key: String) throws {
            let writers = [nodes[round % nodes.count], nodes[(round + 1) % nodes.count]]
            let values = ["first \(round)", "second \(round)"]
            let running = try zip(writers, values).map { node, value in
                try Execution(
                    Program.path,
                    ["put", key, value, "--socket", node.socket] + condition,
                    in: node.folder
                )
            }
            let endings = try running.map { execution in
                try eventually("a put ends") { !execution.isRunning }
                return try execution.finish()
            }
            let standing = try nodes[2].dht("get", key).text
            for (ending, value) in zip(endings, values) {
                #expect([0, 4, 7].contains(ending.status), "\(ending.errors)")
                #expect(ending.status != 4 || standing != value, "round \(round): \(value) stands")
            }
            // Let what is on its way arrive: the next round begins from one value.
            #expect(values.contains(standing) || endings.allSatisfy { $0.status == 4 })
        }

        @Test func `a conditional write is never said to have failed whose value stands`() throws {
            let names = (1...5).map { "node-\($0)" }
            let members = try Members(names)
            for name in names { try members.start(name) }
            try members.settled()
            let nodes = members.nodes
            for round in 0..<20 { try race(nodes, round, ["--if-absent"], key: "absent \(round)") }
            #expect(try nodes[0].dht("put", "one", "begin").status == 0)
            for round in 0..<20 {
                let reply = try nodes[3].dht("get", "one", "--json")
                let object = try JSONSerialization.jsonObject(with: reply.output) as? [String: Any]
                let revision = object?["revision_text"] as? String ?? ""
                try race(nodes, round, ["--if-rev", revision], key: "one")
            }
        }
    }
}
