import Testing

@testable import DHTCore

/// Keys under which thousands of authors write: what a read of one costs.
struct PageTests {
    private static let location = NodeID(firstByte: 1)
    private var transcript = Transcript(.at(0b0000_0001))

    /// A record each, of revisions that follow no order of the authors.
    private static func records(_ count: UInt64, value: Int = 0) -> [Record] {
        (1...count).map { author in
            .sample(
                by: author,
                revision: 10 + author * 7919 % count,
                value: [UInt8](repeating: 1, count: value)
            )
        }
    }

    private mutating func receiveRequest(author: Identity? = nil, offset: UInt16 = 0) -> [Identity]? {
        transcript.on(at: now(2100)) { node, turn in
            let name = RequestID(rawValue: 1)
            let request = Request.findValue(location: Self.location, author: author, offset: offset)
            node.handleRequest(name, by: .at(4), request, isLive: true, in: &turn)
        }
        guard case .load(_, _, let authors)? = transcript.actions.first else { return nil }
        return authors
    }

    private mutating func answer(_ records: [Record]) throws -> (records: [Record], total: UInt16) {
        let ticket = try #require(transcript.tickets.first)
        transcript.on(at: now(2100)) { node, turn in node.loaded(ticket, records, in: &turn) }
        guard case .values(let records, let total, _)? = transcript.replies.first else { return ([], 0) }
        return (records, total)
    }

    @Test(arguments: [0, 100, 500])
    mutating func `a read among 2,000 authors loads one page's records and no more`(value: Int) throws {
        let records = Self.records(2000, value: value)
        for record in records { transcript.node.restore(record) }
        let newest = records.sorted { $0.isNewer(than: $1) }
        for offset in [0, 8, 31, 500, 1995, 1999] {
            let authors = try #require(receiveRequest(offset: UInt16(offset)))
            #expect(authors.count <= Page.recordLimit)
            #expect(authors == newest.dropFirst(offset).prefix(authors.count).map(\.author))
            let read = newest.filter { authors.contains($0.author) }
            let next = newest.dropFirst(offset + authors.count).first
            let length = read.reduce(next?.bytes.count ?? Page.room) { $0 + $1.bytes.count }
            #expect(length > Page.room, "one more may not fit")
            let answer = try answer(read.reversed())
            #expect(answer.records == read)
            #expect(answer.total == 2000)
        }
    }

    @Test mutating func `behind the last record nothing is loaded`() {
        for record in Self.records(5) { transcript.node.restore(record) }
        #expect(receiveRequest(offset: 5) == nil)
        #expect(transcript.replies == [.values([], total: 5, closer: [])])
    }

    @Test mutating func `of one author one record is loaded`() throws {
        for record in Self.records(50) { transcript.node.restore(record) }
        #expect(receiveRequest(author: .numbered(7)) == [.numbered(7)])
        #expect(try answer([Self.records(50)[6]]).total == 1)
        #expect(receiveRequest(author: .numbered(51)) == nil)
    }

    @Test mutating func `what the store turns out to have lost is counted no more`() throws {
        let records = Self.records(30)
        for record in records { transcript.node.restore(record) }
        let authors = try #require(receiveRequest())
        let found = records.filter { authors.dropFirst().contains($0.author) }
        let answer = try answer(found)
        #expect(answer.records.count == authors.count - 1)
        #expect(answer.total == 29)
        #expect(transcript.node.catalog.losses == 1)
    }

    @Test mutating func `of what refers to long values as many are loaded as may fit`() throws {
        for author in 1...20 as ClosedRange<UInt64> {
            let sample = Record.sample(by: author, revision: author)
            let entry = Catalog.Entry(
                author: sample.author,
                revision: sample.revision,
                digest: sample.digest,
                expiry: sample.expiry,
                isTombstone: false,
                byteCount: 1_000_000
            )
            transcript.node.restore(entry, at: Self.location)
        }
        let loaded = try #require(receiveRequest()).count
        #expect((6...Page.recordLimit).contains(loaded))
    }

    // MARK: Our own

    private mutating func read(isExhaustive: Bool) -> [Identity]? {
        transcript.on(at: now(2000)) { node, turn in
            let get = KademliaOperation.get(
                location: Self.location,
                author: nil,
                replicas: 3,
                isExhaustive: isExhaustive
            )
            node.submit(get, as: OperationID.user(1), in: &turn)
        }
        for case .load(_, _, let authors) in transcript.actions { return authors }
        return nil
    }

    @Test mutating func `of our own records a reader of the newest reads the newest few`() {
        let records = Self.records(500)
        for record in records { transcript.node.restore(record) }
        let newest = records.sorted { $0.isNewer(than: $1) }.prefix(GetOperation.repairLimit)
        #expect(read(isExhaustive: false) == newest.map(\.author))
        #expect(read(isExhaustive: true)?.count == 500)
    }

    @Test mutating func `and of tombstones before it, and of what is ahead of the clock, a few`() {
        for record in Self.records(500) { transcript.node.restore(record) }
        let stones = (501...503 as ClosedRange<UInt64>).map {
            Record.sample(by: $0, revision: 1000 + $0, lifetime: 10_000, kind: .tombstone)
        }
        for record in stones { transcript.node.restore(record) }
        transcript.node.restore(.sample(by: 600, revision: 2100))
        let found = read(isExhaustive: false) ?? []
        #expect(found.count == GetOperation.repairLimit)
        // What is ahead of the clock comes after all that is not.
        #expect(stones.allSatisfy { found.contains($0.author) })
        for author in 700...799 as ClosedRange<UInt64> {
            let stone = Record.sample(by: author, revision: author, lifetime: 10_000, kind: .tombstone)
            transcript.node.restore(stone)
        }
        #expect(read(isExhaustive: false)?.count == GetOperation.repairLimit)
    }
}
