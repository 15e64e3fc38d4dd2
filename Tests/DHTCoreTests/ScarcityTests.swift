import Testing

@testable import DHTCore

/// Transcripts of what becomes of a record where there are fewer nodes than copies, in an 8-bit key space.
/// The node at 2 knows 1, 4 and 8, is neither the nearest to the record nor the farthest, and has not
/// reached 4 for a while.
struct ScarcityTests {
    private var transcript = Transcript(.at(2))
    private let record = Record.sample(at: 0, revision: 10, lifetime: 86_400)

    init() {
        transcript.meet(1, 4, 8, at: 200)
        transcript.on(at: now(200)) { node, turn in node.advance(in: &turn) }
        transcript.lose(4, at: 210)
        let record = record
        transcript.on(at: now(220)) { node, turn in
            let put = KademliaOperation.put(record, condition: nil)
            node.submit(put, as: OperationID.user(1), in: &turn)
        }
    }

    /// Places that STOREs went to.
    private mutating func given(from first: UInt64, through last: UInt64) -> [UInt8] {
        transcript.live(from: first, through: last, holding: [record]).map(\.contact).places
    }

    /// The one that was not reached is there again.
    private mutating func heal(at seconds: UInt64) {
        transcript.silent = []
        transcript.hear(.at(4), at: seconds)
    }

    @Test mutating func `whom a put did not reach gets it from its author: nobody else missed that one`() {
        #expect(transcript.asked == [1, 8])
        transcript.answerAll(at: 220)
        #expect(transcript.node.underReplicated == 0)
        #expect(given(from: 221, through: 400).isEmpty)
        heal(at: 401)
        #expect(given(from: 402, through: 420) == [4])
        #expect(given(from: 421, through: 900).isEmpty)
    }

    @Test mutating func `that others offer the record meanwhile does not make its author forget`() {
        transcript.answerAll(at: 220)
        let record = record
        transcript.on(at: now(300)) { node, turn in
            node.handleRequest(
                RequestID(rawValue: 1),
                by: .at(1),
                .store(record, condition: nil),
                isLive: true,
                in: &turn
            )
        }
        heal(at: 401)
        #expect(given(from: 402, through: 420) == [4])
    }

    @Test mutating func `what is put before anybody is met goes to those who are met first`() {
        transcript = Transcript(.at(2))
        transcript.on(at: now(100)) { node, turn in
            let seed = Contact.at(4)
            node.setSeeds([(seed.identity, seed.id)], in: &turn)
        }
        let record = record
        transcript.on(at: now(103)) { node, turn in
            let put = KademliaOperation.put(record, condition: nil)
            node.submit(put, as: OperationID.user(1), in: &turn)
        }
        transcript.answerAll(at: 103)
        transcript.hear(.at(4), at: 110)
        #expect(given(from: 111, through: 120) == [4])
    }

    @Test mutating func `who comes back while the record is put gets it within minutes`() {
        var late = transcript
        heal(at: 220)
        late.node = transcript.node
        late.silent = []
        late.answerAll(at: 221)
        transcript = late
        #expect(transcript.node.underReplicated == 1)
        #expect(given(from: 221, through: 420).contains(4))
        #expect(transcript.node.underReplicated == 0)
    }
}
