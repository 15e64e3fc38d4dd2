import DHTCore
import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Values of their authors' that live for as long as the authors' nodes run.
struct RenewalTests {
    private let overlay = Overlay(6)
    private let key = Array("key".utf8)

    init() { overlay.startAll() }

    @discardableResult
    private func keep(_ value: String, lifetime: UInt32 = 600, at index: Int = 1) -> Bool {
        let put = Operation.Put(key: key, value: Array(value.utf8), lifetime: lifetime, isKept: true)
        guard case .put(_, let outcome)? = overlay.finish(overlay.submit(.put(put), at: index), at: index)
        else { return false }
        return outcome.stored == 6
    }

    private func revision() -> Revision? { overlay.look("key", at: 4)?.found.first?.record.revision }

    @Test func `a kept value is signed anew at half its lifetime, and lives on`() throws {
        #expect(keep("value"))
        let first = try #require(revision())
        overlay.run(for: .minutes(4))
        #expect(revision() == first)
        overlay.run(for: .minutes(2))
        let second = try #require(revision())
        #expect(second > first)
        overlay.run(for: .minutes(30))
        #expect(overlay.text("key", at: 3) == "value")
        #expect(overlay.look("key", at: 4)?.found.first?.record.lifetime == 600)
        #expect(
            overlay[1].outcomes.keys.allSatisfy { !$0.isRenewal },
            "nobody is told of what nobody asked for"
        )
        #expect(overlay[1].engine.desk.operations.isEmpty)
    }

    @Test func `a value that is not kept ends`() {
        overlay.put("key", "value", lifetime: 600, at: 1)
        overlay.run(for: .minutes(11))
        #expect(overlay.text("key", at: 3) == nil)
        #expect(overlay[1].engine.renewedValues.isEmpty)
    }

    @Test func `what is deleted is kept no more, and stays deleted`() {
        keep("value")
        overlay.delete("key", at: 1)
        #expect(overlay[1].engine.renewedValues.isEmpty)
        overlay.run(for: .minutes(20))
        #expect(overlay.text("key", at: 3) == nil)
    }

    @Test func `what is put without being kept is kept no more`() {
        keep("value")
        overlay.put("key", "other", lifetime: 600, at: 1)
        #expect(overlay[1].engine.renewedValues.isEmpty)
        overlay.run(for: .minutes(11))
        #expect(overlay.text("key", at: 3) == nil)
    }

    @Test func `a put that fails its condition changes nothing of that`() {
        keep("value")
        _ = overlay.conflict("key", [1], condition: .absent, at: 1)
        #expect(overlay[1].engine.renewedValues.map(\.key) == [key])
        overlay.run(for: .minutes(11))
        #expect(overlay.text("key", at: 3) == "value")
    }

    @Test func `a delete while the value is being renewed wins`() {
        for delay in stride(from: 0, to: 400, by: 20) as StrideTo<UInt64> {
            keep("value", lifetime: 60)
            // Due after 30 seconds, looked at every ten.
            overlay.run(until: overlay.clock + .seconds(45)) {
                overlay[1].engine.desk.operations.keys.contains { $0.isRenewal }
            }
            overlay.run(for: .milliseconds(delay))
            overlay.delete("key", at: 1)
            overlay.run(for: .seconds(90))
            #expect(overlay.text("key", at: 3) == nil, "deleted \(delay) ms into the renewal")
            #expect(overlay[1].engine.renewedValues.isEmpty)
        }
    }

    @Test func `the next process goes on where it is told to`() throws {
        keep("value")
        let kept = overlay[1].engine.renewedValues
        #expect(kept.map(\.lifetime) == [600])
        overlay.kill(1)
        overlay.run(for: .minutes(6))
        overlay.start(1, seeds: [0])
        overlay.act(overlay[1]) { engine, turn in engine.restoreRenewed(kept, at: turn.now) }
        let hasChanges = overlay[1].engine.hasRenewedChanges
        #expect(!hasChanges, "it is stored already")
        overlay.run(for: .minutes(20))
        #expect(overlay.text("key", at: 3) == "value")
        #expect((overlay[1].engine.renewedValues.first?.revision ?? .init(rawValue: 0)) > kept[0].revision)
    }

    @Test func `what ended while no process ran is not taken up`() {
        keep("value")
        let kept = overlay[1].engine.renewedValues
        overlay.kill(1)
        overlay.run(for: .minutes(11))
        overlay.start(1, seeds: [0])
        overlay.act(overlay[1]) { engine, turn in engine.restoreRenewed(kept, at: turn.now) }
        #expect(overlay[1].engine.renewedValues.isEmpty)
        #expect(overlay[1].engine.renewalStates.map(\.phase) == [.ended])
        overlay.act(overlay[1]) { engine, turn in
            #expect(engine.takeRenewedChanges() == [key: nil], "the next process is not to look for it again")
            #expect(engine.takeRenewalNews(at: turn.now.instant) == RenewalNews(ended: 1))
        }
    }

    @Test func `what somebody else wrote since is not passed over, and stays`() throws {
        keep("value")
        overlay.run(for: .minutes(2))
        overlay.put("key", "newer", at: 2)
        overlay.run(for: .minutes(20))
        #expect(overlay.text("key", at: 3) == "newer")
        #expect(overlay.look("key", author: 1, at: 3)?.found.isEmpty == true, "it was kept no more")
        #expect(overlay[1].engine.renewedValues.isEmpty)
        let state = try #require(overlay[1].engine.renewalStates.first)
        #expect(state.phase == .superseded(by: overlay[2].identity))
        #expect(state.value.key == key)
        overlay.act(overlay[1]) { engine, turn in
            #expect(engine.takeRenewalNews(at: turn.now.instant) == RenewalNews(superseded: 1))
            #expect(engine.takeRenewedChanges() == [key: nil])
        }
        // Whoever means it puts it again.
        keep("mine")
        #expect(overlay[1].engine.renewalStates.map(\.phase) == [.kept(failures: 0)])
        overlay.run(for: .minutes(20))
        #expect(overlay.text("key", at: 3) == "mine")
    }

    @Test func `what somebody else wrote before, or deleted since, is no reason to stop`() {
        overlay.put("key", "older", lifetime: 86_400, at: 2)
        overlay.run(for: .seconds(1))
        keep("value")
        overlay.run(for: .minutes(2))
        overlay.put("key", "gone", at: 3)
        overlay.delete("key", at: 3)
        overlay.run(for: .minutes(30))
        #expect(overlay.text("key", at: 4) == "value")
        #expect(overlay[1].engine.renewalStates.map(\.phase) == [.kept(failures: 0)])
    }

    @Test func `each write is one change of what is to be stored`() {
        var changes: [[UInt8]: RenewedValue?] = [:]
        func take() { overlay.act(overlay[1]) { engine, _ in changes = engine.takeRenewedChanges() } }
        for number in 0..<20 {
            let put = Operation.Put(key: [UInt8(number)], value: [1], lifetime: 600, isKept: true)
            _ = overlay.finish(overlay.submit(.put(put), at: 1), at: 1)
            take()
            #expect(changes.count == 1 && changes[[UInt8(number)]]??.lifetime == 600)
        }
        _ = overlay.look("key", at: 1)
        take()
        #expect(changes.isEmpty)
    }

    @Test func `while nobody can be reached it is tried again and again`() {
        keep("value")
        for index in 0..<6 where index != 1 { overlay.groups[index] = 1 }
        overlay.run(for: .minutes(7))
        overlay.groups = [:]
        overlay.run(for: .minutes(30))
        #expect(overlay.text("key", at: 3) == "value")
    }

    @Test func `no more keys are kept than there is room for`() {
        var kept = RenewedValues()
        for number in 0..<UInt64(RenewedValues.capacity + 3) {
            let key = RenewedValue(key: [1], lifetime: 1, revision: Revision(rawValue: 1))
            var bytes = [UInt8](repeating: 0, count: 12)
            bytes.append(contentsOf: (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
            let now = Now(instant: .init(nanoseconds: 1), unixMilliseconds: 1)
            kept.keep(key, at: NodeID(bytes) ?? overlay[0].identity.nodeID, now)
        }
        #expect(kept.entries.count == RenewedValues.capacity)
        #expect(kept.promise(86_400, at: overlay[0].identity.nodeID) == .capacity)
    }
}

extension GatedEngine where Keeper: ~Copyable {
    /// Keys whose values are kept alive, by location.
    var renewedValues: [RenewedValue] { desk.kept.entries.sorted { $0.key < $1.key }.map(\.value.value) }
}
