import Foundation
import Testing

/// Everything here runs real processes; one test at a time, so that each has the machine for itself.
@Suite(.serialized) enum IntegrationTests {}

extension IntegrationTests {
    @Suite(.serialized) struct OverlayTests {
        /// 30 values of 1 to 640 bytes, any bytes, under keys that are not all ASCII.
        static func values() -> [(key: String, value: Data)] {
            var generator = SplitMix64(seed: 30)
            return (0..<30).map { index in
                let length = index == 0 ? 1 : index == 29 ? 640 : Int.random(in: 1...640, using: &generator)
                let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
                return (["clé/", "ключ/", "鍵/", "key/"][index % 4] + "\(index)", Data(bytes))
            }
        }

        @Test func `twelve processes share thirty values, and two strangers get not one byte`() throws {
            let names = (1...12).map { "member-\($0)" }
            let members = try Members(names + ["foreigner"])
            try members.makeKey("outsider")
            for name in names { try members.start(name) }
            try members.settled(members.nodes, 11)
            let nodes = members.nodes

            for (index, (key, value)) in Self.values().enumerated() {
                let (writer, reader) = (nodes[index % 12], nodes[(index * 5 + 7) % 12])
                let put = try writer.dht("put", key, "-", input: value)
                #expect(put.status == 0, "\(put.errors)")
                // More, where one that was slow took it after all.
                let stored = put.text.wholeMatch(of: /Stored key '(.*)' at (\d+) nodes\n/)
                #expect(stored.map { String($0.1) } == key)
                #expect(stored.flatMap { Int($0.2) } ?? 0 >= 8)
                #expect(try reader.dht("get", key).output == value)
            }

            // Behind taps, so that every byte towards them is counted.
            let before = try nodes.map { try $0.rejected() }
            let tap = try DatagramTap(before: nodes[0].port)
            defer { tap.close() }
            let tapped = "dht://\(nodes[0].identity)@127.0.0.1:\(tap.port)"
            try members.writeList(names + ["outsider", "foreigner"], to: "wide.allow")
            try Program.run("keygen", "--network", "-o", "other.network", in: members.folder)
            let outsider = try members.start("outsider", peers: [tapped], allow: "wide.allow")
            let foreigner = try members.start(
                "foreigner",
                peers: [tapped],
                allow: "wide.allow",
                network: "other.network"
            )
            for stranger in [outsider, foreigner] {
                #expect(try stranger.dht("get", "key/3").status == 6)
                _ = try stranger.dht("put", "intrusion", "by \(stranger.name)")
                #expect(try stranger.contacts().isEmpty)
            }
            try eventually("both were turned away") {
                let after = try nodes[0].rejected()
                return after["admission", default: 0] > before[0]["admission", default: 0]
                    && after["header", default: 0] > before[0]["header", default: 0]
            }
            #expect(tap.all.contains { $0.isInbound })
            #expect(tap.all.filter { !$0.isInbound }.map(\.datagram.count).reduce(0, +) == 0)
            for node in nodes {
                #expect(try node.dht("get", "intrusion").status == 3)
                let contacts = try node.contacts()
                #expect(!contacts.contains(outsider.identity) && !contacts.contains(foreigner.identity))
            }
        }

        @Test(arguments: [1, 2, 3, 8])
        func `small networks just work`(count: Int) throws {
            let names = (1...count).map { "node-\($0)" }
            let members = try Members(names)
            for name in names { try members.start(name) }
            try members.settled()
            let put = try members.nodes[count - 1].dht("put", "hello", "world")
            #expect(put.text == "Stored key 'hello' at \(count) nodes\n")
            for node in members.nodes { #expect(try node.dht("get", "hello").text == "world") }
        }

        @Test func `two of five are killed and the values are still there`() throws {
            let members = try Members((1...5).map { "node-\($0)" })
            for index in 1...5 { try members.start("node-\(index)") }
            try members.settled()
            for index in 1...10 { _ = try members.nodes[0].dht("put", "key-\(index)", "value \(index)") }
            members.nodes[3].kill()
            members.nodes[4].kill()
            for index in 1...10 {
                #expect(try members.nodes[index % 3].dht("get", "key-\(index)").text == "value \(index)")
            }
        }

        @Test func `a bootstrap node that is down at start is found when it comes up`() throws {
            let members = try Members(["first", "second"])
            let first = try members.start("first")
            let uri = first.uri
            let address = first.address
            first.kill()
            let second = try members.start("second", peers: [uri])
            #expect(try second.peersUp() == 0)
            try members.start("first", peers: [], listen: address)
            try eventually("the second finds the first") { try second.peersUp() == 1 }
        }

        @Test func `peers are found by the addresses in the allowlist alone`() throws {
            let members = try Members(["first", "second"])
            let first = try members.start("first")
            try members.folder.write(
                members.line("first", "addr=\(first.address)") + members.line("second"),
                to: "with.allow"
            )
            let second = try members.start("second", peers: [], allow: "with.allow")
            try eventually("they meet") { try second.peersUp() == 1 && first.peersUp() == 1 }
        }

        @Test func `a peer that restarts on another port is found again through others`() throws {
            let members = try Members(["first", "second", "third"])
            let first = try members.start("first")
            let second = try members.start("second")
            let third = try members.start("third")
            try members.settled()
            third.kill()
            // It tells the first alone where it is now; the second has only its old address.
            let again = try members.start("third", peers: [first.uri])
            #expect(again.port != third.port)
            try eventually("the second has its new address") {
                try second.dht("ping", again.identity, "--json").status == 0
                    && second.dht("peers").text.contains(again.address)
            }
        }

        @Test func `a node that is told to stop hands over, says goodbye and ends with 0`() throws {
            let members = try Members(["first", "second"])
            let first = try members.start("first")
            let put = try first.dht("put", "hello", "world", "--min-copies", "1")
            #expect(put.text == "Stored key 'hello' at 1 nodes\n")
            let second = try members.start("second")
            try members.settled()
            let start = Date()
            #expect(try first.terminate() == 0)
            #expect(Date().timeIntervalSince(start) < 10)
            #expect(try second.dht("get", "hello").text == "world")
            #expect(try second.contacts().isEmpty)
        }

        @Test func `a reload admits a new member and revokes one, and a bad list changes nothing`() throws {
            let members = try Members(["first", "second"])
            try members.makeKey("third")
            let first = try members.start("first")
            let second = try members.start("second")
            try members.settled()
            try members.writeList(["first", "second", "third"])
            first.signal(SIGHUP)
            #expect(try second.dht("reload").status == 0)
            let third = try members.start("third")
            try members.settled([first, second, third])
            try members.folder.write("not an identity\n", to: "peers.allow")
            #expect(try first.dht("reload").status == 9)
            #expect(try first.peersUp() == 2)
            try members.folder.write(
                members.line("first") + members.line("second") + "@revoked \(third.identity) third\n",
                to: "peers.allow"
            )
            #expect(try first.dht("reload").status == 0)
            #expect(try first.contacts() == [second.identity])
            #expect(try first.dht("ping", third.identity).status == 5)
        }
    }
}
