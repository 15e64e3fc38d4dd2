import Foundation
import Testing

extension IntegrationTests {
    /// What those may do who hold the network key, or captured what others sent.
    @Suite(.serialized) struct OutsiderTests {
        private static let repetitions = 1000

        /// How often each captured datagram was answered.
        private func answers(_ reply: [String: Any]) throws -> [String: Int] {
            try #require(reply["answers"] as? [String: Int], "\(reply)")
        }

        private func rejections(_ node: NodeProcess) throws -> Int {
            try node.rejected().values.reduce(0, +)
        }

        @Test func `what was captured is answered once if it is a first contact, and else never`() throws {
            let members = try Members(["node", "python"])
            var node = try members.start("node", peers: [])
            let python = try members.python("python", by: "hostile.py", peers: [node])
            let captured = try answers(python.ask("capture"))
            #expect(captured.count == 10)
            // The live ones were answered before.
            #expect(captured.filter { $0.key.hasPrefix("first") }.values.allSatisfy { $0 == 1 })

            let (before, known) = (try node.rejected(), try rejections(node))
            let again = try python.ask("replay", "\(Self.repetitions)")
            let sent = try #require(again["sent"] as? Int)
            #expect(sent == 10 * Self.repetitions)
            #expect(try answers(again).values.allSatisfy { $0 == 0 })
            try eventually("all were read") { try rejections(node) - known >= sent }
            #expect(try node.rejected()["replay", default: 0] - before["replay", default: 0] == sent)

            // Another process, which knows none of the counters.
            let address = node.address
            node.kill()
            node = try members.start("node", peers: [], listen: address)
            let records = try node.status()["records"] as? [String: Int]
            let anew = try answers(python.ask("replay", "\(Self.repetitions)"))
            for (name, count) in anew { #expect(count <= (name.hasPrefix("first") ? 1 : 0), "\(name)") }
            #expect(anew.values.reduce(0, +) > 0)
            try eventually("all were read") {
                try rejections(node) >= sent - anew.values.reduce(0, +)
            }
            let last = try answers(python.ask("replay", "\(Self.repetitions)"))
            #expect(last.values.allSatisfy { $0 == 0 })
            #expect(try node.status()["records"] as? [String: Int] == records)
        }

        @Test func `noise in the place of answers keeps no answer out`() throws {
            let members = try Members(["node", "python"])
            let node = try members.start("node", peers: [])
            // To each request three boxes of noise that name it, from box keys nobody knows.
            var python = try members.python("python", by: "hostile.py", peers: [node], more: ["--junk", "3"])
            try eventually("they know each other") { try node.peersUp() == 1 }
            for number in 0..<10 {
                #expect(try node.dht("ping", python.identity).status == 0)
                let put = try node.dht("put", "key \(number)", "value")
                #expect(put.text == "Stored key 'key \(number)' at 2 nodes\n", "\(put.errors)")
            }
            let rejected = try node.rejected()
            #expect(rejected["box", default: 0] >= 3)
            #expect(rejected["lane", default: 0] == 0)

            python.end()
            python = try members.python(
                "python",
                by: "hostile.py",
                peers: [node],
                more: ["--blind", "1000"]
            )
            try eventually("they know each other again") {
                try node.dht("ping", python.identity).status == 0
            }
            let unsolicited = try node.rejected()["unsolicited", default: 0]
            let put = try node.dht("put", "key", "value")
            #expect(put.text == "Stored key 'key' at 2 nodes\n", "\(put.errors)")
            try eventually("the noise was read") {
                try node.rejected()["unsolicited", default: 0] - unsolicited >= 500
            }
            #expect(try node.rejected()["box", default: 0] == rejected["box", default: 0])
        }

        @Test func `all that is under way to a node that starts anew is answered`() throws {
            let names = (1...7).map { "python-\($0)" }
            let members = try Members(["node"] + names)
            var node = try members.start("node", peers: [])
            // Patient: the node takes its time to start.
            let others = try names.map {
                try members.python($0, by: "hostile.py", peers: [node], more: ["--patience", "0.5"])
            }
            try eventually("all know the node") { try node.peersUp() == 7 }
            // Stopped, so that it hears all and answers nothing.
            node.signal(SIGSTOP)
            for other in others { #expect(try other.ask("many", "64")["ok"] as? Bool == true) }
            let address = node.address
            node.kill()
            node = try members.start("node", peers: [], listen: address)
            for other in others {
                try eventually("all are over") { try other.ask("finished")["finished"] as? Int == 64 }
                #expect(try other.ask("finished")["answered"] as? Int == 64)
            }
        }
    }
}
