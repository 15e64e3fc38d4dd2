import DHTCore
import DHTEnvelope
import Testing

@testable import DHTEngine

/// What one author begins to write later stands in the end, whatever becomes of what it began before.
struct ProgramOrderTests {
    private let overlay = Overlay(9)
    private let long = ContentTests.bytes(2_000_000)

    init() { overlay.startAll() }

    /// A long put at host 0 that is on its way, and that nobody has taken yet.
    private func begun() -> OperationID {
        let name = overlay.submitLong("doc", long, at: 0)
        overlay.run(for: .milliseconds(200))
        #expect(overlay.holders(of: "doc", by: 0).isEmpty)
        return name
    }

    private func cancel(_ name: OperationID) {
        overlay.act(overlay[0]) { engine, turn in engine.cancel(name, in: &turn) }
    }

    private var isIdle: Bool {
        overlay[0].engine.desk.operations.isEmpty && overlay[0].engine.openWrites == 0
            && overlay[0].engine.transferStates.isEmpty
    }

    @Test(arguments: [false, true])
    func `a short put that overtakes a long one stands`(isBrokenOff: Bool) throws {
        let first = begun()
        let second = try #require(overlay.put("doc", "correction", at: 0))
        #expect(second.stored == 8)
        if isBrokenOff {
            cancel(first)
            overlay.run(for: .seconds(60))
            #expect(overlay[0].outcomes[first] == nil)
        } else {
            guard case .put(let record, let outcome)? = overlay.finish(first, at: 0) else {
                Issue.record("the long put did not end")
                return
            }
            #expect(outcome.stored == 0)
            let standing = overlay[0].engine.desk.order.revisions[record.location]?.last
            #expect(standing.map { $0 > record.revision } == true, "it was not signed anew")
        }
        for index in 0..<9 { #expect(overlay.text("doc", replicas: 8, at: index) == "correction") }
        #expect(isIdle)
    }

    @Test func `a deletion that overtakes a long put stands`() throws {
        overlay.put("doc", "old", at: 0)
        let first = overlay.submitLong("doc", long, at: 0)
        overlay.run(for: .milliseconds(200))
        #expect(try #require(overlay.delete("doc", at: 0)).stored == 8)
        _ = overlay.finish(first, at: 0)
        for index in 0..<9 { #expect(overlay.text("doc", replicas: 8, at: index) == nil) }
        #expect(isIdle)
    }

    @Test func `a long put that is broken off before anybody took it is nowhere, and works when put again`() {
        let first = begun()
        cancel(first)
        #expect(overlay[0].engine.transfers.inventory.holdings.isEmpty)
        #expect(isIdle)
        overlay.run(for: .minutes(2))
        #expect(overlay.holders(of: "doc").isEmpty)
        for index in 0..<9 { #expect(overlay.look("doc", replicas: 8, at: index)?.found.isEmpty == true) }
        // All eight fetch it at once from one node: one or two may not have it in time, and get it later.
        #expect((overlay.putLong("doc", long, at: 0)?.outcome.stored ?? 0) >= 6)
        #expect(overlay.getLong("doc", at: 5) == long)
    }

    @Test func `of two puts of one content the end of one leaves the other what it needs`() {
        let first = begun()
        let second = overlay.submitLong("copy", long, at: 0)
        overlay.run(for: .milliseconds(100))
        cancel(first)
        guard case .put(_, let outcome)? = overlay.finish(second, at: 0, patience: .seconds(120)) else {
            Issue.record("the second put did not end")
            return
        }
        // Whoever is far slower than the others is not waited for, and gets it all the same.
        #expect(outcome.stored >= 6)
        #expect(overlay.getLong("copy", at: 5) == long)
        overlay.run(for: .minutes(2))
        #expect(overlay.holders(of: "copy").count >= 8)
    }

    @Test func `the last write alone passes over what a process before wrote`() throws {
        // Host 0 keeps no copy, from which it would know.
        var written: [String: Record] = [:]
        for number in 0..<40 { written["\(number)"] = overlay.put("\(number)", [1], at: 0)?.record }
        let key = try #require(written.keys.sorted().first { !overlay.holders(of: $0).contains(0) })
        let before = try #require(written[key]?.revision)
        // Its process forgets what it wrote, and its clock is behind.
        overlay.act(overlay[0]) { engine, _ in engine.remember([:]) }
        overlay[0].clockError = -60_000
        let names = ["first", "second"].map {
            overlay.submit(.put(.init(key: Array(key.utf8), value: Array($0.utf8), lifetime: 3600)), at: 0)
        }
        for name in names { _ = overlay.finish(name, at: 0) }
        #expect(overlay.text(key, replicas: 8, at: 5) == "second")
        #expect(try #require(overlay[0].engine.desk.order.revisions[overlay.location(key)]?.last) > before)
        #expect(isIdle)
    }

    @Test func `a write has its turn until it ends, and what was begun last is last`() throws {
        var order = WriteOrder()
        let (here, there) = (overlay.location("here"), overlay.location("there"))
        let names = (1...4).map { OperationID.user($0) }
        func revision(_ number: UInt64) -> Revision { Revision(unixMilliseconds: number, above: nil) }
        for (number, name) in zip(UInt64(1)..., names.prefix(3)) {
            let turn = order.begin(name, at: here, catalogued: nil, unixMilliseconds: number)
            #expect(turn.revision == revision(number))
            #expect(order.isLast(name))
        }
        order.remember(revision(8), at: there)
        _ = order.begin(names[3], at: there, catalogued: nil, unixMilliseconds: 9)
        #expect(names.map { order.isLast($0) } == [false, false, true, true])
        var ended = [order.end(names[2]), order.end(names[2])]
        #expect(ended[0]?.revision == revision(3))
        #expect(ended[1] == nil)
        #expect(!order.isLast(names[1]), "one that began later is over, and may stand")
        ended = [3, 0, 1].map { order.end(names[$0]) }
        #expect(ended[0]?.previous == OwnRevisions(revision(8)))
        #expect(ended[1...].allSatisfy { $0?.location == here })
        #expect(order.count == 0)
        _ = order.begin(names[0], at: here, catalogued: nil, unixMilliseconds: 1)
        #expect(order.isLast(names[0]))
    }
}
