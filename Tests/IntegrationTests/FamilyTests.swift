import Foundation
import Testing

extension IntegrationTests {
    /// Members with IPv4, with IPv6 and with both; and such as know each other from what they remember.
    @Suite(.serialized) struct FamilyTests {
        private func reasons(_ node: NodeProcess) throws -> [String] {
            (try node.status()["health"] as? [String: Any])?["reasons"] as? [String] ?? []
        }

        @Test func `members of two families read what the others write, or the writer is told who may not`()
            throws
        {
            let members = try Members(["four", "fourth", "six", "both"])
            let six = try members.start("six", listen: "[::1]:0")
            let both = try members.start(
                "both",
                peers: [six.uri],
                more: ["--listen", "[::1]:0"]
            )
            let four = try members.start("four", peers: [both.uri])
            let fourth = try members.start("fourth", peers: [both.uri])
            try eventually("all who can meet did") {
                try both.peersUp() == 3 && four.peersUp() == 2 && fourth.peersUp() == 2
            }
            for (number, writer) in [four, six, both, fourth, six, four].enumerated() {
                let put = try writer.dht("put", "key", "value \(number)")
                #expect(put.status == 0, "\(writer.name): \(put.errors)")
                for reader in members.nodes {
                    #expect(try reader.dht("get", "key").text == "value \(number)", "\(reader.name)")
                }
            }
            let reason = "family: 1 of 3 members have no IPv4 address"
            let told = try reasons(four)
            #expect(told.contains { $0.hasPrefix(reason) }, "\(told)")
            try eventually("it is logged") { four.log.contains("members have no IPv4 address") }

            both.kill()
            let put = try four.dht("put", "key", "late", "--json")
            #expect(put.status == 7)
            let reply = try JSONSerialization.jsonObject(with: put.output) as? [String: Any]
            #expect(reply?["unreached"] as? [String] == ["ipv6"])
            #expect(try fourth.dht("get", "key").text == "late")
        }

        @Test func `three that remember each other, and are killed in turn, all meet again`() throws {
            let names = ["a", "b", "c"]
            let members = try Members(names)
            func start(_ name: String, _ peers: [String], _ listen: String = "127.0.0.1:0") throws
                -> NodeProcess
            { try members.start(name, peers: peers, listen: listen, more: ["--data", "\(name).data"]) }
            let first = try start("a", [])
            var nodes = [first, try start("b", [first.uri]), try start("c", [first.uri])]
            try eventually("all see all") { try nodes.allSatisfy { try $0.peersUp() == 2 } }
            // Contacts are written down a second after a start.
            usleep(2_500_000)
            for _ in 0..<2 {
                for index in nodes.indices {
                    let address = nodes[index].address
                    nodes[index].kill()
                    nodes[index] = try start(names[index], [], address)
                    usleep(1_000_000)
                }
                try eventually("all see all again") { try nodes.allSatisfy { try $0.peersUp() == 2 } }
            }
        }
    }
}
