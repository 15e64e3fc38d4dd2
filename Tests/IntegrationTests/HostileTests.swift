import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct HostileTests {
        /// Three members; the traffic of two of them with the first goes through a tap.
        final class Scene {
            let members: Members
            let first: NodeProcess
            let second: NodeProcess
            let third: NodeProcess
            let tap: DatagramTap

            init() throws {
                members = try Members(["first", "second", "third"])
                first = try members.start("first", peers: [])
                tap = try DatagramTap(before: first.port)
                let tapped = "dht://\(first.identity)@127.0.0.1:\(tap.port)"
                second = try members.start("second", peers: [tapped])
                // What the first sees of them are the tap's own ports, of no use to others.
                third = try members.start("third", peers: [tapped, second.uri])
                try members.settled()
                for index in 0..<10 {
                    let put = try second.dht("put", "key-\(index)", "value \(index)")
                    guard put.status == 0 else { throw NeverHappened("put: \(put.errors)") }
                    _ = try third.dht("get", "key-\(index)")
                }
            }

            deinit { tap.close() }

            /// What a user could notice.
            func picture() throws -> [String] {
                var lines: [String] = []
                for node in [first, second, third] {
                    let records = try node.status()["records"] as? [String: Any]
                    lines.append("\(node.name) \(records?["count"] ?? 0) \(records?["bytes"] ?? 0)")
                    lines.append(contentsOf: try node.contacts().sorted())
                    for index in 0..<10 {
                        lines.append(try node.dht("get", "key-\(index)", "--json").text.filter { $0 != "\n" })
                    }
                }
                return lines
            }
        }

        private func recordCount(_ node: NodeProcess) throws -> Int? {
            (try node.status()["records"] as? [String: Any])?["count"] as? Int
        }

        /// Sums what `status` says was rejected.
        private func rejections(_ node: NodeProcess) throws -> Int { try node.rejected().values.reduce(0, +) }

        @Test func `twenty thousand bad datagrams get no answer and cost nothing but counters`() throws {
            let scene = try Scene()
            let real = scene.tap.all.map(\.datagram)
            #expect(real.count > 40)
            let socket = try RawSocket()
            var generator = SplitMix64(seed: 20_000)
            func random(_ length: Int) -> [UInt8] {
                (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            }
            func mutated() -> [UInt8] {
                var datagram = real[Int.random(in: 0..<real.count, using: &generator)]
                switch Int.random(in: 0...3, using: &generator) {
                case 0: datagram[Int.random(in: 0..<datagram.count, using: &generator)] ^= 1
                case 1: datagram.removeLast(Int.random(in: 1...datagram.count, using: &generator))
                case 2: datagram += random(Int.random(in: 1...(9000 - datagram.count), using: &generator))
                default:
                    let start = Int.random(in: 0..<datagram.count, using: &generator)
                    let bytes = random(datagram.count - start)
                    datagram.replaceSubrange(start..., with: bytes)
                }
                return datagram
            }

            let node = scene.first
            func flood(_ count: Int) throws -> Int {
                for index in 0..<count {
                    // Any length; now and then one that passes the first check.
                    let length =
                        index % 8 == 0
                        ? [256, 512, 768, 1024, 1232][index / 8 % 5]
                        : Int.random(in: 0...9000, using: &generator)
                    let datagram = index % 2 == 0 ? random(length) : mutated()
                    socket.send(datagram, to: node.port)
                    // Slower than the node reads, so that its receive buffer holds what it has not read yet.
                    if index % 64 == 0 { usleep(2000) }
                }
                return count
            }
            // What the allocator takes once for such a load is no growth.
            let warm = try rejections(node)
            let warmed = try flood(4000)
            try eventually("the warm-up was read") { try rejections(node) - warm >= warmed }
            let (before, memory) = (try rejections(node), try node.residentKilobytes())
            var sent = 0
            for round in 0..<20 {
                sent += try flood(1000)
                #expect(try scene.second.dht("get", "key-\(round % 10)").text == "value \(round % 10)")
                #expect(try node.dht("get", "key-\(round % 10)").text == "value \(round % 10)")
            }
            try eventually("all of them were read and rejected") { try rejections(node) - before >= sent }
            // Peers' own late datagrams may add a few, the flood none that is not counted.
            #expect(try rejections(node) - before <= sent + 20)
            #expect(socket.receive(milliseconds: 200) == nil)
            #expect(node.isRunning)
            #expect(try node.residentKilobytes() - memory < 8 * 1024)
        }

        @Test func `replayed datagrams change nothing but counters, whenever and from wherever`() throws {
            let scene = try Scene()
            let captured = scene.tap.all.map(\.datagram)
            let before = try scene.picture()
            let socket = try RawSocket()
            var generator = SplitMix64(seed: 4)
            var answers = 0
            let start = Date()
            /// Spans of 30 seconds begun since.
            func spans() -> Int { 1 + Int(Date().timeIntervalSince(start) / 30) }
            func replay(_ datagrams: [[UInt8]]) throws {
                for (index, datagram) in datagrams.enumerated() {
                    for node in [scene.first, scene.second, scene.third] {
                        socket.send(datagram, to: node.port)
                    }
                    if index % 16 == 0 { usleep(2000) }
                }
                while socket.receive(milliseconds: 300) != nil { answers += 1 }
            }
            try replay(captured)
            try replay(captured.shuffled(using: &generator))
            // Captured first contacts alone are answered: once in 30 seconds and pair that spoke through the
            // tap, the second and the third with the first, in both directions.
            #expect(answers <= 4 * spans())
            #expect(try scene.picture() == before)

            // The receiver restarts and has forgotten every counter.
            let address = scene.first.address
            #expect(try scene.first.terminate() == 0)
            let again = try scene.members.start("first", peers: [scene.second.uri], listen: address)
            try scene.members.settled([again, scene.second, scene.third], 2)
            let held = try recordCount(again)
            try replay(captured)
            try replay(captured.reversed())
            // It may answer each of the two peers' first contacts once more.
            #expect(answers <= 6 * spans())
            #expect(try recordCount(again) == held)
            for index in 0..<10 {
                #expect(try scene.second.dht("get", "key-\(index)").text == "value \(index)")
                #expect(try again.dht("get", "key-\(index)").text == "value \(index)")
            }
            #expect(try again.contacts().sorted() == [scene.second.identity, scene.third.identity].sorted())
        }

        @Test func `captured datagrams are of five lengths and look like noise`() throws {
            let captured = try Scene().tap.all.map(\.datagram)
            #expect(Set(captured.map(\.count)).isSubset(of: [256, 512, 768, 1024, 1232]))
            var counts = [Int](repeating: 0, count: 256)
            for byte in captured.joined() { counts[Int(byte)] += 1 }
            let expected = Double(captured.map(\.count).reduce(0, +)) / 256
            // Chi-squared with 255 degrees of freedom: above 400 once in some hundred million times for
            // noise.
            let chiSquared = counts.map { (Double($0) - expected) * (Double($0) - expected) / expected }
                .reduce(0, +)
            #expect(chiSquared < 400)
        }
    }
}
