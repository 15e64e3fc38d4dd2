import Foundation
import Testing

extension IntegrationTests {
    /// Three honest members and one that does what it can to keep them from theirs.
    @Suite(.serialized) struct HostileMemberTests {
        final class Scene {
            let members: Members
            let nodes: [NodeProcess]
            let hostile: PythonNode
            private var puts = 0

            init(_ options: String...) throws {
                members = try Members(["one", "two", "three", "hostile", "absent-1", "absent-2", "absent-3"])
                var nodes = [try members.start("one", peers: [])]
                for name in ["two", "three"] { nodes.append(try members.start(name, peers: [nodes[0].uri])) }
                hostile = try members.python("hostile", by: "hostile.py", peers: nodes, more: options)
                self.nodes = nodes
                for node in nodes {
                    try eventually("\(node.name) knows the others") { try node.peersUp() >= 3 }
                }
            }

            /// Each honest node puts a short value and a long one; the next reads them.
            func exchange() throws {
                for (index, node) in nodes.enumerated() {
                    puts += 1
                    for length in [100, 100_000] {
                        let (key, value) = ("key \(puts) \(length)", String(repeating: "x", count: length))
                        let put = try node.dht("put", key, "-", input: Data(value.utf8))
                        #expect(put.status == 0, "\(put.errors)")
                        #expect(
                            ["3", "4"].contains { put.text.hasSuffix("at \($0) nodes\n") },
                            "\(put.text)"
                        )
                        #expect(try nodes[(index + 1) % 3].dht("get", key).text == value)
                    }
                }
            }

            /// What the honest nodes counted, together.
            func counted(_ name: String) throws -> Int {
                try nodes.reduce(0) { sum, node in
                    let counters = try node.status()["counters"] as? [String: Int] ?? [:]
                    return sum + counters[name, default: 0]
                }
            }

            /// Whether an honest node says of the hostile one, by name, that it did this.
            func isSuspected(of offence: String) throws -> Bool {
                try nodes.contains { node in
                    let suspects = try node.status()["suspects"] as? [[String: Any]] ?? []
                    return suspects.contains {
                        $0["name"] as? String == "hostile" && $0["offence"] as? String == offence
                    }
                }
            }
        }

        @Test func `one that wants all and fetches nothing`() throws {
            let scene = try Scene("--wants")
            try scene.exchange()
            try scene.exchange()
            try eventually("it is not believed any more") { try scene.counted("wants_disbelieved") > 0 }
            #expect(try scene.isSuspected(of: "wants-in-vain"))
        }

        @Test func `one that announces what it does not deliver`() throws {
            let scene = try Scene("--announces")
            for number in 0..<6 { _ = try scene.hostile.ask("announce", hex("empty \(number)"), "1000000") }
            try scene.exchange()
            try eventually("what does not come is given up", within: 100) {
                try scene.counted("content_abandoned") > 0
            }
            #expect(try scene.isSuspected(of: "undelivered-content"))
            try scene.exchange()
        }

        @Test func `one that names members who are not there`() throws {
            let scene = try Scene("--ghosts")
            try scene.exchange()
            try scene.exchange()
            // Nobody was taken for one of them.
            for node in scene.nodes {
                let known = try node.contacts()
                for ghost in 1...3 {
                    #expect(!known.contains(scene.members.identities["absent-\(ghost)"] ?? ""))
                }
            }
        }

        @Test func `one that names addresses that are none`() throws {
            let scene = try Scene("--addresses")
            try scene.exchange()
            try eventually("they are struck out") { try scene.counted("struck_out") > 0 }
            #expect(try scene.isSuspected(of: "unusable-contacts"))
            try scene.exchange()
        }

        @Test func `one that gives wrong pieces`() throws {
            let scene = try Scene("--wrong-pieces")
            for number in 0..<4 { _ = try scene.hostile.ask("announce", hex("noise \(number)"), "200000") }
            try scene.exchange()
            try eventually("they are noticed") { try scene.counted("parts_broken") > 0 }
            #expect(try scene.isSuspected(of: "broken-content"))
            try scene.exchange()
        }

        @Test func `one that claims to have lost everything, over and over`() throws {
            let scene = try Scene("--loses")
            try scene.exchange()
            try eventually("it is another process for the eighth time") {
                try scene.hostile.ask("counters")["rotated"] as? Int ?? 0 >= 8
            }
            try scene.exchange()
            // It was given what it said it had lost, and not over and over: of 12 records by three nodes.
            let given = try scene.counted("repaired")
            #expect((1...72).contains(given), "\(given) copies")
        }

        @Test func `one that gives its pieces slowly`() throws {
            let scene = try Scene("--slow", "0.02")
            for number in 0..<4 { _ = try scene.hostile.ask("announce", hex("slow \(number)"), "300000") }
            try scene.exchange()
            try scene.exchange()
        }
    }
}
