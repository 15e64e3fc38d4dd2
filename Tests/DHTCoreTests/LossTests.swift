import Testing

@testable import DHTCore

/// What the catalog names and the store does not bring was lost on the disk.
struct LossTests {
    private var transcript = Transcript(.at(0b0000_0001))
    private let record = Record.sample(revision: 5, value: [5])
    private let newer = Record.sample(revision: 6, value: [6])

    private mutating func receiveRequest(_ request: Request) {
        transcript.on(at: now(10)) { node, turn in
            let name = RequestID(rawValue: 1)
            let sender = Contact.at(0b1000_0000)
            node.handleRequest(name, by: sender, request, isLive: true, in: &turn)
        }
    }

    /// Asks for the record, and returns the ticket by which the store is asked.
    private mutating func read(by author: Identity? = nil) -> Ticket? {
        receiveRequest(.findValue(location: record.location, author: author, offset: 0))
        return transcript.tickets.first
    }

    private mutating func load(_ records: [Record]?, _ ticket: Ticket?, withheld: [Digest] = []) throws {
        let ticket = try #require(ticket)
        transcript.on(at: now(10)) { node, turn in
            node.loaded(ticket, records, withheld: withheld, in: &turn)
        }
    }

    @Test mutating func `a record that the disk lost is stored again when it is offered again`() throws {
        transcript.node.restore(record)
        receiveRequest(.store(record, condition: nil))
        #expect(transcript.replies.count == 1, "it is there, as far as anybody knows")
        try load([], read())
        #expect(transcript.replies == [.values([], total: 0, closer: [])])
        #expect(transcript.node.catalog.count == 0)
        #expect(transcript.node.catalog.losses == 1)
        receiveRequest(.store(record, condition: nil))
        #expect(transcript.replies.isEmpty)
        transcript.apply(at: 11)
        #expect(transcript.replies.count == 1)
        #expect(
            transcript.node.catalog.entry(at: record.location, by: record.author)?.digest == record.digest
        )
    }

    @Test mutating func `a lost record does not stand in the way of an older copy`() throws {
        transcript.node.restore(newer)
        try load([], read())
        receiveRequest(.store(record, condition: nil))
        transcript.apply(at: 11)
        #expect(
            transcript.node.catalog.entry(at: record.location, by: record.author)?.digest == record.digest
        )
    }

    @Test mutating func `of several authors' records only the lost one is struck out`() throws {
        let other = Record.sample(by: 2, revision: 5)
        transcript.node.restore(record)
        transcript.node.restore(other)
        try load([other], read())
        #expect(transcript.node.catalog.entry(at: record.location, by: record.author) == nil)
        #expect(transcript.node.catalog.entry(at: other.location, by: other.author) != nil)
        try load([other], read(by: other.author))
        #expect(transcript.node.catalog.losses == 1)
    }

    @Test mutating func `what is on its way to the disk is not lost because it could not be read yet`() throws
    {
        transcript.node.restore(record)
        receiveRequest(.store(newer, condition: nil))
        let writing = transcript.tickets[0]
        try load([record], read())
        #expect(transcript.node.catalog.losses == 0)
        let reading = read()
        transcript.on(at: now(11)) { node, turn in node.applied(writing, .done, in: &turn) }
        // It was read before it was written, and is told of after.
        try load([record], reading)
        #expect(transcript.node.catalog.losses == 0)
        try load([newer], read())
        #expect(transcript.node.catalog.losses == 0)
    }

    @Test mutating func `what came while the disk was read is not lost because the disk did not bring it`()
        throws
    {
        transcript.node.restore(record)
        let reading = read()
        receiveRequest(.store(newer, condition: nil))
        transcript.apply(at: 11)
        try load([record], reading)
        #expect(transcript.node.catalog.entry(at: record.location, by: record.author)?.digest == newer.digest)
        #expect(transcript.node.catalog.losses == 0)
    }

    @Test mutating func `a disk that cannot be read has lost nothing`() throws {
        transcript.node.restore(record)
        try load(nil, read())
        #expect(transcript.node.catalog.count == 1)
        #expect(transcript.node.storeRequests.isEmpty)
    }

    @Test mutating func `what is withheld from readers is not lost`() throws {
        transcript.node.restore(record)
        try load([], read(), withheld: [record.digest])
        #expect(transcript.node.catalog.count == 1)
        #expect(transcript.node.catalog.losses == 0)
    }
}
