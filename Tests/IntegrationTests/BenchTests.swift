import Foundation
import Testing

extension IntegrationTests {
    @Suite(.serialized) struct BenchTests {
        private static let small = ["bench", "--nodes", "10", "--operations", "40", "--at-once", "4,8"]

        @Test func `a benchmark measures calls, puts and gets beside libsodium's own cost`() throws {
            let folder = try Folder()
            let ending = try Program.run(Self.small + ["--json"], in: folder)
            #expect(ending.status == 0 && ending.errors.isEmpty, "\(ending.errors)")
            let (floor, call) = (
                try #require(ending["floor_us"] as? Double), try #require(ending["rpc_us"] as? Double)
            )
            // Nothing is sealed and opened for less than libsodium takes for it.
            #expect(floor > 0 && call > floor)
            let ratio = try #require(ending["rpc_over_floor"] as? Double)
            #expect(abs(ratio - call / floor) < 0.01)
            // Of 10 nodes one that puts may be a replica itself.
            for (name, leastCalls) in [("put", 7.0), ("get", 1.0)] {
                let figures = try #require(ending[name] as? [String: Double])
                #expect(figures.keys.sorted() == ["cpu_ms", "datagrams", "median_ms", "p99_ms", "rpcs"])
                #expect(figures.values.allSatisfy { $0 > 0 })
                #expect((figures["rpcs"] ?? 0) >= leastCalls, "\(name) of 10 nodes")
                #expect((figures["p99_ms"] ?? 0) >= (figures["median_ms"] ?? .infinity))
            }
            let pairs = try #require(ending["pairs"] as? [[String: Double]])
            #expect(pairs.map { $0["at_once"] } == [1, 4, 8])
            let load = try #require(ending["load"] as? [[String: Double]])
            #expect(load.map { $0["at_once"] } == [4, 8])
            #expect(load.allSatisfy { ($0["puts_per_second"] ?? 0) > 0 && ($0["gets_per_second"] ?? 0) > 0 })
        }

        @Test func `people get a line for each figure, and talk beside it`() throws {
            let ending = try Program.run(Self.small, in: try Folder())
            #expect(ending.status == 0)
            let words = ending.text.split(separator: "\n").map { $0.prefix { $0 != " " } }
            #expect(words == ["floor", "call", "call", "call", "put", "get", "load", "load"])
            #expect(ending.errors.contains("10 nodes know one another"))
        }

        @Test(arguments: [
            ["--nodes", "1"], ["--nodes", "1025"], ["--operations", "0"], ["--at-once", "1"],
            ["--at-once", "16,many"], ["--at-once", ""],
        ])
        func `what cannot be measured is refused`(arguments: [String]) throws {
            let ending = try Program.run(["bench"] + arguments, in: try Folder())
            #expect(ending.status == 2 && ending.errors.contains(arguments[0]), "\(ending.errors)")
        }
    }
}
