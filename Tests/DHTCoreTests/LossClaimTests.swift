import Testing

@testable import DHTCore

/// Peers that lost what they had, once or over and over. Transcripts in an 8-bit key space with two replicas.
struct LossClaimTests {
    private var transcript: Transcript
    private let record = Record.sample(at: 0, revision: 10, lifetime: 1_000_000)
    private let peer = Contact.at(4).identity

    init() {
        var settings = KademliaNode.Settings()
        settings.replicas = 2
        transcript = Transcript(.at(1, settings: settings))
        transcript.meet(4, 8, 128, at: 200)
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
        transcript.node.restore(record)
        // It is not put again while these tests last.
        let place = record.id
        transcript.node.catalog.record(.replicated, of: record.digest, at: place, second: 1)
    }

    /// The peer shows another box key, and does not have what it is asked for; how many STOREs that brings
    /// within ten seconds.
    private mutating func lose(at seconds: UInt64) -> Int {
        transcript.on(at: now(seconds)) { node, turn in node.restarted(.at(4), in: &turn) }
        for (call, _, request) in transcript.requests where request.operation == .findValue {
            transcript.on(at: now(seconds)) { node, turn in
                let nothing = Response.values([], total: 0, closer: [])
                node.answered(call, nothing, in: &turn)
            }
        }
        return transcript.live(from: seconds, through: seconds + 10, holding: [record])
            .count { $0.contact.identity == peer }
    }

    private var offences: UInt64 {
        transcript.node.conduct.report.first { $0.offence == .lostOverAndOver }?.count ?? 0
    }

    @Test mutating func `one that lost its disk, or was replaced twice an hour, is made whole at once`() {
        #expect(lose(at: 1000) == 1)
        #expect(lose(at: 2000) == 1)
        #expect(offences == 0)
    }

    @Test mutating func `one that loses everything over and over is given it ever more seldom`() {
        var given = 0
        for seconds in stride(from: UInt64(1000), to: 8200, by: 20) { given += lose(at: seconds) }
        #expect((6...8).contains(given), "after 1, 2, 4, 8, 16, 32 minutes")
        #expect(offences > 0)
        #expect(transcript.node.conduct.report.first?.identity == peer)
    }

    @Test func `pauses double up to an hour, and a day of quiet ends them`() {
        var credulity = Credulity<Identity>()
        var believed: [UInt64] = []
        for minute in 0...600 as ClosedRange<UInt64> {
            if credulity.believe(peer, at: at(minute * 60)) != nil { believed.append(minute) }
        }
        #expect(believed == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543])
        #expect(credulity.believe(peer, at: at(544 * 60)) == nil)
        #expect(credulity.believe(peer, at: at(543 * 60) + Losses.memory) == 1)
    }

    @Test func `no more peers are remembered than there is room for`() {
        var credulity = Credulity<Identity>()
        for number in 0...UInt64(Losses.capacity) {
            _ = credulity.believe(.numbered(number), at: at(number))
        }
        #expect(credulity.count == Losses.capacity)
        #expect(credulity.isBelievable(.numbered(0), at: at(1025)), "the oldest made room")
        #expect(!credulity.isBelievable(.numbered(1000), at: at(1025)))
    }

    @Test mutating func `one that leaves and comes back is given all there is at once the first time`() {
        var given: [Int] = []
        for seconds in [1000, 1040, 1080] as [UInt64] {
            transcript.on(at: now(seconds)) { node, turn in
                let name = RequestID(rawValue: 1)
                let goodbye = Request.ping(isLeaving: true)
                node.handleRequest(name, by: .at(4), goodbye, isLive: true, in: &turn)
            }
            _ = transcript.live(from: seconds, through: seconds + 9, holding: [record])
            transcript.hear(.at(4), at: seconds + 10)
            let stores = transcript.live(from: seconds + 10, through: seconds + 25, holding: [record])
            given.append(stores.count { $0.contact.identity == peer })
        }
        #expect(given == [1, 0, 1])
    }

    // MARK: Read repair

    /// A read that only the peer answers without the record; how many repairs that brings.
    private mutating func read(at seconds: UInt64) -> Int {
        let (record, peer) = (record, peer)
        transcript.on(at: now(seconds)) { node, turn in
            let get = KademliaOperation.get(
                location: record.location,
                author: nil,
                replicas: 2,
                isExhaustive: true
            )
            node.submit(get, as: OperationID.user(1), in: &turn)
        }
        var (pending, repairs) = (transcript.actions, 0)
        while !pending.isEmpty {
            transcript.on(at: now(seconds)) { node, turn in
                switch pending.removeFirst() {
                case .load(let ticket, _, _):
                    node.loaded(ticket, [record], in: &turn)
                case .call(let call, _, .findValue, _):
                    let nothing = Response.values([], total: 0, closer: [])
                    node.answered(call, nothing, in: &turn)
                case .call(let call, let contact, .store, _):
                    repairs += contact.identity == peer ? 1 : 0
                    let stored = Response.stored(.init(lifetime: 1, closest: []))
                    node.answered(call, stored, in: &turn)
                default: break
                }
            }
            pending += transcript.actions
        }
        return repairs
    }

    @Test mutating func `who took a record and lacks it again is repaired by the same pauses`() {
        let repaired = (0..<25 as Range<UInt64>).map { read(at: 1000 + $0 * 20) }
        #expect(repaired.reduce(0, +) == 4, "at once, and after 1, 2 and 4 minutes")
        #expect(repaired.first == 1)
        #expect(offences > 0)
    }

    @Test mutating func `another record that it took is not held against it`() {
        transcript.node.onRepaired(Record.sample(at: 9).digest, at: peer, now: at(1000))
        #expect(read(at: 1001) == 1)
    }
}
