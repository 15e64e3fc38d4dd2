import Testing

@testable import DHTCore

/// Nothing is acknowledged before the store has it.
struct KeepingTests {
    private var transcript = Transcript(.at(1))
    private let sender = Contact.at(0b1000_0000)
    private let older = Record.sample(revision: 5, value: [5])
    private let newer = Record.sample(revision: 6, value: [6])

    private mutating func store(_ record: Record, inbound: UInt64) {
        let (sender, inbound) = (sender, RequestID(rawValue: inbound))
        transcript.on(at: now(10)) { node, turn in
            node.handleRequest(inbound, by: sender, .store(record, condition: nil), isLive: true, in: &turn)
        }
    }

    private mutating func end(_ ticket: Ticket, _ outcome: KademliaNode.StoreOutcome) {
        transcript.on(at: now(11)) { node, turn in node.applied(ticket, outcome, in: &turn) }
    }

    @Test mutating func `a record that is stored again while the store works waits for it too`() {
        store(older, inbound: 1)
        let ticket = transcript.tickets[0]
        store(older, inbound: 2)
        #expect(transcript.replies.isEmpty)
        #expect(transcript.tickets.isEmpty)
        end(ticket, .done)
        #expect(transcript.replies.count == 2)
        store(older, inbound: 3)
        #expect(transcript.replies.count == 1)
    }

    @Test mutating func `if the store fails all who wait are refused, and nothing is there`() {
        store(older, inbound: 1)
        let ticket = transcript.tickets[0]
        store(older, inbound: 2)
        end(ticket, .failed(.quota))
        #expect(transcript.replies == [.refused(.quota), .refused(.quota)])
        #expect(transcript.node.catalog.count == 0)
        store(older, inbound: 3)
        #expect(transcript.tickets.count == 1)
    }

    @Test mutating func `a record whose store fails does not come back when its successor's fails as well`() {
        store(older, inbound: 1)
        let first = transcript.tickets[0]
        store(newer, inbound: 2)
        let second = transcript.tickets[0]
        end(first, .failed(.unavailable))
        end(second, .failed(.unavailable))
        #expect(transcript.node.catalog.count == 0)
        store(older, inbound: 3)
        #expect(transcript.replies.isEmpty)
        #expect(transcript.tickets.count == 1)
    }

    @Test mutating func `a record the store has stands again when its successor fails`() {
        store(older, inbound: 1)
        end(transcript.tickets[0], .done)
        store(newer, inbound: 2)
        end(transcript.tickets[0], .failed(.quota))
        store(older, inbound: 3)
        #expect(transcript.replies.count == 1)
        #expect(transcript.tickets.isEmpty)
    }

    @Test mutating func `a conflict whose record cannot be read is no word that nothing is there`() {
        transcript.node.restore(newer)
        store(older, inbound: 1)
        let ticket = transcript.tickets[0]
        transcript.on(at: now(10)) { node, turn in node.storeFailed(ticket, in: &turn) }
        #expect(transcript.replies == [.refused(.unavailable)])
    }
}
