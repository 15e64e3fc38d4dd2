import DHTCore
import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTEngine

/// Rosters in overlays with real keys: how they spread, and what becomes of those they revoke.
final class RosterTests {
    private let administrator = SigningKey()

    /// The list that an overlay's nodes begin with: all of them, and the administrator.
    private func pinned(_ overlay: Overlay, without omitted: Set<Int> = []) -> AdmissionPolicy {
        var lines = "@admin \(administrator.identity.text) root\n"
        for host in overlay.hosts where !omitted.contains(host.index) {
            lines += "\(host.identity.text) node-\(host.index)\n"
        }
        do { return .members(try Allowlist(parsing: lines, file: "members")) } catch {
            preconditionFailure("\(error)")
        }
    }

    private func roster(
        _ overlay: Overlay,
        serial: UInt64,
        revoking revoked: Set<Int> = [],
        comments: Int = 0
    ) -> Roster {
        var text = "@admin \(administrator.identity.text) root\n"
        for host in overlay.hosts {
            text += "\(revoked.contains(host.index) ? "@revoked " : "")\(host.identity.text) n\(host.index)\n"
        }
        text += String(repeating: "#" + String(repeating: "x", count: 98) + "\n", count: comments)
        return .signed(text, serial, by: administrator, overlay[0].engine.gate.networkID)
    }

    private func overlay(_ count: Int, seed: UInt64 = 1) -> Overlay {
        let overlay = Overlay(count, seed: seed)
        overlay.startAll()
        for index in 0..<count { overlay.admit(pinned(overlay), at: index) }
        return overlay
    }

    @discardableResult
    private func publish(_ roster: Roster, on overlay: Overlay, at index: Int) -> RosterKeeper.Verdict {
        var verdict = RosterKeeper.Verdict.older
        overlay.act(overlay[index]) { engine, turn in verdict = engine.publish(roster, in: &turn) }
        return verdict
    }

    private func serials(_ overlay: Overlay) -> [UInt64] {
        overlay.hosts.map { $0.engine.rosterState.held?.serial ?? 0 }
    }

    @Test func `everybody holds a new roster in a moment, and each fetched it once`() {
        let overlay = overlay(24)
        let roster = roster(overlay, serial: 1, comments: 1400)
        let begun = overlay.clock
        #expect(publish(roster, on: overlay, at: 3) == .newer)
        let isEverywhere = overlay.run(until: begun + .seconds(2)) {
            serials(overlay).allSatisfy { $0 == 1 }
        }
        #expect(isEverywhere, "\(serials(overlay))")
        #expect(overlay.hosts.allSatisfy { $0.index == 3 || $0.engine.counters.rosters.fetched == 1 })
        #expect(overlay.hosts.allSatisfy { $0.engine.counters.rosters.adopted == 1 })
        #expect(overlay.hosts.allSatisfy { $0.engine.rosterState.held?.text == roster.text })
        // Whoever published it knows.
        overlay.run(for: .seconds(2))
        for host in overlay.hosts where host.index != 3 {
            #expect(overlay[3].engine.rosterWord(of: host.identity)?.mark == roster.mark)
        }
    }

    @Test func `a node that was away has it after its first exchange`() {
        let overlay = overlay(6)
        overlay.kill(5)
        publish(roster(overlay, serial: 1), on: overlay, at: 0)
        overlay.run(for: .seconds(30))
        publish(roster(overlay, serial: 2), on: overlay, at: 0)
        overlay.run(for: .seconds(30))
        overlay.start(5, seeds: [1])
        overlay.run(for: .seconds(1))
        #expect(serials(overlay) == [2, 2, 2, 2, 2, 2])
        #expect(overlay[5].engine.counters.rosters.fetched == 1)
    }

    @Test func `the revoked are out in the turn in which the roster comes`() {
        let overlay = overlay(5)
        overlay.put("key", "value", at: 4)
        let host = overlay[0]
        overlay.act(host) { engine, turn in
            let ping = Request.ping(isLeaving: false)
            engine.start(.core(999_999), overlay[4].contact, ping, isConfigured: false, in: &turn)
        }
        #expect(host.engine.callsInFlight > 0)
        let roster = roster(overlay, serial: 1, revoking: [4])
        overlay.act(host) { engine, turn in
            _ = engine.publish(roster, in: &turn)
            let gone = overlay[4].identity
            let (isAdmitted, isProved) = (
                engine.gate.admission.admits(gone), engine.gate.hasProved(gone, at: overlay[4].endpoint)
            )
            #expect(!isAdmitted && !isProved)
            #expect(engine.calls.ids { $0.contact.identity == gone }.isEmpty)
            #expect(engine.core.table.contacts.allSatisfy { $0.contact.identity != gone })
        }
        overlay.run(for: .seconds(2))
        #expect(serials(overlay) == [1, 1, 1, 1, 0])
        let silent = overlay.flights.count { $0.destination == overlay[4].endpoint }
        overlay.run(for: .seconds(120))
        #expect(overlay.flights.count { $0.destination == overlay[4].endpoint } == silent)
        #expect(overlay.look("key", at: 1)?.found.isEmpty == true)
        #expect(overlay.text("key", at: 4) == "value", "it has its own copy, and nothing else")
    }

    @Test func `a revoked node never gets the roster that revokes it`() {
        let overlay = overlay(5)
        overlay.kill(4)
        publish(roster(overlay, serial: 1, revoking: [4]), on: overlay, at: 0)
        overlay.run(for: .seconds(10))
        overlay.start(4, seeds: [0])
        overlay.run(for: .seconds(60))
        #expect(serials(overlay) == [1, 1, 1, 1, 0])
        #expect(overlay[4].engine.core.table.contacts.isEmpty)
    }

    @Test func `nobody takes a roster over that no administrator signed`() throws {
        let overlay = overlay(4)
        let mallory = SigningKey()
        let forged = try Roster.sign(
            Array("@admin \(mallory.identity.text) mallory\n".utf8),
            serial: 9,
            time: 1,
            with: mallory,
            network: overlay[0].engine.gate.networkID,
            file: "roster"
        )
        #expect(publish(forged, on: overlay, at: 0) == .stranger)
        // A member that holds it all the same, and tells everybody.
        overlay.act(overlay[3]) { engine, turn in
            engine.roster.keeper.pinned = [mallory.identity]
            #expect(engine.publish(forged, in: &turn) == .newer)
        }
        overlay.run(for: .seconds(120))
        #expect(serials(overlay) == [0, 0, 0, 9])
        let state = overlay[0].engine.rosterState
        #expect(overlay[0].engine.counters.rosters.refused > 0)
        #expect(state.missing == nil, "one peer says so, and nobody else")
        overlay.act(overlay[2]) { engine, turn in
            engine.roster.keeper.pinned = [mallory.identity]
            #expect(engine.publish(forged, in: &turn) == .newer)
        }
        overlay.run(for: .seconds(60))
        #expect(overlay[0].engine.rosterState.missing?.reason == .unsigned)
        publish(roster(overlay, serial: 1), on: overlay, at: 0)
        overlay.run(for: .seconds(10))
        #expect(serials(overlay) == [1, 1, 9, 9])
    }

    /// From now on the host shows a mark in every answer to PING, and to FIND_ROSTER says this.
    private func boast(_ mark: RosterMark, _ overlay: Overlay, at index: Int, _ findRoster: Response?) {
        let endpoint = overlay[index].endpoint
        overlay[index].lie = { request, _ in
            switch request {
            case .ping: .pong(observed: endpoint, endpoints: [], roster: mark)
            case .findNode: .nodes([])
            case .findValue: .values([], total: 0, closer: [])
            case .findRoster: findRoster
            case .store, .passOn, .findChunk, .join: nil
            }
        }
    }

    @Test(arguments: [false, true])
    func `a member cannot keep others from the roster that revokes it`(answers: Bool) {
        let overlay = overlay(6)
        let highest = RosterMark(serial: .max, stamp: 7)
        boast(highest, overlay, at: 5, answers ? .absent : nil)
        func repeated(for interval: Interval, or isDone: () -> Bool = { false }) {
            let end = overlay.clock + interval
            while overlay.clock < end, !isDone() {
                for index in 0..<5 {
                    overlay.ask(.ping(isLeaving: false, roster: highest), of: index, by: 5)
                }
                overlay.run(for: .milliseconds(100))
            }
        }
        repeated(for: .seconds(20))
        publish(roster(overlay, serial: 1, revoking: [5]), on: overlay, at: 0)
        repeated(for: .seconds(2)) { Array(serials(overlay).prefix(5)) == [1, 1, 1, 1, 1] }
        #expect(Array(serials(overlay).prefix(5)) == [1, 1, 1, 1, 1])
    }

    @Test func `what the revoked wrote does not reach those who were reading it`() {
        let overlay = overlay(5)
        overlay.put("short", "value", at: 4)
        overlay.putLong("long", ContentTests.bytes(300_000, seed: 3), at: 4)
        let read = overlay.look("long", at: 1)
        let record = read?.found.first?.record
        let get = Operation.get(key: Array("short".utf8), author: nil, replicas: 5, isExhaustive: true)
        let reading = overlay.submit(get, at: 1)
        // Every answer is here but that of one who will not give any.
        overlay.groups = [3: 1]
        let before = overlay[1].engine.counters.answers
        overlay.run(until: overlay.clock + .seconds(1)) { overlay[1].engine.counters.answers >= before + 2 }
        let contacts = overlay.hosts.filter { $0.index != 1 && $0.index != 4 }.map(\.contact)
        guard let record else {
            Issue.record("the value is not there")
            return
        }
        // Its own copy does not come either.
        overlay[1].isStoreStuck = true
        let fetching = overlay.submit(.fetch(record, from: contacts), at: 1)
        #expect(overlay[1].outcomes[reading] == nil)
        #expect(overlay[1].outcomes[fetching] == nil)
        publish(roster(overlay, serial: 1, revoking: [4]), on: overlay, at: 1)
        guard case .fetched(let bytes)? = overlay.finish(fetching, at: 1) else {
            Issue.record("the fetch did not end")
            return
        }
        #expect(bytes == nil)
        guard case .got(let outcome)? = overlay.finish(reading, at: 1) else {
            Issue.record("the read did not end")
            return
        }
        #expect(outcome.found.isEmpty)
    }

    @Test func `an administrator whom the operator revokes is none here`() {
        let overlay = overlay(4)
        let text =
            "@revoked \(administrator.identity.text) root\n"
            + overlay.hosts.map { "\($0.identity.text) node-\($0.index)\n" }.joined()
        guard
            let list = try? Allowlist(
                parsing: text + "@admin \(administrator.identity.text) root\n",
                file: "x"
            )
        else { preconditionFailure() }
        overlay.admit(.members(list), at: 2)
        publish(roster(overlay, serial: 1), on: overlay, at: 0)
        overlay.run(for: .seconds(60))
        #expect(serials(overlay) == [1, 1, 0, 1])
        overlay.admit(pinned(overlay), at: 2)
        overlay.run(for: .seconds(60))
        #expect(serials(overlay) == [1, 1, 1, 1])
        overlay.admit(.members(list), at: 2)
        publish(roster(overlay, serial: 2), on: overlay, at: 0)
        overlay.run(for: .seconds(60))
        #expect(serials(overlay) == [2, 2, 1, 2], "nor is it by the roster held")
    }

    @Test func `two rosters of one serial are known by everybody, and a newer one ends it`() {
        let overlay = overlay(6)
        overlay.groups = [3: 1, 4: 1, 5: 1]
        publish(roster(overlay, serial: 1), on: overlay, at: 0)
        publish(roster(overlay, serial: 1, comments: 1), on: overlay, at: 5)
        overlay.run(for: .seconds(10))
        overlay.groups = [:]
        overlay.run(for: .seconds(180))
        let conflicts = overlay.hosts.map { $0.engine.rosterState.conflict != nil }
        #expect(conflicts == [true, true, true, true, true, true])
        #expect(overlay.hosts.allSatisfy { $0.engine.rosterState.held?.serial == 1 })
        publish(roster(overlay, serial: 2), on: overlay, at: 4)
        overlay.run(for: .seconds(10))
        #expect(serials(overlay) == [2, 2, 2, 2, 2, 2])
        #expect(overlay.hosts.allSatisfy { $0.engine.rosterState.conflict == nil })
    }

    @Test func `nodes without an administrator say nothing of rosters`() {
        let overlay = Overlay(3)
        overlay.startAll()
        #expect(publish(roster(overlay, serial: 1), on: overlay, at: 0) == .stranger)
        overlay.run(for: .seconds(60))
        #expect(overlay.hosts.allSatisfy { $0.engine.roster.deadline == nil })
        #expect(overlay.hosts.allSatisfy { $0.engine.counters.rosters.told == 0 })
    }
}
