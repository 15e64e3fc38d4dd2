import DHTCore
import Foundation
import SecureDHT
import TestKit
import Testing

/// Questions for reasons, as a user of the library asks them.
struct TracingTests {
    @Test func `a trace tells who was asked, and what each said`() async throws {
        try await Team.running(4) { team in
            try await team.nodes[0].put("value", for: "key")
            let trace = try await team.nodes[1].trace("key")
            #expect(trace.hops.count == 3)
            #expect(trace.found.map(\.author) == [team.nodes[0].identity])
            #expect(trace.found.first?.copies == 4)
            for hop in trace.hops {
                #expect(hop.outcome == .value && hop.records == 1 && hop.named == [])
                #expect(hop.answered.map { $0 >= hop.asked } == true)
                #expect(hop.name != nil)
            }
            let none = try await team.nodes[1].trace(Array("nothing".utf8))
            #expect(none.found == [] && none.hops.allSatisfy { $0.outcome == .closer })
            #expect(none.location != trace.location)
            // Of somebody's own place: who knows it.
            let place = team.nodes[2].identity
            let towards = try await team.nodes[1].trace(towards: place.nodeID)
            #expect(towards.hops.contains { $0.named.contains(place) })
            await #expect(throws: DHTError.self) { try await team.nodes[1].trace("") }
        }
    }

    @Test func `who is asked in vain stands in the trace`() async throws {
        try await Team.running(3) { team in
            await team.nodes[2].abandon()
            let trace = try await team.nodes[0].trace("key")
            let dead = trace.hops.filter { $0.identity == team.nodes[2].identity }
            #expect(dead.count == 1)
            #expect(dead.allSatisfy { $0.answered == nil && [.timeout, .pending].contains($0.outcome) })
        }
    }

    @Test func `datagrams that were turned away are told with their source`() async throws {
        try await Team.running(2) { team in
            let (node, address) = (team.nodes[0], team.nodes[0].reachableAddress)
            let sender = try Peer()
            for _ in 0..<300 { sender.send([1, 2, 3], to: address) }
            try await eventually("all have come") { await node.rejections(from: 0).last?.number ?? 0 >= 299 }
            let last = await node.rejections()
            #expect(last.count == 256 && last.first?.number == 44)
            #expect(last.allSatisfy { $0.reason == .length && $0.source == sender.endpoint })
            #expect(await node.rejections(from: 299).count == 1)
            let rejected = await node.status().rejected.first { $0.reason == .length }
            #expect(rejected?.count == 300 && rejected?.lastSource == sender.endpoint)
            #expect(rejected?.last.map { abs($0.timeIntervalSinceNow) < 60 } == true)
        }
    }
}
