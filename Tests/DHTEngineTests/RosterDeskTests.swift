import DHTCore
import DHTCrypto
import DHTEnvelope
import Testing

@testable import DHTEngine

/// The roster of a node as a machine by itself: marks and answers in, requests out.
struct RosterDeskTests {
    /// A desk, and a clock.
    private final class Bench {
        let administrator = SigningKey()
        let network: NetworkID
        var desk: RosterDesk
        var now = Instant(nanoseconds: 1_000_000_000)
        private(set) var asked: [(id: CallID, contact: Contact, request: Request)] = []
        private(set) var dropped: Set<CallID> = []

        init() {
            var seed = [UInt8](repeating: 7, count: 32)
            network = NetworkKey(bytes: SecretBytes(wiping: &seed)).id
            desk = RosterDesk(network: network, local: Self.pinning(administrator.identity))
            desk.begin(with: nil, at: now)
        }

        static func pinning(_ administrator: Identity, revoked: Bool = false) -> AdmissionPolicy {
            var text = "@admin \(administrator.text) root\n"
            if revoked { text += "@revoked \(administrator.text) root\n" }
            do { return .members(try Allowlist(parsing: text, file: "members")) } catch {
                preconditionFailure("\(error)")
            }
        }

        func peer(_ number: UInt8) -> Contact {
            let identity = certain(Identity([UInt8](repeating: number, count: Identity.byteCount)))
            let endpoint = Endpoint(ipv4: 0x0A00_0000 | UInt32(number), port: 4100)
            return Contact(identity: identity, id: identity.nodeID, endpoint: endpoint)
        }

        func roster(_ serial: UInt64, comments: Int = 0) -> Roster {
            var text = "@admin \(administrator.identity.text) root\n"
            text += String(repeating: "#" + String(repeating: "x", count: 98) + "\n", count: comments)
            return .signed(text, serial, by: administrator, network)
        }

        func tell(_ event: (inout RosterDesk, inout RosterTurn) -> Void) {
            var turn = RosterTurn(at: now, table: RoutingTable(own: administrator.identity.nodeID))
            event(&desk, &turn)
            for step in turn.steps {
                switch step {
                case .ask(let id, let contact, let request): asked.append((id, contact, request))
                case .drop(let id): dropped.insert(id)
                case .adopted, .conflicting: break
                }
            }
        }

        func hear(_ mark: RosterMark, from number: UInt8) {
            let contact = peer(number)
            tell { $0.heard(mark, from: contact, &$1) }
        }

        /// Takes the requests that were made to a peer since this was last asked.
        func requests(to number: UInt8) -> [(id: CallID, contact: Contact, request: Request)] {
            let mine = asked.filter { $0.contact == peer(number) && !dropped.contains($0.id) }
            asked.removeAll { $0.contact == peer(number) }
            return mine
        }

        /// Requests to a peer that are under way.
        func pending(_ number: UInt8) -> Int {
            asked.count { $0.contact == peer(number) && !dropped.contains($0.id) }
        }

        /// Answers everything that a peer was asked, as one who holds the roster.
        func answer(from number: UInt8, _ roster: Roster, chunks: Int = .max) {
            for call in requests(to: number).prefix(chunks) {
                let response: Response
                switch call.request {
                case .findRoster: response = .roster(roster.head)
                case .findChunk(_, let part, let chunk):
                    let bytes = certain(roster.part(part))
                    let start = Int(chunk) * ContentLayout.chunkLength
                    response = .chunk(Array(bytes.dropFirst(start).prefix(ContentLayout.chunkLength)))
                default: continue
                }
                tell { $0.answered(call.id, by: call.contact, isClear: true, response, &$1) }
            }
        }

        func fail(_ number: UInt8) {
            for call in requests(to: number) { tell { $0.failed(call.id, &$1) } }
        }

        func pass(_ interval: Interval) {
            now = now + interval
            tell { $0.advance(&$1) }
        }

        var serial: UInt64 { desk.keeper.mark.serial }
    }

    @Test func `whoever shows the highest mark and is silent keeps nobody else from being asked`() {
        let bench = Bench()
        let highest = RosterMark(serial: .max, stamp: 7)
        let roster = bench.roster(1)
        bench.hear(highest, from: 1)
        #expect(bench.pending(1) == 1)
        bench.hear(roster.mark, from: 2)
        for _ in 0..<4 { bench.answer(from: 2, roster) }
        #expect(bench.serial == 1)
        // It is not asked again for a while, whatever it shows.
        let next = bench.roster(2)
        let liars: [UInt8] = [1, 3, 5]
        for liar in liars { bench.hear(highest, from: liar) }
        for liar in liars { bench.fail(liar) }
        for liar in liars { bench.hear(RosterMark(serial: .max, stamp: 8), from: liar) }
        #expect(liars.map { bench.pending($0) } == [0, 0, 0])
        bench.hear(next.mark, from: 4)
        for _ in 0..<4 { bench.answer(from: 4, next) }
        #expect(bench.serial == 2)
        bench.pass(RosterClaims.distrust)
        bench.hear(highest, from: 1)
        #expect(bench.pending(1) == 1)
    }

    @Test func `whoever shows a mark and gives an older head is asked no more`() {
        let bench = Bench()
        let (old, new) = (bench.roster(1), bench.roster(2))
        bench.hear(RosterMark(serial: 9, stamp: 1), from: 1)
        for _ in 0..<4 { bench.answer(from: 1, old) }
        // What it gave is genuine all the same.
        #expect(bench.serial == 1)
        bench.hear(new.mark, from: 1)
        #expect(bench.requests(to: 1).isEmpty)
    }

    @Test func `a text on a slow line comes, however long it takes`() {
        let bench = Bench()
        let roster = bench.roster(1, comments: 1400)
        #expect(roster.head.text.pieceCount == 3)
        bench.hear(roster.mark, from: 1)
        bench.answer(from: 1, roster)
        var patience = 2000
        while bench.serial == 0, patience > 0 {
            bench.answer(from: 1, roster)
            bench.pass(.seconds(6))
            patience -= 1
        }
        #expect(bench.serial == 1)
        #expect(bench.desk.counters.fetched == 1)
    }

    @Test func `a text that dawdles is fetched of another who has it`() {
        let bench = Bench()
        let roster = bench.roster(1, comments: 1400)
        bench.hear(roster.mark, from: 1)
        bench.answer(from: 1, roster)
        // It gives the outline, and then a chunk now and then.
        bench.answer(from: 1, roster)
        let begun = bench.now
        bench.hear(roster.mark, from: 2)
        while bench.serial == 0, bench.now.since(begun) < .seconds(20) {
            bench.answer(from: 1, roster, chunks: 1)
            for _ in 0..<400 { bench.answer(from: 2, roster) }
            bench.pass(.seconds(1))
        }
        #expect(bench.serial == 1, "held up for \(bench.now.since(begun))")
    }

    @Test func `whoever gave a wrong part of a text is not asked for that text again`() {
        let bench = Bench()
        let (roster, next) = (bench.roster(1), bench.roster(2, comments: 1))
        bench.hear(roster.mark, from: 1)
        bench.answer(from: 1, roster)
        for call in bench.requests(to: 1) {
            bench.tell {
                $0.answered(
                    call.id,
                    by: call.contact,
                    isClear: true,
                    .chunk([UInt8](repeating: 1, count: 32)),
                    &$1
                )
            }
        }
        bench.pass(RosterClaims.distrust)
        bench.hear(roster.mark, from: 1)
        bench.answer(from: 1, roster)
        #expect(bench.pending(1) == 0 && bench.serial == 0)
        #expect(bench.desk.missing?.mark == roster.mark)
        // Another one of it may be had there, and this one of others.
        bench.hear(roster.mark, from: 2)
        for _ in 0..<4 { bench.answer(from: 2, roster) }
        #expect(bench.serial == 1)
        bench.pass(RosterClaims.distrust)
        bench.hear(next.mark, from: 1)
        for _ in 0..<4 { bench.answer(from: 1, next) }
        #expect(bench.serial == 2)
    }

    @Test func `a genuine roster that dawdles does not hold up the one after it`() {
        let bench = Bench()
        let (first, second) = (bench.roster(1, comments: 1400), bench.roster(2))
        bench.hear(first.mark, from: 1)
        bench.answer(from: 1, first)
        bench.hear(second.mark, from: 2)
        for _ in 0..<4 { bench.answer(from: 2, second) }
        #expect(bench.serial == 2)
        #expect(bench.desk.timers[.look] == nil)
    }

    @Test func `a text whose signer was dropped meanwhile does not count`() {
        let bench = Bench()
        let roster = bench.roster(1, comments: 1400)
        bench.hear(roster.mark, from: 1)
        bench.answer(from: 1, roster)
        let identity = bench.administrator.identity
        bench.tell { $0.replace(Bench.pinning(identity, revoked: true), &$1) }
        #expect(bench.desk.fetch == nil)
        for _ in 0..<400 { bench.answer(from: 1, roster) }
        #expect(bench.serial == 0)
        #expect(bench.desk.keeper.administrators.isEmpty)
        // The operator takes it back.
        bench.tell { $0.replace(Bench.pinning(identity), &$1) }
        bench.hear(roster.mark, from: 1)
        for _ in 0..<400 { bench.answer(from: 1, roster) }
        #expect(bench.serial == 1)
    }

    @Test func `the word of one is not told as what others hold, and that of two is`() {
        let bench = Bench()
        let highest = RosterMark(serial: .max, stamp: 7)
        bench.hear(highest, from: 1)
        #expect(bench.desk.missing == nil)
        bench.pass(.seconds(9))
        bench.hear(highest, from: 2)
        #expect(bench.desk.missing?.mark == highest)
        #expect(bench.desk.missing?.reason == .silent)
        bench.tell { desk, _ in desk.forget { $0 == bench.peer(1).identity } }
        #expect(bench.desk.missing == nil)
        // A head that an administrator signed is believed of one.
        let roster = bench.roster(3)
        bench.hear(roster.mark, from: 4)
        let call = certain(bench.requests(to: 4).first)
        bench.tell { $0.answered(call.id, by: call.contact, isClear: true, .roster(roster.head), &$1) }
        #expect(bench.desk.missing?.mark == roster.mark)
        for _ in 0..<4 { bench.answer(from: 4, roster) }
        #expect(bench.desk.missing == nil)
    }

    @Test func `a process that begins with a roster asks around, and knows what silence means`() {
        let bench = Bench()
        let roster = bench.roster(5)
        bench.desk.begin(with: roster, at: bench.now)
        #expect(bench.desk.deadline == bench.now + RosterDesk.comparing)
        #expect(bench.desk.mark(impliedBy: bench.now) == nil)
        #expect(bench.desk.mark(impliedBy: bench.now + .milliseconds(1)) == roster.mark)
    }

    @Test func `the last serial there is counts, and nothing comes after it`() {
        let bench = Bench()
        let last = bench.roster(.max)
        bench.tell { desk, turn in #expect(desk.publish(last, &turn) == .newer) }
        bench.hear(RosterMark(serial: 1, stamp: 1), from: 1)
        bench.hear(RosterMark(serial: .max, stamp: 1), from: 2)
        #expect(bench.serial == .max)
        #expect(bench.requests(to: 1).map(\.request) == [.ping(isLeaving: false)])
        #expect(bench.requests(to: 2).map(\.request) == [.findRoster])
    }

    // MARK: Telling

    @Test func `a rumour ends when those told had it, and not at the word of others`() {
        let bench = Bench()
        func told(_ event: (inout RosterTelling, [Contact], Int) -> Void) -> Int {
            var telling = RosterTelling((1...60).map { bench.peer($0) }, of: bench.roster(1).mark, until: nil)
            var (now, count, round) = (bench.now, 0, 0)
            while count < 60 {
                let next = telling.next(at: now)
                count += next.count
                event(&telling, next, round)
                round += 1
                guard let due = telling.due else { break }
                now = due
            }
            return count
        }
        #expect(told { telling, next, _ in for contact in next { telling.hadIt(contact.identity) } } == 8)
        #expect(told { telling, next, _ in for contact in next { telling.lacked(contact.identity) } } == 60)
        // One that was not told, again and again.
        let stranger = bench.peer(200).identity
        #expect(told { telling, _, _ in for _ in 0..<9 { telling.hadIt(stranger) } } == 60)
        // One that was told counts once.
        #expect(
            told { telling, next, _ in for _ in 0..<9 { next.first.map { telling.hadIt($0.identity) } } }
                == 28
        )
        // In a row: every other one lacked it.
        let mixed = told { telling, next, _ in
            for (index, contact) in next.enumerated() {
                index % 4 == 3 ? telling.lacked(contact.identity) : telling.hadIt(contact.identity)
            }
        }
        #expect(mixed == 60)
    }
}

extension Roster {
    /// A roster that a test has somebody sign.
    static func signed(
        _ text: String,
        _ serial: UInt64,
        by key: borrowing SigningKey,
        _ network: NetworkID
    ) -> Roster {
        do {
            let text = Array(text.utf8)
            return try sign(text, serial: serial, time: 1, with: key, network: network, file: "roster")
        } catch { preconditionFailure("\(error)") }
    }
}
